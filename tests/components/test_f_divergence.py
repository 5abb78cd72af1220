"""The losses of f-divergences against divergences of two Gaussians."""

import math

import numpy as np
import pytest
import torch

from lightning_gan.errors import InputError
from lightning_gan.losses.f_divergence import FDivergenceLoss
from lightning_gan.losses.minimax import MinimaxLoss
from lightning_gan.losses.non_saturating import NonSaturatingLoss

X = np.linspace(-14, 14, 8001)
WIDTH = X[1] - X[0]
SHIFT = 1.2
P, Q = (np.exp(-0.5 * (X - mean) ** 2) / np.sqrt(2 * np.pi) for mean in (SHIFT, 0.0))
U = P / Q
SYMMETRIC = (P * np.log(2 * P / (P + Q)) + Q * np.log(2 * Q / (P + Q))).sum() * WIDTH
# By divergence: f'(u), the inverse of g_f, and D_f of N(SHIFT, 1) and N(0, 1).
KNOWN = {
    "kl": (1 + np.log(U), lambda t: t, SHIFT**2 / 2),
    "reverse_kl": (-1 / U, lambda t: -np.log(-t), SHIFT**2 / 2),
    "pearson": (2 * (U - 1), lambda t: t, math.expm1(SHIFT**2)),
    "squared_hellinger": (
        1 - U**-0.5,
        lambda t: -np.log1p(-t),
        2 - 2 * math.exp(-(SHIFT**2) / 8),
    ),
    "jensen_shannon": (
        np.log(2 * U / (1 + U)),
        lambda t: -np.log(2 * np.exp(-t) - 1),
        SYMMETRIC,
    ),
    "gan": (-np.log1p(1 / U), lambda t: -np.log(np.expm1(-t)), SYMMETRIC - math.log(4)),
}
# The functions as the paper's tables have them.
TABLES = {
    "kl": (lambda v: v, lambda t: np.exp(t - 1)),
    "reverse_kl": (lambda v: -np.exp(-v), lambda t: -1 - np.log(-t)),
    "pearson": (lambda v: v, lambda t: t**2 / 4 + t),
    "squared_hellinger": (lambda v: 1 - np.exp(-v), lambda t: t / (1 - t)),
    "jensen_shannon": (
        lambda v: math.log(2) - np.log1p(np.exp(-v)),
        lambda t: -np.log(2 - np.exp(t)),
    ),
    "gan": (lambda v: -np.log1p(np.exp(-v)), lambda t: -np.log(1 - np.exp(t))),
}
REAL = np.array([-3.0, -0.5, 0.0, 0.25, 2.0, 5.0])
FAKE = REAL[::-1].copy()


@pytest.mark.parametrize("name", TABLES)
def test_halves_are_those_of_the_tables(name):
    activation, conjugate = TABLES[name]
    loss, real, fake = FDivergenceLoss(name), torch.tensor(REAL), torch.tensor(FAKE)
    wanted = -activation(REAL) + conjugate(activation(FAKE))
    np.testing.assert_allclose(loss.discriminator(real, fake), wanted, rtol=1e-9, atol=1e-12)
    wanted = -conjugate(activation(FAKE))
    np.testing.assert_allclose(loss.generator(fake), wanted, rtol=1e-9, atol=1e-12)
    other = FDivergenceLoss(name, non_saturating=True)
    np.testing.assert_allclose(other.generator(fake), -activation(FAKE), rtol=1e-12)
    assert torch.equal(other.discriminator(real, fake), loss.discriminator(real, fake))


@pytest.mark.parametrize("name", KNOWN)
def test_the_best_discriminator_measures_the_divergence(name):
    """At T = f'(p/q) the slope is 0 and the loss is -D_f, less a little away from it."""
    slope_of_f, inverse, divergence = KNOWN[name]
    near = np.abs(X - SHIFT / 2) < 9  # beyond, the densities are 0 in all digits that count
    best = torch.tensor(inverse(slope_of_f[near]), requires_grad=True)
    p, q = (torch.tensor(density[near]) * WIDTH for density in (P, Q))
    loss = FDivergenceLoss(name)

    def expected(logits):
        zeros = torch.zeros_like(logits)
        apart = loss.discriminator(logits, zeros) - loss.discriminator(zeros, zeros)
        return (p * apart + q * loss.discriminator(zeros, logits)).sum()

    value = expected(best)
    assert -value.item() == pytest.approx(divergence, rel=1e-7)
    (slope,) = torch.autograd.grad(value, best)
    np.testing.assert_allclose(slope.numpy(), 0, atol=1e-12)
    for elsewhere in (best.detach() + 0.1, best.detach() * 0.9):
        assert expected(elsewhere).item() > value.item() + 1e-4


def test_gan_is_the_game_of_goodfellow():
    real, fake = torch.randn(2, 9, dtype=torch.float64)
    ours, theirs = FDivergenceLoss("gan"), MinimaxLoss()
    torch.testing.assert_close(ours.discriminator(real, fake), theirs.discriminator(real, fake))
    torch.testing.assert_close(ours.generator(fake), theirs.generator(fake))
    ours = FDivergenceLoss("gan", non_saturating=True)
    torch.testing.assert_close(ours.generator(fake), NonSaturatingLoss().generator(fake))


@pytest.mark.parametrize("name", TABLES)
def test_large_logits_stay_finite_in_single_precision(name):
    logits = torch.tensor([-80.0, 80.0])
    for trick in (False, True):
        loss = FDivergenceLoss(name, non_saturating=trick)
        assert loss.discriminator(logits, -logits).isfinite().all()
        assert loss.generator(logits).isfinite().all()


def test_unknown_divergence():
    with pytest.raises(InputError, match="divergence must be one of kl, reverse_kl, .*got 'kll'"):
        FDivergenceLoss("kll")
