"""SSIM and MS-SSIM against loops in NumPy and against torchmetrics."""

from functools import partial

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure
from updates import update

from lightning_gan.errors import InputError
from lightning_gan.regularizers.ms_ssim import MSSSIMRegularizer
from lightning_gan.regularizers.ssim import SSIMRegularizer
from lightning_gan.types import Player


def images(side=16, channels=2, n=3):
    source = torch.Generator().manual_seed(side)
    real = torch.rand(n, channels, side, side, generator=source) * 2 - 1
    noise = torch.randn(n, channels, side, side, generator=source)
    noise *= torch.tensor([0.1, 0.5, 2.0])[:n, None, None, None]
    return real, (real + noise).clamp(-1, 1)


def term(regularizer, real, fake, **options):
    return regularizer.generator(update(Player.GENERATOR, real, fake, **options))


def by_loops(x, y, window=11, sigma=1.5):
    """Equation 13 of Wang et al. 2004 at each place, of an image in [0, 255] without channels."""
    places = np.arange(window) - window // 2
    weights = np.exp(-(places[:, None] ** 2 + places**2) / (2 * sigma**2))
    weights /= weights.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for i in range(len(x) - window + 1):
        for j in range(len(x) - window + 1):
            a, b = (side[i : i + window, j : j + window] for side in (x, y))
            mu_a, mu_b = (weights * a).sum(), (weights * b).sum()
            var_a, var_b = (weights * (a - mu_a) ** 2).sum(), (weights * (b - mu_b) ** 2).sum()
            both = (weights * (a - mu_a) * (b - mu_b)).sum()
            top = (2 * mu_a * mu_b + c1) * (2 * both + c2)
            values.append(top / ((mu_a**2 + mu_b**2 + c1) * (var_a + var_b + c2)))
    return np.mean(values)


def test_ssim_against_loops():
    real, fake = images()
    found = term(SSIMRegularizer(), real, fake)
    expected = [
        1 - np.mean([by_loops(x, y) for x, y in zip(*pair, strict=True)])
        for pair in zip(*(127.5 * (s.double().numpy() + 1) for s in (real, fake)), strict=True)
    ]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("declared", "own", "low", "high"),
    [(None, None, -1, 1), ("unit", None, 0, 1), ("unit", (0.0, 3.0), 0, 3), ((4, 9), None, 4, 9)],
)
def test_ssim_is_that_of_torchmetrics_for_the_same_images_in_any_range(declared, own, low, high):
    """Theirs fills the border by reflection, and takes the window's side from sigma: 9 at 1."""
    real, fake = (0.5 * (each + 1) for each in images(24))
    _, places = structural_similarity_index_measure(
        fake, real, sigma=1.0, data_range=1.0, reduction=None, return_full_image=True
    )
    expected = 1 - places[..., 4:-4, 4:-4].mean((1, 2, 3))
    regularizer = SSIMRegularizer(window=9, sigma=1.0, sample_range=own)
    real, fake = (low + (high - low) * each for each in (real, fake))
    found = term(regularizer, real, fake, sample_range=declared)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_ms_ssim_against_torchmetrics_scale_by_scale():
    real, fake = images(48)
    expected, betas = torch.ones(3), (0.2, 0.3, 0.5)
    for scale, beta in enumerate(betas):
        x, y = (torch.nn.functional.avg_pool2d(each, 2**scale) for each in (fake, real))
        measure = partial(
            structural_similarity_index_measure, x + 1, y + 1, data_range=2.0, reduction=None
        )
        _, contrast = measure(return_contrast_sensitivity=True)
        _, places = measure(return_full_image=True)
        whole = places[..., 5:-5, 5:-5].mean((1, 2, 3))
        expected = expected * (whole if scale == 2 else contrast).clamp(min=1e-4) ** beta
    found = term(MSSSIMRegularizer(weights=betas), real, fake)
    torch.testing.assert_close(found, 1 - expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("make", [SSIMRegularizer, lambda: MSSSIMRegularizer(weights=[0.4, 0.6])])
def test_what_is_equal_costs_nothing_and_noise_is_driven_there(make):
    real, _ = images(24, n=1)
    assert term(make(), real, real.clone()).abs().max() < 1e-5
    fake = torch.zeros_like(real).requires_grad_()
    optimizer = torch.optim.Adam([fake], lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        loss = term(make(), real, fake).mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    correlation = np.corrcoef(real.flatten().numpy(), fake.detach().flatten().numpy())[0, 1]
    assert correlation > 0.9


def test_opposite_images_have_finite_gradients():
    """Their structure is -1, of which no root can be taken."""
    real, _ = images(24)
    fake = (-real).requires_grad_()
    loss = term(MSSSIMRegularizer(weights=[0.4, 0.6]), real, fake)
    assert (loss > 0.95).all()
    loss.sum().backward()
    assert fake.grad.isfinite().all()


def test_autocast_is_left():
    real, fake = images()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = term(SSIMRegularizer(), real, fake)
    assert torch.equal(found, term(SSIMRegularizer(), real, fake))


@pytest.mark.parametrize("kind", [SSIMRegularizer, MSSSIMRegularizer])
def test_errors(kind):
    with pytest.raises(InputError, match="window must be an odd number from 1, got 4"):
        kind(window=4)
    with pytest.raises(InputError, match="sigma must be positive, got 0"):
        kind(sigma=0)
    with pytest.raises(InputError, match="sample_range must be 'symmetric'"):
        kind(sample_range="wide")
    smallest = {SSIMRegularizer: 11, MSSSIMRegularizer: 176}[kind]
    with pytest.raises(InputError, match=rf"with {smallest} or more pixels on a side, got \(3, 2,"):
        term(kind(), *images(10))
    with pytest.raises(InputError, match=r"takes images of shape \(N, C, H, W\) with .* got \(2,"):
        term(kind(), torch.zeros(2, 20), torch.zeros(2, 20))


@pytest.mark.parametrize("weights", [[], [1.0, 0.0], [float("nan")]])
def test_wrong_weights(weights):
    with pytest.raises(InputError, match="weights must be positive numbers, one a scale, got"):
        MSSSIMRegularizer(weights=weights)
