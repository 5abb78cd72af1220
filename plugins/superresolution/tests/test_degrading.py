"""Small images of large ones."""

import numpy as np
import pytest
import torch
from lightning_gan_superresolution import downsample
from lightning_gan_superresolution.degrading import bicubic
from PIL import Image

from lightning_gan import InputError


def test_bicubic_is_pillows():
    x = torch.rand(1, 1, 16, 8) * 1.6 - 0.8
    for scale in (2, 4):
        size = (8 // scale, 16 // scale)
        image = Image.fromarray(x[0, 0].numpy()).resize(size, Image.Resampling.BICUBIC)
        expected = torch.from_numpy(np.array(image)).clamp(-1, 1)
        assert (downsample(x, scale)[0, 0] - expected).abs().max() < 1e-5


def test_area_is_the_mean_of_squares():
    x = torch.rand(2, 3, 8, 4) * 2 - 1
    expected = x.reshape(2, 3, 2, 4, 1, 4).mean((3, 5))
    assert torch.allclose(downsample(x, 4, "area"), expected, atol=1e-6)


def test_overshoot_is_cut():
    x = torch.full((1, 1, 16, 16), -1.0)
    x[..., 8:] = 1
    assert downsample(x, 2).abs().max() == 1
    assert bicubic(x, 2).abs().max() == 1


def test_wrong_arguments():
    x = torch.zeros(1, 1, 8, 8)
    with pytest.raises(InputError, match="scale must be 2 or 4, got 3"):
        downsample(x, 3)
    with pytest.raises(InputError, match="kernel must be 'bicubic' or 'area', got 'lanczos'"):
        downsample(x, 2, "lanczos")
    with pytest.raises(InputError, match="multiples of 4, got 6x8"):
        downsample(torch.zeros(1, 1, 6, 8), 4)
