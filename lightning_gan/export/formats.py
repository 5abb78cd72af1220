"""Formats of a generator: each is written, read again, and compared with the generator itself."""

from __future__ import annotations

import copy
import dataclasses
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lightning_gan.components.spec import encode, is_portable, printable
from lightning_gan.errors import InputError, nearest
from lightning_gan.export.folder import WEIGHTS, export_generator
from lightning_gan.export.interface import FlatGenerator, Interface
from lightning_gan.export.load import load_generator
from lightning_gan.game.gan import GAN

PT2 = "generator.pt2"
ONNX = "generator.onnx"
Runner = Callable[[Sequence[Tensor]], tuple[Tensor, ...]]
NEEDS = {"onnx": ("onnx", "onnxscript", "onnxruntime")}


def check_formats(names: Sequence[str]) -> None:
    """Check that formats are known and what they need is installed.

    Raises:
        InputError: There is no such format, or it needs what is missing.
    """
    if not names:
        raise InputError(f"format expects one of {', '.join(FORMATS)}, got nothing")
    for name in names:
        if name not in FORMATS:
            raise InputError(
                f"unknown format {name!r}{nearest(name, FORMATS) or '.'} "
                f"Expected one of {', '.join(FORMATS)}, or several with commas between them"
            )
        missing = [package for package in NEEDS.get(name, ()) if find_spec(package) is None]
        if missing:
            raise InputError(
                f"the format {name} needs {', '.join(missing)}, which is not installed; "
                f"try: pip install 'lightning-gan[{name}]'"
            )


def write_safetensors(gan: GAN, interface: Interface, inputs: Sequence[Tensor], to: Path) -> Runner:
    """Write ``generator.safetensors`` and ``generator.json``; return what runs them."""
    export_generator(gan, to)
    described = is_portable(encode(gan.generator))
    # Where nothing describes the network, a copy of it takes the weights.
    network = None if described else copy.deepcopy(interface.network)
    again = load_generator(to, trust=True, generator=network).generator
    return dataclasses.replace(interface, network=again).run


def write_torch_export(
    gan: GAN, interface: Interface, inputs: Sequence[Tensor], to: Path
) -> Runner:
    """Write ``generator.pt2``, which plain torch runs; return what runs it."""
    with _unheard():
        torch.export.save(_traced(interface, inputs), to / PT2)
        module = torch.export.load(to / PT2).module()

    def run(given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        made = module(*given)
        return made if isinstance(made, tuple) else (made,)

    return run


def write_onnx(gan: GAN, interface: Interface, inputs: Sequence[Tensor], to: Path) -> Runner:
    """Write ``generator.onnx``; return what runs it in onnxruntime."""
    traced = _traced(interface, inputs)
    name = type(interface.network).__name__
    try:
        with _unheard():
            made = torch.onnx.export(
                traced,
                tuple(inputs),
                input_names=list(interface.inputs),
                output_names=list(interface.outputs),
                dynamo=True,
                verbose=False,
            )
            assert made is not None
            made.save(str(to / ONNX))
            import onnxruntime

            session = onnxruntime.InferenceSession(
                str(to / ONNX), providers=["CPUExecutionProvider"]
            )
    except Exception as error:  # each layer that ONNX lacks fails in its own way
        raise InputError(f"{name} cannot be written as ONNX: {_first(error)}") from error

    def run(given: Sequence[Tensor]) -> tuple[Tensor, ...]:
        fed = {
            name: x.detach().cpu().numpy() for name, x in zip(interface.inputs, given, strict=True)
        }
        return tuple(torch.from_numpy(x) for x in session.run(list(interface.outputs), fed))

    return run


FORMATS: dict[str, Callable[[GAN, Interface, Sequence[Tensor], Path], Runner]] = {
    "safetensors": write_safetensors,
    "torch_export": write_torch_export,
    "onnx": write_onnx,
}
FILES = {"safetensors": WEIGHTS, "torch_export": PT2, "onnx": ONNX}


def _traced(interface: Interface, inputs: Sequence[Tensor]) -> Any:
    """Return the program that torch.export makes, for any number of samples.

    Images and sequences of any size keep that freedom where the trace allows it.

    Raises:
        InputError: It cannot be traced.
    """
    batch = torch.export.Dim("N", min=1)
    free = [dict.fromkeys(interface.free_axes(x), torch.export.Dim.DYNAMIC) for x in inputs]
    fixed: list[dict[int, Any]] = [{} for _ in inputs]
    failure: Exception | None = None
    for sizes in [free, fixed] if any(free) else [fixed]:
        try:
            with _unheard(), torch.no_grad():
                return torch.export.export(
                    FlatGenerator(interface).eval(),
                    tuple(inputs),
                    dynamic_shapes={"inputs": tuple({0: batch, **each} for each in sizes)},
                )
        except Exception as error:  # tracing runs all of the network's own code
            failure = error
    assert failure is not None
    raise InputError(
        f"{type(interface.network).__name__} cannot be traced by torch.export, for it does what "
        f"depends on values or on the number of samples: {_first(failure)}"
    ) from failure


def _first(error: BaseException) -> str:
    """Return the beginning of somebody else's error."""
    return printable(str(error).strip().split("\n")[0] or type(error).__name__)


@contextmanager
def _unheard() -> Iterator[None]:
    """Keep to ourselves what tracing says beside its result."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
