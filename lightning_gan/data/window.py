"""What the values of pixels mean: their type, and which of them are served as black and white."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_gan.errors import InputError

# Types of values that images are kept in; their names are NumPy's and torch's.
PIXEL_TYPES = (
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64",
)  # fmt: skip
_WIDE = (torch.uint32, torch.int32, torch.float64)  # float32 would round them before the window


@dataclass(frozen=True)
class Window:
    """Which values are served as -1 and 1.

    Attributes:
        black: The value that becomes -1.
        white: The value that becomes 1.
        cuts: Whether what lies outside becomes -1 and 1, too.
    """

    black: float = 0.0
    white: float = 255.0
    cuts: bool = True

    def __str__(self) -> str:
        return f"{self.black:.10g} to {self.white:.10g}"

    def scaled(self, pixels: Tensor) -> Tensor:
        """Return pixels of any type as new floats, float32 in [-1, 1] where the window cuts."""
        if pixels.dtype == torch.uint8 and self == EIGHT_BITS:
            return pixels.float().div_(127.5).sub_(1)
        wide = pixels.double() if pixels.dtype in _WIDE else pixels.float()
        scaled = wide.sub(self.black).div_((self.white - self.black) / 2).sub_(1)
        return (scaled.clamp_(-1, 1) if self.cuts else scaled).float()

    def in_eight_bits(self, pixels: Tensor) -> Tensor:
        """Return pixels of any type rounded to 0..255, uint8; uint8 in 0..255 stays itself."""
        if pixels.dtype == torch.uint8 and self == EIGHT_BITS:
            return pixels
        return self.scaled(pixels).add_(1).mul_(127.5).round_().to(torch.uint8)


EIGHT_BITS = Window()


@dataclass(frozen=True)
class PixelType:
    """The type of an image's values, by the tags of its file.

    Attributes:
        name: One of ``PIXEL_TYPES``.
        black: The least value that there can be; of floats 0, which is expected.
        white: The largest: of 12 bits 4095, also where they are kept in 16; of floats 1.
    """

    name: str
    black: float
    white: float

    @classmethod
    def of(cls, name: str, bits: int | None = None) -> PixelType:
        """Return the type of this name, of which as many bits are in use; None: all."""
        if name.startswith("float"):
            return cls(name, 0.0, 1.0)
        bits = bits or int(name.lstrip("uint"))
        if name.startswith("u"):
            return cls(name, 0.0, 2.0**bits - 1)
        return cls(name, -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)

    def __str__(self) -> str:
        return (
            self.name if self.is_float else f"{self.name} in {self.black:.10g}..{self.white:.10g}"
        )

    @property
    def is_float(self) -> bool:
        """Whether values are floating point."""
        return self.name.startswith("float")

    @property
    def is_signed(self) -> bool:
        """Whether values are whole numbers that may be negative."""
        return self.name.startswith("int")

    @property
    def dtype(self) -> torch.dtype:
        """The type of tensors of these values."""
        found: torch.dtype = getattr(torch, self.name)
        return found

    def window(self, black: float | None = None, white: float | None = None) -> Window:
        """Return the window of values of this type: the one asked for, else all that can be."""
        return Window(
            self.black if black is None else float(black),
            self.white if white is None else float(white),
        )


def check_window(black: float | None, white: float | None, type_: PixelType) -> None:
    """Check what a user says of black and white.

    Raises:
        InputError: They are no numbers, or not in this order, or one is missing.
    """
    for name, value in (("black", black), ("white", white)):
        if value is not None and not math.isfinite(value):
            raise InputError(f"{name} must be a finite number or null, got {value}")
    if type_.is_signed and (black is None) != (white is None):
        missing = "black" if black is None else "white"
        raise InputError(
            f"pixels are signed ({type_}), of which black and white are given together: set "
            f"{missing}, too"
        )
    chosen = type_.window(black, white)
    if chosen.black >= chosen.white:
        raise InputError(
            f"black must be below white, got {chosen.black:.10g} and {chosen.white:.10g}"
        )


def check_floats(pixels: Tensor, where: str, *, any_range: bool) -> None:
    """Check floating point pixels, of which 0 is black and 1 white unless a window says otherwise.

    Args:
        pixels: The pixels.
        where: The file that they are from.
        any_range: Whether there is a window.

    Raises:
        InputError: They are not finite, or out of 0..1 without a window.
    """
    low, high = pixels.min().item(), pixels.max().item()
    if not (math.isfinite(low) and math.isfinite(high)):
        raise InputError(f"{where} has pixels that are NaN or infinite: repair or remove it")
    if not any_range and (low < -1e-3 or high > 1 + 1e-3):
        raise InputError(
            f"{where} has floating point pixels from {low:.4g} to {high:.4g}, not in 0..1: set "
            "black and set white to the values that are to be these two"
        )


def looks_dark(low: float, high: float, type_: PixelType) -> str | None:
    """Return what is not certain about pixels that are served without a window, or None.

    Args:
        low: The least value.
        high: The largest value.
        type_: Their type.
    """
    reach = high - (low if type_.is_signed else type_.black)
    if type_.name == "uint8" or reach > (type_.white - type_.black) / 2:
        return None
    return (
        f"go from {low:.6g} to {high:.6g} ({type_.name}), and {type_.black:.10g} is black, "
        f"{type_.white:.10g} white: where that is too dark or too flat, set black and white, such "
        f"as {low if type_.is_signed else type_.black:.6g} and {high:.6g}"
    )
