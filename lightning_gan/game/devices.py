"""Devices by what people write, where they exist."""

from __future__ import annotations

from typing import Any

import torch

from lightning_gan.errors import InputError


def device_of(given: Any, name: str = "map_location") -> torch.device | None:
    """Return the device that an argument names.

    Args:
        given: A name such as "cpu" or "cuda:0", the number of a GPU, a torch.device, or None.
        name: Of the argument.

    Raises:
        InputError: It names none, or one that is not here.
    """
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, (str, int, torch.device)):
        raise InputError(f"{name} must be one device, such as 'cpu' or 'cuda:0', got {given!r}")
    gpus = torch.cuda.device_count()
    here = ["'cpu'", *(f"'cuda:{index}'" for index in range(gpus))]
    try:
        device = torch.device("cuda", given) if isinstance(given, int) else torch.device(given)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        raise InputError(
            f"{name}={str(given)!r}: there is no such device here; leave it out, or choose of "
            f"{', '.join(here)}"
        ) from error
    return device
