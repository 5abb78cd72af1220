"""Adaptive discriminator augmentation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from lightning_gan.augments.base import AdaptiveAugment, ImageAugment
from lightning_gan.errors import InputError
from lightning_gan.layers.warping import warp

Transformation = Literal[
    "x_flip",
    "rotate_90",
    "x_int",
    "scale",
    "rotate",
    "aniso",
    "x_frac",
    "brightness",
    "contrast",
    "luma_flip",
    "hue",
    "saturation",
    "noise",
    "cutout",
]
BLIT = ("x_flip", "rotate_90", "x_int")
GEOMETRY = ("scale", "rotate", "aniso", "x_frac")
COLOR = ("brightness", "contrast", "luma_flip", "hue", "saturation")
PIPELINES: dict[str, tuple[str, ...]] = {
    "b": BLIT,
    "bg": BLIT + GEOMETRY,
    "bgc": BLIT + GEOMETRY + COLOR,
}


class ADAAugment(ImageAugment, AdaptiveAugment):
    r"""Random transformations, each with a probability that adapts (ADA, Karras et al. 2020).

    Each transformation of each image is applied with probability p by itself, in this order, with
    numbers drawn anew:

    - blit ("b"): ``x_flip``, mirrored with probability 1/2; ``rotate_90``, by 0, 90, 180 or 270
      degrees (0 or 180 where an image is not square); ``x_int``, a shift by whole pixels,
      U(-1/8, 1/8) of each side.
    - geometry ("g"): ``scale`` by :math:`2^{N(0, 0.2^2)}`; ``rotate`` by any angle; ``aniso``, the
      width by :math:`s = 2^{N(0, 0.2^2)}` and the height by 1/s; ``x_frac``, a shift of
      N(0, (1/8)^2) of each side. Rotation is tried before and after ``aniso``, each time with
      probability :math:`1 - \sqrt{1 - p}`.
    - colour ("c"): ``brightness``, + N(0, 0.2^2) in images of [-1, 1]; ``contrast``, times
      :math:`2^{N(0, 0.5^2)}`; ``luma_flip``, the mean of a pixel's channels negated with
      probability 1/2; ``hue``, by any angle around the grey axis; ``saturation``, the distance of
      channels from their mean times :math:`2^{N(0, 1)}`.
    - in no pipeline, but by name: ``noise``, of standard deviation :math:`|N(0, 0.1^2)|`;
      ``cutout``, a rectangle of half of each side that turns grey.

    The paper's pipeline (appendix B) with these differences: images are resampled bilinearly,
    without its filters against aliasing; edges are mirrored; there is no filtering of frequency
    bands. Any number of channels: the grey axis is the mean of the channels, hue needs 3 of them
    and is left out otherwise, and saturation changes nothing with one.

    p follows :math:`r_t`, the mean sign of D's logits on real samples (section 3). While p stays
    below .8 the generator does not learn the transformations (section 2.2: "non-leaking"); what no
    image may be shown as at all, such as a mirrored digit, is better left out by name. With a
    relativistic loss, whose logits have no zero, set ``target`` to null, and let a schedule move
    ``augment.p``.

    Args:
        pipeline: "b", "bg" or "bgc", the paper's names; or a list of transformations.
        p: The probability at first, in [0, 1]; the constant one where ``target`` is None.
        target: Where :math:`r_t` is to be, in [-1, 1]; None leaves p as it is.
        kimg: Thousands of images in which p can go from 0 to 1, above 0.
        interval: Batches between two adjustments of p, at least 1.
        sample_range: Range of the images, "symmetric" for [-1, 1], "unit" for [0, 1] or (low,
            high), high above low. None: what generator or data declare, else [-1, 1].

    Raises:
        InputError: A transformation is unknown, a number is out of its range, ``sample_range`` is
            no range, or samples are no images.
    """

    def __init__(
        self,
        pipeline: Literal["b", "bg", "bgc"] | Sequence[Transformation] = "bgc",
        p: float = 0.0,
        target: float | None = 0.6,
        kimg: float = 500.0,
        interval: int = 4,
        sample_range: Literal["symmetric", "unit", "free"] | list[float] | None = None,
    ) -> None:
        super().__init__(sample_range)
        self.control(p, target, kimg, interval)
        names = PIPELINES.get(pipeline, pipeline) if isinstance(pipeline, str) else tuple(pipeline)
        unknown = [names] if isinstance(names, str) else set(names) - set(get_args(Transformation))
        if unknown:
            raise InputError(
                "pipeline must be 'b', 'bg', 'bgc' or a list of "
                f"{', '.join(get_args(Transformation))}, got {sorted(unknown)[0]!r}"
            )
        self.transformations = frozenset(names)

    def forward(self, x: Tensor) -> Tensor:
        """Augment images, shape (N, C, H, W).

        Raises:
            InputError: They are no images.
        """
        self.check(x)
        if self.p == 0:
            return x
        on = self.transformations
        if on & {*BLIT, *GEOMETRY}:
            x = warp(x, self._inverse(x))
        if on & {*COLOR}:
            x = self._colored(x)
        if "noise" in on:
            std = torch.where(self._chosen(x), self._normal(x).abs() * (0.1 * self.radius), 0.0)
            x = x + _each(std, x) * torch.randn_like(x)
        if "cutout" in on:
            x = self._cut(x)
        return x

    def _inverse(self, x: Tensor) -> Tensor:
        """Return the map from places of the output to places of the input, shape (N, 2, 3)."""
        on, (height, width) = self.transformations, x.shape[-2:]
        inverse = torch.eye(2, 3, device=x.device, dtype=_wide(x)).expand(len(x), 2, 3)
        zero = torch.zeros(len(x), device=x.device, dtype=_wide(x))
        if "x_flip" in on:
            flips = torch.where(self._chosen(x), self._whole(x, 2), zero)
            inverse = _scaled(inverse, 1 - 2 * flips, zero + 1)
        if "rotate_90" in on:
            turns = self._whole(x, 4) if height == width else 2 * self._whole(x, 2)
            turns = torch.where(self._chosen(x), turns, zero)
            # Whole numbers, so that pixels fall on pixels.
            cos = (turns == 0).to(zero) - (turns == 2).to(zero)
            sin = (turns == 1).to(zero) - (turns == 3).to(zero)
            inverse = _rotated(inverse, cos, sin)
        if "x_int" in on:
            chosen = self._chosen(x)
            by = [(self._uniform(x) * size / 8).round() for size in (width, height)]
            inverse = _shifted(inverse, *(torch.where(chosen, each, zero) for each in by))
        if "scale" in on:
            scale = torch.where(self._chosen(x), (0.2 * self._normal(x)).exp2(), 1.0)
            inverse = _scaled(inverse, scale, scale)
        once = 1 - math.sqrt(1 - self.p)  # of two tries, so that one is made with probability p
        if "rotate" in on:
            inverse = _rotated(inverse, *self._turning(x, once))
        if "aniso" in on:
            scale = torch.where(self._chosen(x), (0.2 * self._normal(x)).exp2(), 1.0)
            inverse = _scaled(inverse, scale, 1 / scale)
        if "rotate" in on:
            inverse = _rotated(inverse, *self._turning(x, once))
        if "x_frac" in on:
            chosen = self._chosen(x)
            by = [self._normal(x) * size / 8 for size in (width, height)]
            inverse = _shifted(inverse, *(torch.where(chosen, each, zero) for each in by))
        return inverse

    def _turning(self, x: Tensor, p: float) -> tuple[Tensor, Tensor]:
        angle = torch.where(self._chosen(x, p), math.pi * self._uniform(x), 0.0)
        return angle.cos(), angle.sin()

    def _colored(self, x: Tensor) -> Tensor:
        r"""Return images of other colours.

        With m the mean of a pixel's channels and d the distance of each from it, all of these keep
        m and d apart: brightness b, contrast c and luma flip f of +1 or -1 give f c (m + b);
        contrast, hue and saturation s give c s times the rotated d. A rotation by an angle around
        the grey axis v = (1, 1, 1) / sqrt(3) takes d to cos d + sin v x d.
        """
        on, colors = self.transformations, x.shape[1] == 3
        one = torch.ones(len(x), device=x.device, dtype=_wide(x))
        brightness, contrast, saturation, flip, angle = 0 * one, one, one, one, 0 * one
        if "brightness" in on:
            brightness = torch.where(self._chosen(x), 0.2 * self._normal(x), brightness)
        if "contrast" in on:
            contrast = torch.where(self._chosen(x), (0.5 * self._normal(x)).exp2(), one)
        if "luma_flip" in on:
            flip = torch.where(self._chosen(x), 1 - 2 * self._whole(x, 2), one)
        if "hue" in on and colors:
            angle = torch.where(self._chosen(x), math.pi * self._uniform(x), angle)
        if "saturation" in on:
            saturation = torch.where(self._chosen(x), self._normal(x).exp2(), one)
        of_mean, of_distance = flip * contrast, contrast * saturation
        straight = of_distance * angle.cos()
        added = of_mean * brightness * self.radius + self.middle * (1 - of_mean)
        mean = x.mean(1, keepdim=True)
        # x and not its distance from the mean, so that nothing at all is nothing to the last bit.
        colored = x * _each(straight, x) + mean * _each(of_mean - straight, x) + _each(added, x)
        if "hue" in on and colors:
            across = x.roll(1, 1) - x.roll(-1, 1)  # sqrt(3) v x d
            colored = colored + across * _each(of_distance * angle.sin() / math.sqrt(3), x)
        return colored

    def _cut(self, x: Tensor) -> Tensor:
        inside = self._chosen(x)[:, None, None]
        for size, form in zip(x.shape[2:], ((-1, 1), (1, -1)), strict=True):
            middle = torch.rand(len(x), 1, device=x.device, dtype=_wide(x))
            places = (torch.arange(size, device=x.device, dtype=_wide(x)) + 0.5) / size
            inside = inside & ((places - middle).abs() < 0.25).view(len(x), *form)
        return x.masked_fill(inside[:, None], self.middle)

    def _chosen(self, x: Tensor, p: float | None = None) -> Tensor:
        """Return for which images a transformation is applied, shape (N,)."""
        return torch.rand(len(x), device=x.device) < (self.p if p is None else p)

    def _normal(self, x: Tensor) -> Tensor:
        return torch.randn(len(x), device=x.device, dtype=_wide(x))

    def _uniform(self, x: Tensor) -> Tensor:
        """Return numbers from U(-1, 1), shape (N,)."""
        return 2 * torch.rand(len(x), device=x.device, dtype=_wide(x)) - 1

    def _whole(self, x: Tensor, n: int) -> Tensor:
        """Return whole numbers below n, shape (N,)."""
        return torch.randint(n, (len(x),), device=x.device).to(_wide(x))


def _wide(x: Tensor) -> torch.dtype:
    """Return the type in which places and factors are computed."""
    return torch.promote_types(x.dtype, torch.float32)


def _each(numbers: Tensor, x: Tensor) -> Tensor:
    """Return numbers of N images so that they broadcast over them."""
    return numbers.to(x.dtype).view(-1, 1, 1, 1)


# Maps of places, (N, 2, 3), with one more before them: in elementwise products, since autocast
# would round those of matrices.


def _scaled(first: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Return maps after the inverse of a scaling."""
    factors = torch.stack([1 / columns, 1 / rows, torch.ones_like(rows)], -1)
    return first * factors[:, None]


def _rotated(first: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Return maps after the inverse of a rotation from the columns' axis to the rows'."""
    column, row, constant = first.unbind(2)  # (N, 2)
    cos, sin = cos[:, None], sin[:, None]
    return torch.stack([column * cos - row * sin, column * sin + row * cos, constant], 2)


def _shifted(first: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Return maps after the inverse of a shift to the right and down."""
    column, row, constant = first.unbind(2)
    moved = constant - (column * columns[:, None] + row * rows[:, None])
    return torch.stack([column, row, moved], 2)
