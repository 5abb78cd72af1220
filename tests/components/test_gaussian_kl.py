"""The divergence of normal distributions against torch's, and in training."""

import pytest
import torch
import toys
from torch.distributions import Normal, kl_divergence
from updates import update

from lightning_gan.errors import InputError
from lightning_gan.regularizers.gaussian_kl import GaussianKLRegularizer
from lightning_gan.testing import own_cases
from lightning_gan.types import Player


def term(mean, log_variance, **options):
    x = torch.zeros(len(mean), 1)
    by_products = {"mean": mean, "log_variance": log_variance}
    step = update(Player.GENERATOR, x, x, by_products=by_products)
    return GaussianKLRegularizer(**options).generator(step)


def test_against_torch():
    mean, log_variance = torch.randn(4, 3, 2), torch.randn(4, 3, 2)
    posterior = Normal(mean.double(), (0.5 * log_variance.double()).exp())
    expected = kl_divergence(posterior, Normal(0.0, 1.0)).sum((1, 2)).float()
    torch.testing.assert_close(term(mean, log_variance), expected)
    assert term(torch.zeros(2, 3), torch.zeros(2, 3)).tolist() == [0.0, 0.0]
    torch.testing.assert_close(term(mean.bfloat16(), log_variance), expected, rtol=0.02, atol=0.02)


def test_by_products_of_a_generator_in_training(tmp_path):
    generator = own_cases.Encoding(toys.SHAPE)
    generator.num_classes = None
    module = toys.gan(generator=generator, regularizers={"kl": GaussianKLRegularizer()})
    toys.fit(tmp_path, module, steps=2)
    assert module.latest_metrics["regularizer/kl"] > 0


def test_errors():
    with pytest.raises(InputError, match=r"must have one shape, got \(2, 3\) and \(2, 1\)"):
        term(torch.zeros(2, 3), torch.zeros(2, 1))
    with pytest.raises(InputError, match="needs 'mu', which neither MLPGenerator nor"):
        toys.gan(regularizers={"kl": GaussianKLRegularizer(mean="mu", log_variance="mu")})
