"""Scores of pairs, by hand and beside torchmetrics."""

import pytest
import torch
from lightning_gan_superresolution import SuperResolutionMetrics, downsample
from lightning_gan_superresolution.metrics import psnr, sharpness, structural_similarity
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure

from lightning_gan import InputError


def test_psnr_and_ssim_are_torchmetrics():
    made, real = torch.rand(2, 3, 3, 16, 16) * 2 - 1
    theirs = PeakSignalNoiseRatio(data_range=2.0, reduction="none", dim=(1, 2, 3))(made, real)
    assert torch.allclose(psnr(made, real), theirs, atol=1e-4)
    theirs = StructuralSimilarityIndexMeasure(data_range=1.0, reduction="none")(
        made / 2 + 0.5, real / 2 + 0.5
    )
    assert torch.allclose(structural_similarity(made, real), theirs, atol=1e-5)
    assert torch.allclose(psnr(real, real), torch.full((3,), 100.0))


def test_sharpness_is_the_share_of_steps():
    real = torch.zeros(1, 1, 4, 4)
    real[..., 2:] = 1  # three steps across in a row, one of them of 1
    assert torch.allclose(sharpness(real * 0.25, real), torch.tensor([0.25]))
    assert torch.allclose(sharpness(real, real), torch.ones(1))


class Asked:
    """A module that notes what is logged."""

    device = torch.device("cpu")

    def __init__(self):
        self.logged = {}

    def log(self, name, value, **options):
        self.logged[name] = float(value)


def test_all_scores_with_those_of_plain_interpolation():
    real = torch.rand(4, 3, 16, 16).cumsum(3).div(8).clamp(0, 2) - 1
    module, metrics = Asked(), SuperResolutionMetrics()
    metrics.on_validation_start(None, module)
    outputs = {"real": real, "fake": real * 1.0, "y": downsample(real, 2)}
    metrics.on_validation_batch_end(None, module, outputs, None, 0)
    metrics.on_validation_epoch_end(None, module)
    found = {name.removeprefix("val/"): value for name, value in module.logged.items()}
    names = ("psnr", "ssim", "perceptual", "sharpness")
    assert set(found) == {*names, *(f"bicubic_{name}" for name in names)}
    assert found["psnr"] == pytest.approx(100)
    assert found["ssim"] == pytest.approx(1)
    assert found["perceptual"] == pytest.approx(0)
    assert found["sharpness"] == pytest.approx(1)
    assert found["bicubic_psnr"] < 60
    assert found["bicubic_ssim"] < 1
    assert found["bicubic_perceptual"] > 0
    assert found["bicubic_sharpness"] < 1


@pytest.mark.parametrize(
    ("real", "y", "said"),
    [
        (
            torch.zeros(2, 3, 8, 8),
            torch.zeros(2, 3, 4, 4),
            "11 or more pixels .*: leave it out",
        ),
        (torch.zeros(2, 2, 16, 16), torch.zeros(2, 2, 8, 8), "1 or 3 channels and 4 or more"),
        (torch.zeros(2, 3, 16, 16), torch.zeros(2), r"shape \(N, C, h, w\), got \(2,\)"),
    ],
)
def test_what_cannot_be_compared(real, y, said):
    module, metrics = Asked(), SuperResolutionMetrics()
    metrics.on_validation_start(None, module)
    with pytest.raises(InputError, match=said):
        metrics.on_validation_batch_end(None, module, {"real": real, "fake": real, "y": y}, None, 0)


def test_small_images_without_ssim():
    module, metrics = Asked(), SuperResolutionMetrics(ssim=False)
    real = torch.rand(2, 1, 8, 8) * 2 - 1
    metrics.on_validation_start(None, module)
    outputs = {"real": real, "fake": real, "y": downsample(real, 2)}
    metrics.on_validation_batch_end(None, module, outputs, None, 0)
    metrics.on_validation_epoch_end(None, module)
    assert not any("ssim" in name for name in module.logged)
    assert module.logged["val/psnr"] == pytest.approx(100)
