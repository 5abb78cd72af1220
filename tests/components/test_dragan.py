"""DRAGAN against gradients known by hand; what it shares with gradient_penalty is tested there."""

import pytest
import torch
import toys
from critics import Conditional, Heads, Linear, Quadratic, double, noise, term

from lightning_gan.errors import InputError
from lightning_gan.regularizers.dragan import DRAGANRegularizer


def test_points_lie_above_real_samples_by_up_to_half_a_deviation():
    critic, n = Quadratic((1.0, 1.0)), 4000
    real = 3 * noise(n, 2)
    found = term(DRAGANRegularizer(slope=2.0), critic, real)
    x = critic.seen[-1][0]
    shift = (x - real) / (0.5 * real.std(correction=0))
    assert shift.min() >= 0
    assert 0.9 < shift.max() <= 1
    # The product of two uniform numbers: mean 1/4, variance 1/9 - 1/16; u's are drawn for each
    # value and alphas for each sample, so that two values of a sample have covariance 1/12 - 1/16.
    assert abs(shift.mean() - 0.25) < 5 * (7 / 144 / n) ** 0.5
    assert abs(shift.var() - 7 / 144) < 0.005
    covariance = ((shift[:, 0] - 0.25) * (shift[:, 1] - 0.25)).mean()
    assert abs(covariance - (1 / 12 - 1 / 16)) < 0.005
    torch.testing.assert_close(found, (x.norm(dim=1) - 2).square())


def test_its_gradient_trains_the_critic():
    critic = Linear()
    found = term(DRAGANRegularizer(), critic, noise(5, 2))
    torch.testing.assert_close(found, torch.full((5,), 16.0, dtype=torch.float64))
    found.mean().backward()
    torch.testing.assert_close(critic.w.grad, 8 / 5 * double([3.0, -4.0]))


def test_labels_are_those_of_the_real_samples_and_heads_are_summed():
    y = double([1.0, 2.0])
    found = term(DRAGANRegularizer(slope=0.0), Conditional(), noise(2, 2), y=y)
    torch.testing.assert_close(found, 25 * y.square())
    found = term(DRAGANRegularizer(slope=0.0), Heads(), noise(2, 2))
    torch.testing.assert_close(found, double([100.0, 100.0]))


def test_wrong_arguments():
    with pytest.raises(InputError, match="slope must be from 0, got -1"):
        DRAGANRegularizer(slope=-1.0)
    with pytest.raises(InputError, match="scale must be positive, got 0"):
        DRAGANRegularizer(scale=0.0)


def test_pieces_have_deviations_of_their_own():
    with pytest.warns(UserWarning, match="DRAGANRegularizer couples the samples of a batch"):
        toys.gan(regularizers={"dragan": DRAGANRegularizer()}, micro_batches=2)
