"""Small images made of large ones, and the plain way back."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn.functional import interpolate

from lightning_gan import InputError

Kernel = Literal["bicubic", "area"]
SCALES = (2, 4)


def check_scale(scale: int) -> None:
    """Refuse a factor that there is no layout of the generator for.

    Raises:
        InputError: It is neither 2 nor 4.
    """
    if scale not in SCALES:
        raise InputError(f"scale must be 2 or 4, got {scale!r}")


def check_degrading(scale: int, kernel: str) -> None:
    """Refuse what :func:`downsample` cannot do.

    Raises:
        InputError: ``scale`` is neither 2 nor 4, or ``kernel`` neither "bicubic" nor "area".
    """
    check_scale(scale)
    if kernel not in ("bicubic", "area"):
        raise InputError(f"kernel must be 'bicubic' or 'area', got {kernel!r}")


def downsample(images: Tensor, scale: int, kernel: Kernel = "bicubic") -> Tensor:
    """Return images with sides shorter by a factor.

    Args:
        images: In [-1, 1], shape (N, C, H, W), H and W multiples of ``scale``.
        scale: The factor, 2 or 4.
        kernel: "bicubic": with antialiasing, as Pillow resizes, cut to [-1, 1]; "area": the mean of
            each square of ``scale`` pixels.

    Returns:
        Images in [-1, 1], shape (N, C, H / scale, W / scale).

    Raises:
        InputError: The sides are no multiples, or an argument is none of these.
    """
    check_degrading(scale, kernel)
    height, width = images.shape[2:]
    if height % scale or width % scale:
        raise InputError(
            f"images to be made {scale} times smaller need sides that are multiples of {scale}, "
            f"got {height}x{width}"
        )
    size = (height // scale, width // scale)
    if kernel == "area":
        return interpolate(images, size, mode="area")
    return interpolate(images, size, mode="bicubic", antialias=True).clamp(-1, 1)


def bicubic(images: Tensor, scale: int) -> Tensor:
    """Return images with sides longer by a factor, interpolated: what there is without learning.

    Args:
        images: In [-1, 1], shape (N, C, H, W).
        scale: The factor.
    """
    return interpolate(images, scale_factor=scale, mode="bicubic", antialias=True).clamp(-1, 1)
