"""What goes into a generator and what comes out, as tensors with names: the contract of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.game.conditions import class_entry, generated
from lightning_gan.types import GeneratorOutput, as_generator_output, describe, rows

SAMPLES = "samples"
# Names of axes in a contract: of images (N, C, H, W) and of sequences (N, C, T).
SIDES = {4: {2: "H", 3: "W"}, 3: {2: "T"}}


@dataclass(frozen=True)
class Slot:
    """The place of a tensor in a condition.

    Attributes:
        name: Of the tensor: ``y``, ``y.text``, ``y.0``.
    """

    name: str


@dataclass(frozen=True)
class Interface:
    """Which tensors a generator takes and returns, in order.

    Attributes:
        network: The generator, in eval mode.
        template: Its condition, with a Slot for each tensor.
        inputs: Names of its inputs: ``z`` where it has latents, then those of the condition.
        outputs: Names of its outputs: ``samples`` and by-products as ``extra.w``.
        left_out: By-products that are no tensors.
    """

    network: nn.Module
    template: Any
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    left_out: tuple[str, ...]

    @classmethod
    def of(cls, network: nn.Module, z: Tensor, y: Any) -> Interface:
        """Find out from latents (N, Z) and a condition.

        Raises:
            InputError: The condition holds what is no tensor for each sample.
        """
        template = _slots(y, "y")
        names = [name for name, _ in _named(y, "y")]
        inputs = (["z"] if z.shape[1] else []) + names
        if not inputs:
            raise InputError(f"{type(network).__name__} takes neither latents nor a condition")
        with torch.inference_mode():
            output = as_generator_output(generated(network, z, y))
        outputs = [name for name, value in _outputs(output) if isinstance(value, Tensor)]
        left_out = [name for name, value in _outputs(output) if not isinstance(value, Tensor)]
        return cls(network, template, tuple(inputs), tuple(outputs), tuple(left_out))

    def pack(self, z: Tensor, y: Any) -> tuple[Tensor, ...]:
        """Return the inputs of latents and a condition."""
        given = {"z": z, **dict(_named(y, "y"))}
        return tuple(given[name] for name in self.inputs)

    def run(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the outputs of inputs, with gradient."""
        given = dict(zip(self.inputs, inputs, strict=True))
        z = given.get("z")
        if z is None:  # no latents; N of them all the same
            dtype = next((p.dtype for p in self.network.parameters()), torch.float32)
            first = inputs[0]
            z = torch.empty(first.shape[0], 0, dtype=dtype, device=first.device)
        made = as_generator_output(generated(self.network, z, _filled(self.template, given)))
        values = dict(_outputs(made))
        return tuple(values[name] for name in self.outputs)

    def free_axes(self, x: Tensor) -> tuple[int, ...]:
        """Return the axes of an input along which any size may do.

        Those of images to images, and of sequences to sequences, such as a spectrogram to a wave.
        """
        shape: Any = self.network.sample_shape
        if x.ndim not in SIDES or x.ndim != len(shape) + 1 or not x.is_floating_point():
            return ()
        return tuple(axis for axis, size in enumerate(shape, start=1) if size is None)

    def smaller(self, inputs: Sequence[Tensor]) -> list[Tensor] | None:
        """Return two of the samples with inputs of another size; None where sizes are fixed."""
        if not any(map(self.free_axes, inputs)):
            return None
        made = [x[:2] for x in inputs]
        for place, x in enumerate(made):
            for axis in self.free_axes(x):
                made[place] = made[place].narrow(axis, 0, max(1, x.shape[axis] // 4 * (axis - 1)))
        return made

    def describe(
        self, inputs: Sequence[Tensor], bounds: list[float] | None, any_size: bool = False
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the JSON description of inputs and outputs, N standing for the batch.

        Args:
            inputs: Those of at least three samples.
            bounds: The least and largest value of samples; None where there are none.
            any_size: Whether H, W and T stand for sides and lengths: other sizes were tried.
        """
        classes: int | None = getattr(self.network, "num_classes", None)
        entry = class_entry(self.network)
        labels = "y" if entry is None else f"y.{entry}"
        # What changes with the number of samples is the batch.
        with torch.inference_mode():
            made = [self.run([x[:n] for x in inputs]) for n in (2, 3)]
        wanted, few, more = [], *made
        sides: dict[tuple[int, int], int] = {}
        for name, x in zip(self.inputs, inputs, strict=True):
            about: dict[str, Any] = {"name": name, "dtype": _dtype(x), "shape": ["N", *x.shape[1:]]}
            if any_size:
                for axis in self.free_axes(x):
                    about["shape"][axis] = SIDES[x.ndim][axis]
                    sides[x.ndim, axis] = x.shape[axis]
            if name == labels and classes is not None:
                lowest = -1 if getattr(self.network, "takes_unlabeled", False) else 0
                about["range"] = [lowest, classes - 1]
            elif name != "z" and x.is_floating_point():
                about["example_range"] = [x.min().item(), x.max().item()]
            wanted.append(about)
        returned = []
        for name, small, large in zip(self.outputs, few, more, strict=True):
            shape = [a if a == b else "N" for a, b in zip(small.shape, large.shape, strict=True)]
            for (ndim, axis), side in sides.items():
                if ndim == small.ndim:
                    shape[axis] = _in_sides(small.shape[axis], side, SIDES[ndim][axis])
            about = {"name": name, "dtype": _dtype(small), "shape": shape}
            if name == SAMPLES:
                about["range"] = bounds
            returned.append(about)
        return {"inputs": wanted, "outputs": returned}


class FlatGenerator(nn.Module):
    """A generator as a function from tensors to tensors, for formats that know nothing else.

    Args:
        interface: What it takes and returns.
    """

    def __init__(self, interface: Interface) -> None:
        super().__init__()
        self.network = interface.network
        self.__dict__["interface"] = interface

    def forward(self, *inputs: Tensor) -> Any:
        """Return the outputs in order; the samples alone where there is nothing else."""
        outputs = self.__dict__["interface"].run(inputs)
        return outputs[0] if len(outputs) == 1 else outputs


def _in_sides(length: int, side: int, name: str) -> int | str:
    """Return a length as a multiple of the input's side.

    Example:
        >>> _in_sides(64, 32, "H"), _in_sides(32, 32, "W"), _in_sides(7, 32, "W")
        ('2*H', 'W', 7)
    """
    if length % side:
        return length
    return name if length == side else f"{length // side}*{name}"


def _dtype(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")


def _named(tree: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a condition with their names, in order.

    Raises:
        InputError: It holds something else.
    """
    if isinstance(tree, Tensor):
        yield name, tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _named(value, f"{name}.{key}")
    elif isinstance(tree, (tuple, list)) and not any(isinstance(item, str) for item in tree):
        for place, value in enumerate(tree):
            yield from _named(value, f"{name}.{place}")
    elif tree is not None:
        raise InputError(
            f"a generator whose condition {name} is {describe(tree)} cannot be exported: "
            "conditions must be tensors"
        )


def _slots(tree: Any, name: str) -> Any:
    if isinstance(tree, Tensor):
        return Slot(name)
    if isinstance(tree, Mapping):
        return {key: _slots(value, f"{name}.{key}") for key, value in tree.items()}
    if isinstance(tree, (tuple, list)):
        items = [_slots(value, f"{name}.{place}") for place, value in enumerate(tree)]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    return tree


def _filled(template: Any, given: Mapping[str, Tensor]) -> Any:
    if isinstance(template, Slot):
        return given[template.name]
    if isinstance(template, Mapping):
        return {key: _filled(value, given) for key, value in template.items()}
    if isinstance(template, (tuple, list)):
        items = [_filled(value, given) for value in template]
        return type(template)(*items) if hasattr(template, "_fields") else type(template)(items)
    return template


def _outputs(output: GeneratorOutput) -> Iterator[tuple[str, Any]]:
    """Yield samples and by-products with their names; what is no tensor as well."""

    def inner(tree: Any, name: str) -> Iterator[tuple[str, Any]]:
        if isinstance(tree, Mapping):
            for key, value in tree.items():
                yield from inner(value, f"{name}.{key}")
        elif isinstance(tree, (tuple, list)):
            for place, value in enumerate(tree):
                yield from inner(value, f"{name}.{place}")
        else:
            yield name, tree

    yield SAMPLES, output.samples
    yield from inner(output.extra, "extra")


def first_rows(inputs: Sequence[Tensor], n: int) -> list[Tensor]:
    """Return the inputs of the first n samples."""
    return [rows(x, slice(n)) for x in inputs]
