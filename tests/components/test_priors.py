"""Moments of the priors, within bounds that follow from the number of draws."""

import math

import pytest
import torch

from lightning_gan.errors import InputError
from lightning_gan.priors.base import Prior
from lightning_gan.priors.codes import CodesPrior
from lightning_gan.priors.normal import NormalPrior
from lightning_gan.priors.uniform import UniformPrior

N, Z = 20_000, 5

# Prior, and the mean, standard deviation and kurtosis of a coordinate.
PRIORS = [
    (Prior(), 0.0, 1.0, 3.0),
    (NormalPrior(), 0.0, 1.0, 3.0),
    (NormalPrior(mean=2.0, std=0.5), 2.0, 0.5, 3.0),
    (UniformPrior(), 0.0, 1 / math.sqrt(3), 1.8),
    (UniformPrior(low=1.0, high=4.0), 2.5, math.sqrt(3) / 2, 1.8),
]


def draw(prior, n=N, latent_dim=Z, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return prior.sample(n, latent_dim, generator=generator, device="cpu")


@pytest.mark.parametrize(("prior", "mean", "std", "kurtosis"), PRIORS)
def test_moments(prior, mean, std, kurtosis):
    z = draw(prior).double()
    # Five standard errors: of the mean std / sqrt(n), of the variance var * sqrt((k - 1) / n).
    assert (z.mean(0) - mean).abs().max() < 5 * std / math.sqrt(N)
    bound = 5 * std**2 * math.sqrt((kurtosis - 1) / N)
    assert (z.var(0) - std**2).abs().max() < bound
    correlation = torch.corrcoef(z.T) - torch.eye(Z)
    assert correlation.abs().max() < 5 / math.sqrt(N)


def test_normal_tails():
    share = (draw(NormalPrior()).abs() > 1.959964).double().mean().item()
    assert share == pytest.approx(0.05, abs=5 * math.sqrt(0.05 * 0.95 / (N * Z)))


def test_uniform_ends():
    z = draw(UniformPrior(low=1.0, high=4.0))
    assert z.min() >= 1
    assert z.max() <= 4
    # The gap to an end of n * Z draws is exponential with mean 3 / (n * Z).
    assert max(z.min() - 1, 4 - z.max()) < 20 * 3 / (N * Z)


@pytest.mark.parametrize("prior", [row[0] for row in PRIORS])
def test_reproducibility(prior):
    assert torch.equal(draw(prior, 3), draw(prior, 3))
    torch.manual_seed(0)
    from_global = prior.sample(3, Z, generator=None, device="cpu")
    assert torch.equal(from_global, draw(prior, 3))


def test_wrong_arguments():
    with pytest.raises(InputError, match="std must be at least 0, got -1"):
        NormalPrior(std=-1)
    with pytest.raises(InputError, match=r"low must be below high, got 1\.0 and 1\.0"):
        UniformPrior(low=1.0, high=1.0)


def drawn_codes(**arguments):
    source = torch.Generator().manual_seed(0)
    return CodesPrior(**arguments).sample(4000, 9, generator=source, device="cpu")


def test_codes_at_the_end_of_latents():
    z = drawn_codes(discrete=[4, 2], continuous=1)
    noise, first, second, continuous = z.split([2, 4, 2, 1], 1)
    for code in (first, second):
        assert set(code.unique().tolist()) == {0.0, 1.0}
        assert (code.sum(1) == 1).all()
        share = 1 / code.shape[1]
        torch.testing.assert_close(code.mean(0), torch.full_like(code[0], share), atol=0.03, rtol=0)
    # They do not depend on one another: the chance of both is the product.
    both = (first[:, 0] * second[:, 0]).mean().item()
    assert both == pytest.approx(1 / 8, abs=0.02)
    assert continuous.abs().max() <= 1
    assert continuous.var().item() == pytest.approx(1 / 3, abs=0.02)
    assert noise.std().item() == pytest.approx(1.0, abs=0.05)


def test_uniform_noise_before_codes():
    noise = drawn_codes(discrete=[], continuous=0, noise="uniform")
    assert noise.shape == (4000, 9)
    assert noise.abs().max() <= 1
    assert noise.var().item() == pytest.approx(1 / 3, abs=0.01)


def test_wrong_codes():
    with pytest.raises(InputError, match=r"discrete must be whole numbers from 2, got \[1\]"):
        CodesPrior(discrete=[1])
    with pytest.raises(InputError, match="continuous must be a whole number from 0, got -1"):
        CodesPrior(continuous=-1)
    with pytest.raises(InputError, match="noise must be 'normal' or 'uniform', got 'flat'"):
        CodesPrior(noise="flat")
    with pytest.raises(InputError, match="latents of size 9 are too short for codes of 12 numbers"):
        drawn_codes()
