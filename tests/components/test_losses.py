"""Losses against closed forms, computed in NumPy."""

import numpy as np
import pytest
import torch

from lightning_gan.errors import InputError
from lightning_gan.losses.minimax import MinimaxLoss
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.losses.relativistic_paired import RelativisticPairedLoss

REAL = np.array([-100.0, -3.0, -0.5, 0.0, 0.25, 2.0, 100.0])
FAKE = np.array([100.0, 1.5, -0.75, 0.0, 3.0, -2.0, -100.0])


def minus_log_sigmoid(logits):
    return np.logaddexp(0.0, -logits)


def cross_entropy(target, logits):
    return target * minus_log_sigmoid(logits) + (1 - target) * minus_log_sigmoid(-logits)


def assert_equals(loss, expected):
    np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-12, atol=1e-40)


@pytest.mark.parametrize("shape", [(7,), (7, 1), (7, 1, 1, 1)])
def test_minimax(shape):
    loss, real, fake = MinimaxLoss(), torch.tensor(REAL).view(shape), torch.tensor(FAKE).view(shape)
    discriminator = minus_log_sigmoid(REAL) + minus_log_sigmoid(-FAKE)
    assert_equals(loss.discriminator(real, fake), discriminator.reshape(shape))
    assert_equals(loss.generator(fake), -minus_log_sigmoid(-FAKE).reshape(shape))


@pytest.mark.parametrize("targets", [(1.0, 0.0, 1.0), (0.9, 0.0, 1.0), (0.8, 0.1, 0.7)])
def test_non_saturating(targets):
    loss = NonSaturatingLoss(*targets)
    real, fake, wanted = targets
    discriminator = cross_entropy(real, REAL) + cross_entropy(fake, FAKE)
    assert_equals(loss.discriminator(torch.tensor(REAL), torch.tensor(FAKE)), discriminator)
    assert_equals(loss.generator(torch.tensor(FAKE)), cross_entropy(wanted, FAKE))


def test_non_saturating_at_zero_logits_is_two_logarithms_of_two():
    zeros = torch.zeros(3)
    torch.testing.assert_close(
        NonSaturatingLoss().discriminator(zeros, zeros), torch.full((3,), 2 * np.log(2.0)).float()
    )


def test_relativistic_paired():
    loss, real, fake = RelativisticPairedLoss(), torch.tensor(REAL), torch.tensor(FAKE)
    assert_equals(loss.discriminator(real, fake), minus_log_sigmoid(REAL - FAKE))
    assert_equals(loss.generator(fake, real), minus_log_sigmoid(FAKE - REAL))
    with pytest.raises(InputError, match="needs real_logits in the generator's half too"):
        loss.generator(fake)


def test_the_losses_differ_in_the_gradient_of_a_rejected_fake():
    """The reason for the non-saturating loss: -sigma(l) vanishes at l = -20, sigma(l) - 1 not."""
    for loss, expected in (
        (MinimaxLoss(), -1 / (1 + np.exp(20.0))),
        (NonSaturatingLoss(), -1 / (1 + np.exp(-20.0))),
    ):
        fake = torch.tensor([-20.0], dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(loss.generator(fake).sum(), fake)
        assert gradient.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ["real_target", "fake_target", "generator_target"])
@pytest.mark.parametrize("value", [-0.1, 1.5])
def test_target_outside_its_range(name, value):
    with pytest.raises(InputError, match=rf"{name} must lie in \[0, 1\], got {value}"):
        NonSaturatingLoss(**{name: value})
