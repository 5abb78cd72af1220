"""How good large images are, beside plain interpolation, on held-out pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from lightning_gan import InputError
from lightning_gan.callbacks import PairedMetrics
from lightning_gan_superresolution.degrading import bicubic
from lightning_gan_superresolution.features import (
    SCORE,
    FeatureNetwork,
    check_comparable,
    feature_distance,
)

Score = Callable[[Tensor, Tensor], Tensor]
WINDOW = 11  # pixels on a side of structural similarity
LEAST = 1e-10  # squared error over that of black for white: a PSNR of 100 dB at most


class SuperResolutionMetrics(PairedMetrics):
    """Log how near and how sharp large images are, and bicubic interpolation beside them.

    In validation and test, over all held-out pairs, as ``val/<name>`` and, of the small images
    interpolated, as ``val/bicubic_<name>``:

    ``psnr``: peak signal-to-noise ratio of each image, in dB; larger is nearer.

    ``ssim``: structural similarity (Wang et al. 2004); larger is nearer.

    ``perceptual``: distance in the features of a network that tells classes, as LPIPS, see
    :func:`~lightning_gan_superresolution.features.feature_distance`; smaller is nearer. No term of
    the objective sees this network.

    ``sharpness``: mean absolute difference of neighboring pixels as a share of the real image's; 1
    is as sharp as real.

    Images are cut to [-1, 1], as files are.

    Args:
        features_file: Weights of another network of features, ``.safetensors``; None: those that
            come with the package.
        ssim: Measure ``ssim``; False for images of less than 11 pixels a side, its window.

    Raises:
        InputError: The file is missing or holds something else; while measuring, samples are no
            images of 1 or 3 channels, or too small, or conditions no smaller ones.
    """

    def __init__(self, features_file: str | None = None, ssim: bool = True) -> None:
        self._network = FeatureNetwork(SCORE if features_file is None else features_file)
        self._network.requires_grad_(False)
        scores: dict[str, Score] = {
            "psnr": psnr,
            **({"ssim": structural_similarity} if ssim else {}),
            "perceptual": self._perceptual,
            "sharpness": sharpness,
        }
        learned = {name: _of_made(score) for name, score in scores.items()}
        plain = {f"bicubic_{name}": _of_bicubic(score) for name, score in scores.items()}
        super().__init__({**learned, **plain})

    def _perceptual(self, made: Tensor, real: Tensor) -> Tensor:
        check_comparable("SuperResolutionMetrics", real)
        return feature_distance(self._network.to(made.device), made, real)


def psnr(made: Tensor, real: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of images in [-1, 1], in dB, shape (N,)."""
    error = (made - real).square().flatten(1).mean(1) / 4
    return -10 * error.clamp_min(LEAST).log10()


def structural_similarity(made: Tensor, real: Tensor) -> Tensor:
    """Return the structural similarity of images in [-1, 1], shape (N,).

    Raises:
        InputError: They are smaller than its window.
    """
    if min(real.shape[2:]) < WINDOW:
        raise InputError(
            f"ssim compares images of {WINDOW} or more pixels a side, got {tuple(real.shape)}: "
            "leave it out with ssim=False"
        )
    found = structural_similarity_index_measure(  # of values from 0 on
        made + 1, real + 1, data_range=2.0, reduction="none"
    )
    assert isinstance(found, Tensor)
    return found.reshape(len(made))


def sharpness(made: Tensor, real: Tensor) -> Tensor:
    """Return the mean step between neighboring pixels as a share of the real ones', shape (N,)."""
    return _steps(made) / _steps(real).clamp_min(1e-6)


def _steps(images: Tensor) -> Tensor:
    across, down = images.diff(dim=3).abs(), images.diff(dim=2).abs()
    return across.flatten(1).mean(1) + down.flatten(1).mean(1)


def _of_made(score: Score) -> Callable[..., Tensor]:
    def measured(fake: Tensor, real: Tensor, y: Any) -> Tensor:
        return score(fake.clamp(-1, 1), real)

    return measured


def _of_bicubic(score: Score) -> Callable[..., Tensor]:
    def measured(fake: Tensor, real: Tensor, y: Any) -> Tensor:
        if not isinstance(y, Tensor) or y.dim() != 4 or real.shape[-1] % y.shape[-1]:
            got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
            raise InputError(
                "SuperResolutionMetrics compares with small images interpolated, conditions of "
                f"shape (N, C, h, w), got {got}: let the data yield (large, small)"
            )
        return score(bicubic(y.float(), real.shape[-1] // y.shape[-1]), real)

    return measured
