"""Doubling, halving and blurring of maps against SciPy, and the sizes of stages."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d, upfirdn
from torch.nn.functional import interpolate

from lightning_gan.errors import InputError
from lightning_gan.layers.resampling import Blur, Downsample, Upsample
from lightning_gan.layers.stages import per_stage, stage_sizes

TAPS = [(1, 3, 3, 1), (1, 1), (1, 5, 10, 10, 5, 1)]


def along_both(function, x):
    """Apply a function of one axis to the last two."""
    return np.apply_along_axis(function, 3, np.apply_along_axis(function, 2, x))


@pytest.mark.parametrize("taps", TAPS, ids=str)
def test_upsampling_is_that_of_scipy(taps):
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    line, margin = 2 * np.array(taps) / sum(taps), len(taps) // 2 - 1

    def double(values):
        return upfirdn(line, values, up=2)[margin : margin + 2 * len(values)]

    y = Upsample(taps).double()(x)
    np.testing.assert_allclose(y, along_both(double, x.numpy()), atol=1e-12)


@pytest.mark.parametrize("taps", TAPS, ids=str)
def test_downsampling_is_that_of_scipy(taps):
    x = torch.randn(2, 3, 6, 4, dtype=torch.float64)
    line = np.array(taps) / sum(taps)

    def halve(values):
        return upfirdn(line, values, down=1)[len(taps) // 2 :][: len(values) : 2]

    y = Downsample(taps).double()(x)
    np.testing.assert_allclose(y, along_both(halve, x.numpy()), atol=1e-12)


def test_upsampling_is_bilinear_inside():
    x = torch.randn(1, 2, 4, 5)
    inside = (..., slice(1, -1), slice(1, -1))
    bilinear = interpolate(x, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(Upsample()(x)[inside], bilinear[inside])


def test_resampling_keeps_a_constant_inside():
    x = torch.full((1, 1, 8, 8), 3.0)
    torch.testing.assert_close(Upsample()(x)[..., 1:-1, 1:-1], torch.full((1, 1, 14, 14), 3.0))
    torch.testing.assert_close(Downsample()(x)[..., 1:-1, 1:-1], torch.full((1, 1, 2, 2), 3.0))


def test_blur():
    x = torch.randn(1, 1, 5, 6, dtype=torch.float64)
    line = np.array([1, 3, 3, 1]) / 8
    padded = np.pad(x[0, 0].numpy(), 2)
    expected = 4 * correlate2d(padded, np.outer(line, line), mode="valid")
    y = Blur(padding=2, gain=4.0).double()(x)
    assert y.shape == (1, 1, 6, 7)
    np.testing.assert_allclose(y[0, 0], expected, atol=1e-12)


@pytest.mark.parametrize("taps", [(1, 2, 1), (1,), (), (1, -1)])
def test_taps_that_cannot_be(taps):
    with pytest.raises(InputError, match="taps must be an even number of weights of a sum other"):
        Upsample(taps)


@pytest.mark.parametrize(
    ("shape", "stages", "sizes"),
    [
        ((1, 8, 8), None, [(4, 4), (8, 8)]),
        ((3, 4, 4), None, [(4, 4)]),
        ((3, 8, 32), None, [(4, 16), (8, 32)]),
        ((1, 28, 28), 2, [(14, 14), (28, 28)]),
        ((1, 6, 10), 1, [(6, 10)]),
        ((1, 8, 8), 4, [(1, 1), (2, 2), (4, 4), (8, 8)]),
    ],
)
def test_sizes_of_stages(shape, stages, sizes):
    assert stage_sizes(shape, stages) == sizes


def test_sizes_that_do_not_fit():
    with pytest.raises(InputError, match=r"multiples of 8 for 4 stages, got \(1, 28, 28\)"):
        stage_sizes((1, 28, 28), 4)
    with pytest.raises(InputError, match=r"multiples of 4, got \(1, 30, 30\)"):
        stage_sizes((1, 30, 30))


def test_numbers_of_stages():
    assert per_stage([3, 1], 2, "widths") == [3, 1]
    with pytest.raises(InputError, match=r"blocks must be a number or 3, one for each stage, got"):
        per_stage([1, 2], 3, "blocks")
    with pytest.raises(InputError, match=r"widths must be at least 1 in every stage, got \[0, 0\]"):
        per_stage(0, 2, "widths")
