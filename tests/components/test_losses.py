"""Losses against closed forms, computed in NumPy."""

import numpy as np
import pytest
import torch

from lightning_gan.errors import InputError
from lightning_gan.losses.energy_based import EnergyBasedLoss
from lightning_gan.losses.hinge import HingeLoss
from lightning_gan.losses.least_squares import LeastSquaresLoss
from lightning_gan.losses.minimax import MinimaxLoss
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.losses.relativistic_average import RelativisticAverageLoss
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


X = np.linspace(-12, 14, 4001)  # a grid to integrate over
WIDTH = X[1] - X[0]
P, Q = (np.exp(-0.5 * (X - mean) ** 2) / np.sqrt(2 * np.pi) for mean in (0.7, -0.4))


def expected_losses(loss, logits):
    """The mean of D's half at logits along the grid, reals of density P and fakes of Q."""
    other = torch.zeros_like(logits)
    real = loss.discriminator(logits, other) - loss.discriminator(other, other)
    fake = loss.discriminator(other, logits)
    return ((torch.tensor(P) * real + torch.tensor(Q) * fake) * WIDTH).sum()


@pytest.mark.parametrize("targets", [(0.0, 1.0, 1.0), (-1.0, 1.0, 0.0), (0.1, 0.9, 0.8)])
def test_least_squares(targets):
    a, b, c = targets
    loss, real, fake = LeastSquaresLoss(*targets), torch.tensor(REAL), torch.tensor(FAKE)
    assert_equals(loss.discriminator(real, fake), ((REAL - b) ** 2 + (FAKE - a) ** 2) / 2)
    assert_equals(loss.generator(fake), (FAKE - c) ** 2 / 2)


def test_least_squares_at_its_best_discriminator_is_a_pearson_divergence():
    """Mao et al. 2017, section 3.2: with -1, 1, 0, G minimises half of chi^2(p + q, 2q)."""
    loss = LeastSquaresLoss(a=-1.0, b=1.0, c=0.0)
    best = torch.tensor((P - Q) / (P + Q), requires_grad=True)
    (slope,) = torch.autograd.grad(expected_losses(loss, best), best)
    np.testing.assert_allclose(slope.numpy(), 0, atol=1e-15)
    generator = (torch.tensor(P + Q) * loss.generator(best.detach()) * WIDTH).sum()
    chi = ((2 * Q - (P + Q)) ** 2 / (P + Q) * WIDTH).sum()
    assert generator.item() == pytest.approx(chi / 2, rel=1e-12)


@pytest.mark.parametrize("targets", [(1.0, 1.0, 1.0), (0.0, 1.0, -1.0), (0.0, 0.0, 1.0)])
def test_least_squares_that_pulls_the_wrong_way(targets):
    with pytest.raises(InputError, match="b and c must lie above a, got a="):
        LeastSquaresLoss(*targets)


def test_a_target_that_is_no_number():
    with pytest.raises(InputError, match="b must be a finite number, got nan"):
        LeastSquaresLoss(b=float("nan"))


def test_hinge():
    loss, real, fake = HingeLoss(), torch.tensor(REAL), torch.tensor(FAKE, requires_grad=True)
    values = loss.discriminator(real, fake)
    assert_equals(values.detach(), np.maximum(0, 1 - REAL) + np.maximum(0, 1 + FAKE))
    (slope,) = torch.autograd.grad(values.sum(), fake)
    assert slope.tolist() == (FAKE > -1).astype(float).tolist()
    assert_equals(loss.generator(fake.detach()), -FAKE)


@pytest.mark.parametrize("shape", [(7,), (7, 1), (7, 2, 2)])
def test_relativistic_average(shape):
    drawn = np.random.default_rng(0)
    real, fake = drawn.normal(size=shape), drawn.normal(size=shape) - 1
    loss, tensors = RelativisticAverageLoss(), (torch.tensor(real), torch.tensor(fake))
    over_fake, over_real = real - fake.mean(), fake - real.mean()
    wanted = minus_log_sigmoid(over_fake) + minus_log_sigmoid(-over_real)
    assert_equals(loss.discriminator(*tensors), wanted)
    wanted = minus_log_sigmoid(over_real) + minus_log_sigmoid(-over_fake)
    assert_equals(loss.generator(tensors[1], tensors[0]), wanted)
    with pytest.raises(InputError, match="needs real_logits in the generator's half too"):
        loss.generator(tensors[1])


def test_relativistic_average_has_gradients_through_its_means():
    """Of the mean loss for a fake: its own term, and 1/N of the mean slope of the reals' terms."""
    drawn = np.random.default_rng(1)
    real, fake = drawn.normal(size=5), drawn.normal(size=5)
    logits = torch.tensor(fake, requires_grad=True)
    loss = RelativisticAverageLoss().generator(logits, torch.tensor(real)).mean()
    (slope,) = torch.autograd.grad(loss, logits)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    own = -sigmoid(real.mean() - fake)
    shared = -sigmoid(real - fake.mean()).mean()
    np.testing.assert_allclose(slope.numpy(), (own + shared) / 5, rtol=1e-12)


def test_relativistic_average_of_pieces_is_not_that_of_the_batch():
    """What its page says of micro-batches; at equal logits it is, and nowhere else in general."""
    loss, drawn = RelativisticAverageLoss(), torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 8, generator=drawn, dtype=torch.float64)
    pieces = [loss.discriminator(real[i : i + 4], fake[i : i + 4]) for i in (0, 4)]
    whole = loss.discriminator(real, fake)
    assert abs(torch.cat(pieces).mean() - whole.mean()) > 1e-3


def test_energy_based():
    loss, real, fake = EnergyBasedLoss(margin=2.0), torch.tensor(REAL), torch.tensor(FAKE)
    energy, of_fakes = -REAL, -FAKE
    assert_equals(loss.discriminator(real, fake), energy + np.maximum(0, 2 - of_fakes))
    assert_equals(loss.generator(fake), of_fakes)


@pytest.mark.parametrize("margin", [0.0, -1.0])
def test_a_margin_of_nothing(margin):
    with pytest.raises(InputError, match=f"margin must lie above 0, got {margin}"):
        EnergyBasedLoss(margin)
