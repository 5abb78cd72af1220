"""How an image that is not square becomes square: which part of it is kept."""

from __future__ import annotations

from typing import Literal

import numpy as np

Crop = Literal["center", "random"] | None


def scaled(width: int, height: int, side: int) -> tuple[int, int]:
    """Return the size at which the shorter side is ``side``, as torchvision's Resize has it."""
    if width <= height:
        return side, int(side * height / width)
    return int(side * width / height), side


def center(width: int, height: int, side: int) -> tuple[int, int]:
    """Return left and top of the middle square, as torchvision's CenterCrop has it."""
    return round((width - side) / 2), round((height - side) / 2)


def drawn(width: int, height: int, side: int, key: tuple[int, ...]) -> tuple[int, int]:
    """Return left and top of a square anywhere in an image, a function of a key alone."""
    left, top = np.random.default_rng(key).integers(0, (width - side + 1, height - side + 1))
    return int(left), int(top)
