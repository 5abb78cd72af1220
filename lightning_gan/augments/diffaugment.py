"""Differentiable augmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from lightning_gan.augments.base import ImageAugment
from lightning_gan.errors import InputError
from lightning_gan.layers.warping import shift

Transformation = Literal["color", "translation", "cutout"]


class DiffAugment(ImageAugment):
    r"""Colour, translation and cutout of all that D sees (DiffAugment, Zhao et al. 2020).

    Every sample is changed, each by numbers of its own, one transformation after the other:

    - "color": brightness, :math:`x + U(-\frac12, \frac12)` in images of [-1, 1]; then saturation,
      the distance of each pixel's channels from their mean times U(0, 2); then contrast, the
      distance of all values from the image's mean times U(1/2, 3/2).
    - "translation": by whole pixels, up to ``translation`` of each side both ways; grey comes in.
    - "cutout": a rectangle of ``cutout`` of each side turns grey. Its middle is anywhere in the
      image, so that part of it may lie outside.

    Grey is the middle of the range, and brightness is in proportion to it. Images may have any
    number of channels: with one, saturation changes nothing. As D and G train on both alike, and
    the changes do not depend on the data, G does not learn them.

    Args:
        policy: Which transformations, in this order.
        translation: Largest shift, as a share of the side, in [0, 1].
        cutout: Sides of the rectangle, as a share of the image's, in [0, 1].
        sample_range: Range of the images, "symmetric" for [-1, 1], "unit" for [0, 1] or (low,
            high), high above low. None: what generator or data declare, else [-1, 1].

    Raises:
        InputError: A transformation is unknown, a share lies outside [0, 1], ``sample_range`` is no
            range, or samples are no images.
    """

    def __init__(
        self,
        policy: Sequence[Transformation] = ("color", "translation", "cutout"),
        translation: float = 0.125,
        cutout: float = 0.5,
        sample_range: Literal["symmetric", "unit", "free"] | list[float] | None = None,
    ) -> None:
        super().__init__(sample_range)
        for name in policy:
            if isinstance(policy, str) or name not in get_args(Transformation):
                raise InputError(
                    "policy must be a list of 'color', 'translation' and 'cutout', got "
                    f"{policy if isinstance(policy, str) else name!r}"
                )
        for name, share in (("translation", translation), ("cutout", cutout)):
            if not 0 <= share <= 1:
                raise InputError(f"{name} must lie in [0, 1], got {share}")
        self.policy = tuple(policy)
        self.translation, self.cutout = float(translation), float(cutout)

    def forward(self, x: Tensor) -> Tensor:
        """Augment images, shape (N, C, H, W).

        Raises:
            InputError: They are no images.
        """
        self.check(x)
        change = {"color": self._color, "translation": self._translation, "cutout": self._cutout}
        for name in self.policy:
            x = change[name](x)
        return x

    def _color(self, x: Tensor) -> Tensor:
        brightness, saturation, contrast = torch.rand(
            3, len(x), 1, 1, 1, device=x.device, dtype=x.dtype
        )
        x = x + (brightness - 0.5) * self.radius
        gray = x.mean(1, keepdim=True)
        x = (x - gray) * (2 * saturation) + gray
        mean = x.mean((1, 2, 3), keepdim=True)
        colored: Tensor = (x - mean) * (contrast + 0.5) + mean
        return colored

    def _translation(self, x: Tensor) -> Tensor:
        by = []
        for size in (x.shape[3], x.shape[2]):
            most = int(size * self.translation + 0.5)
            by.append(torch.randint(-most, most + 1, (len(x),), device=x.device))
        columns, rows = by
        return shift(x, columns, rows, self.middle)

    def _cutout(self, x: Tensor) -> Tensor:
        inside = []
        for size in x.shape[2:]:
            length = int(size * self.cutout + 0.5)
            # From half of it outside on one side to half on the other.
            last = size + 1 - length % 2
            start = torch.randint(last, (len(x), 1), device=x.device) - length // 2
            places = torch.arange(size, device=x.device)
            inside.append((places >= start) & (places < start + length))
        cut = inside[0][:, None, :, None] & inside[1][:, None, None]
        return x.masked_fill(cut, self.middle)
