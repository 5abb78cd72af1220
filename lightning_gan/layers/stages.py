"""How many stages a network has, how large their maps are, and what each stage is given."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_gan.errors import InputError
from lightning_gan.layers.pyramid import pyramid

Size = tuple[int, int]


def stage_sizes(sample_shape: Sequence[int], stages: int | None = None) -> list[Size]:
    """Return (height, width) of the maps of all stages, smallest first, the image's own last.

    Args:
        sample_shape: (C, H, W).
        stages: How many; None: halve while both sides are even and the halves are 4 or more.

    Raises:
        InputError: ``sample_shape`` is no (C, H, W), its sides cannot be halved that often, or
            there is no stage.

    Example:
        >>> stage_sizes((1, 28, 28))
        [(7, 7), (14, 14), (28, 28)]
        >>> stage_sizes((3, 32, 48), stages=2)
        [(16, 24), (32, 48)]
    """
    shape = tuple(sample_shape)
    if stages is None:
        smallest = pyramid(shape, 1)  # checks the shape
        stages = (shape[1] // smallest.height).bit_length()
    if stages < 1:
        raise InputError("a network must have at least one stage, got a list of none")
    factor = 2 ** (stages - 1)
    if len(shape) != 3 or min(shape) < 1 or shape[1] % factor or shape[2] % factor:
        raise InputError(
            f"sample_shape must be (channels, height, width) with height and width multiples of "
            f"{factor} for {stages} stages, got {shape}"
        )
    _, height, width = shape
    return [(height // 2**n, width // 2**n) for n in reversed(range(stages))]


def per_stage(value: Sequence[int] | int, stages: int, name: str) -> list[int]:
    """Return one positive number for each stage, from one for all or a list of them.

    Args:
        value: A number for all stages, or one for each.
        stages: How many there are.
        name: What it is called, for the sentences.

    Raises:
        InputError: There are more or fewer numbers than stages, or one is below 1.

    Example:
        >>> per_stage(2, 3, "blocks")
        [2, 2, 2]
    """
    values = [value] * stages if isinstance(value, int) else list(value)
    if len(values) != stages:
        raise InputError(f"{name} must be a number or {stages}, one for each stage, got {values}")
    if min(values) < 1:
        raise InputError(f"{name} must be at least 1 in every stage, got {values}")
    return values
