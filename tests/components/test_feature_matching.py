"""Feature matching against means and distances in NumPy, on trees of features, and in training."""

import numpy as np
import pytest
import torch
import toys
from torch import nn
from updates import update

from lightning_gan.errors import InputError
from lightning_gan.regularizers.feature_matching import FeatureMatchingRegularizer
from lightning_gan.types import DiscriminatorOutput, Player


class Judge(nn.Module):
    """Two heads with features of their own: a list of two, and a dict of one."""

    def forward(self, x, y=None):
        trees = [[2 * x, x.square()], {"last": x[:, :1] + 1}]
        return DiscriminatorOutput([x.sum(1), x.sum(1)], features=trees)


REAL, FAKE = torch.randn(5, 3), torch.randn(4, 3)


def layers(x):
    x = x.double().numpy()
    return [2 * x, x**2, x[:, :1] + 1]


def term(real=REAL, fake=FAKE, **options):
    step = update(Player.GENERATOR, real, fake, discriminator=Judge())
    return FeatureMatchingRegularizer(**options).generator(step)


def test_means_of_a_batch_in_all_layers_of_all_heads():
    pairs = zip(layers(REAL), layers(FAKE), strict=True)
    expected = [((r.mean(0) - f.mean(0)) ** 2).sum() for r, f in pairs]
    assert term().item() == pytest.approx(sum(expected), rel=1e-5)
    assert term(join="mean").item() == pytest.approx(np.mean(expected), rel=1e-5)
    assert term(layers=[-1, 1]).item() == pytest.approx(expected[2] + expected[1], rel=1e-5)


def test_pairs():
    fake = torch.randn(5, 3)
    pairs = zip(layers(REAL), layers(fake), strict=True)
    expected = sum(np.abs(r - f).mean(1) for r, f in pairs)
    found = term(fake=fake, distance="l1")
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
    assert not FeatureMatchingRegularizer(distance="l1").couples_samples
    assert FeatureMatchingRegularizer().couples_samples


def test_only_the_fakes_are_moved():
    real, fake = REAL.clone().requires_grad_(), FAKE.clone().requires_grad_()
    reached = torch.autograd.grad(term(real, fake), [real, fake], allow_unused=True)
    assert reached[0] is None
    assert reached[1].abs().sum() > 0


def test_equal_batches_cost_nothing():
    assert term(fake=REAL[torch.randperm(5)]).item() == pytest.approx(0, abs=1e-10)


def test_in_training_with_a_network_that_hands_out_its_features(tmp_path):
    module = toys.gan(
        discriminator=toys.discriminator(hidden=(8, 4), return_features=True),
        regularizers={"features": FeatureMatchingRegularizer()},
        generator_batch=2,
    )
    toys.fit(tmp_path, module, steps=2)
    assert module.latest_metrics["regularizer/features"] > 0


def test_errors():
    with pytest.raises(InputError, match="distance must be 'batch_mean' or 'l1', got 'l2'"):
        FeatureMatchingRegularizer(distance="l2")
    with pytest.raises(InputError, match="join must be 'sum' or 'mean', got 'max'"):
        FeatureMatchingRegularizer(join="max")
    with pytest.raises(InputError, match="layers must name one or more, or be None for all"):
        FeatureMatchingRegularizer(layers=[])
    with pytest.raises(InputError, match=r"takes layers \[3\], and the discriminator has 3, from"):
        term(layers=[3])
    with pytest.raises(InputError, match="pairs each fake with a real sample, got 4 and 5: set"):
        term(distance="l1")
    with pytest.raises(InputError, match="needs 'features', which neither .* provides"):
        toys.gan(regularizers={"features": FeatureMatchingRegularizer()})
