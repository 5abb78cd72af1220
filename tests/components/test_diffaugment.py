"""DiffAugment against pixels changed by hand."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from lightning_gan import InputError, create_augment
from lightning_gan.augments.diffaugment import DiffAugment

X = torch.arange(32.0, dtype=torch.float64).view(1, 2, 4, 4) / 16 - 1


def drawn(monkeypatch, name, *values):
    """Let a function of torch return these numbers, one call after the other."""
    waiting = iter(values)

    def draw(*size, **options):
        shape = next((each for each in size if isinstance(each, tuple)), size)
        found = torch.as_tensor(next(waiting), **{"dtype": options.get("dtype")})
        return found.expand(shape) if found.dim() == 0 else found.reshape(shape)

    monkeypatch.setattr(torch, name, draw)


def test_colour(monkeypatch):
    drawn(monkeypatch, "rand", [0.9, 0.25, 0.75])  # + .4, half the saturation, 1.25 the contrast
    x = X.numpy() + 0.4
    gray = x.mean(1, keepdims=True)
    x = gray + 0.5 * (x - gray)
    x = x.mean() + 1.25 * (x - x.mean())
    found = DiffAugment(["color"])(X)
    torch.testing.assert_close(found, torch.from_numpy(np.ascontiguousarray(x)))


def test_brightness_is_in_proportion_to_the_range(monkeypatch):
    drawn(monkeypatch, "rand", [0.75, 0.5, 0.5])  # + .25, and nothing else
    found = DiffAugment(["color"], sample_range=[0.0, 50.0])(X)
    torch.testing.assert_close(found, X + 0.25 * 25)


def test_translation(monkeypatch):
    drawn(monkeypatch, "randint", 1, -2)  # right, up
    found = DiffAugment(["translation"], translation=0.5, sample_range="unit")(X)
    expected = torch.full_like(X, 0.5)
    expected[:, :, :2, 1:] = X[:, :, 2:, :3]
    assert torch.equal(found, expected)


def test_translation_goes_an_eighth_both_ways():
    torch.manual_seed(0)
    x = torch.ones(400, 1, 1, 16)
    moved = DiffAugment(["translation"])(x)
    left, right = moved[:, 0, 0, :3].sum(1), moved[:, 0, 0, -3:].sum(1)
    assert (left.min(), right.min()) == (1, 1)  # by two at most, of sixteen
    assert set(left.tolist()) == set(right.tolist()) == {1.0, 2.0, 3.0}


def test_cutout(monkeypatch):
    drawn(monkeypatch, "randint", 0, 3)  # the middle at the upper border, and at column 3
    expected = X.clone()
    expected[:, :, :1, 2:] = 0.0
    assert torch.equal(DiffAugment(["cutout"])(X), expected)


def test_each_sample_for_itself_and_one_channel():
    torch.manual_seed(0)
    x = torch.rand(1, 1, 8, 8).repeat(64, 1, 1, 1)
    for name in ("color", "translation", "cutout"):
        assert len(DiffAugment([name])(x).unique(dim=0)) > 5, name
    gray = torch.full((1, 1, 4, 4), 0.25)
    assert DiffAugment(["color"])(gray).unique().numel() == 1
    assert DiffAugment([])(x) is x


def test_two_derivatives():
    augment = DiffAugment(translation=0.5)

    def cubed(x):
        torch.manual_seed(1)
        return augment(x) ** 3

    x = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(cubed, x)
    assert gradgradcheck(cubed, x)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"policy": ["hue"]}, "policy must be a list of 'color', 'translation' and 'cutout', got"),
        ({"policy": "color"}, "policy must be a list of .* got 'color'"),
        ({"translation": 2.0}, r"translation must lie in \[0, 1\], got 2.0"),
        ({"cutout": -0.1}, r"cutout must lie in \[0, 1\], got -0.1"),
    ],
)
def test_bad_arguments(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        create_augment("diffaugment", **arguments)


def test_samples_that_are_no_images():
    with pytest.raises(InputError, match=r"DiffAugment augments images \(N, C, H, W\), got"):
        DiffAugment()(torch.randn(2, 7))
