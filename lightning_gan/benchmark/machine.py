"""What a benchmark ran on."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from lightning_gan import __version__

CPU_INFO = Path("/proc/cpuinfo")
BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Return the device's name, whether it has bf16 instructions, and the versions in use.

    ``bf16`` is None where the system does not tell.
    """
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        bf16: bool | None = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        name, bf16 = read_cpu(CPU_INFO.read_text() if CPU_INFO.is_file() else "")
        name = name if device.type == "cpu" else f"{name} ({device.type})"
    return {
        "name": name,
        "bf16": bf16,
        "threads": torch.get_num_threads(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "pytorch_lightning": version("pytorch-lightning"),
        "lightning_gan": __version__,
    }


def read_cpu(text: str) -> tuple[str, bool | None]:
    """Return the processor's name, and whether it has bf16 instructions or None.

    Args:
        text: Content of Linux's ``/proc/cpuinfo``, empty on other systems.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    flags = found.get("flags", found.get("Features"))  # of x86 and of ARM
    name = found.get("model name") or platform.processor() or platform.machine()
    return name, None if flags is None else not BF16_FLAGS.isdisjoint(flags.split())


def peak_memory(device: torch.device) -> dict[str, float]:
    """Return the most memory that was in use, in MB: of the process, and on a GPU if there is one.

    It is empty where the system does not tell.
    """
    found = {}
    if sys.platform != "win32":
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found["resident"] = peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
    if device.type == "cuda":
        found["device"] = torch.cuda.max_memory_allocated(device) / 1e6
    return found
