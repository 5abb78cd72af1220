"""Resampling of images against pixels moved by hand, and its two derivatives."""

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from lightning_gan.layers import warping
from lightning_gan.layers.warping import shift, warp

X = torch.arange(12.0, dtype=torch.float64).view(1, 1, 3, 4)


def inverse(*rows):
    return torch.tensor([rows], dtype=torch.float64)


def test_nothing_is_nothing_to_the_last_bit():
    x = torch.randn(2, 3, 5, 4)
    assert torch.equal(warp(x, torch.eye(3).repeat(2, 1, 1)), x)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (((-1, 0, 0), (0, 1, 0)), X.flip(3)),
        (((1, 0, 0), (0, -1, 0)), X.flip(2)),
        (((1, 0, -1), (0, 1, 0)), X[..., [1, 0, 1, 2]]),  # mirrored at the left
        (((1, 0, 0), (0, 1, 2)), X[:, :, [2, 1, 0]]),  # mirrored at the bottom
        (((1, 0, 6), (0, 1, 0)), X),  # one period of the mirrored line
    ],
)
def test_whole_shifts_and_flips_copy_pixels(rows, expected):
    assert torch.equal(warp(X, inverse(*rows)), expected)


def test_an_image_of_one_pixel_is_that_pixel_everywhere():
    one = torch.full((1, 1, 1, 1), 7.0)
    assert torch.equal(warp(one, inverse((1, 0, 2.5), (0, 1, -0.25)).float()), one)


def test_numbers_of_pixels_that_floats_do_not_hold_are_whole_ones(monkeypatch):
    torch.manual_seed(0)
    x, maps = torch.randn(4, 2, 5, 6), torch.randn(4, 2, 3) * 3
    expected = warp(x, maps)
    monkeypatch.setattr(warping, "HELD", 0)
    assert torch.equal(warp(x, maps), expected)


def test_between_pixels_the_four_around_are_weighed():
    moved = warp(X, inverse((1, 0, 0.25), (0, 1, 0.5)))[0, 0]
    # Down half a row of 4, right a quarter of a column of 1.
    assert moved[0, 0] == pytest.approx(0 + 0.5 * 4 + 0.25 * 1)
    # At the right end the quarter goes back to the column before.
    assert moved[0, 3] == pytest.approx(3 + 0.5 * 4 - 0.25)


def test_a_quarter_turn_of_a_square():
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64)
    c, s = math.cos(math.pi / 2), math.sin(math.pi / 2)
    turned = warp(x, inverse((c, s, 0), (-s, c, 0)))
    torch.testing.assert_close(turned, x.rot90(-1, (2, 3)))


def test_images_of_one_pixel_and_of_half_precision():
    assert torch.equal(warp(X[:, :, :1, :1], inverse((1, 0, 0.3), (0, 1, 7))), X[:, :, :1, :1])
    x = torch.randn(1, 1, 4, 4).bfloat16()
    assert warp(x, torch.eye(3)[None]).dtype is torch.bfloat16


def test_two_derivatives():
    x = torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    a = inverse((0.8, 0.3, 0.4), (-0.2, 1.1, -0.7))
    assert gradcheck(lambda x: warp(x, a) ** 3, x)
    assert gradgradcheck(lambda x: warp(x, a) ** 3, x)


def test_shifts_fill_with_a_value():
    moved = shift(X.repeat(2, 1, 1, 1), torch.tensor([1, -3]), torch.tensor([0, 2]), fill=-1.0)
    assert moved[0, 0].tolist() == [[-1, 0, 1, 2], [-1, 4, 5, 6], [-1, 8, 9, 10]]
    assert moved[1, 0].tolist() == [[-1] * 4, [-1] * 4, [3, -1, -1, -1]]
