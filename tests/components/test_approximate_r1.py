"""R1 and R2 by finite differences, against their expectations and against R1 and R2 themselves."""

import pytest
import torch
import toys
from critics import Conditional, Halving, Heads, Linear, Patches, Quadratic, double, noise, term
from torch import nn
from torch.nn.functional import dropout

from lightning_gan.discriminators.packed import PackedDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.regularizers.approximate_r1 import ApproximateR1Regularizer
from lightning_gan.regularizers.approximate_r2 import ApproximateR2Regularizer
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.regularizers.r2 import R2Regularizer
from lightning_gan.types import Player

MANY = 100_000


def z_score(values, expected):
    return abs(values.mean() - expected) / (values.std() / len(values) ** 0.5)


@pytest.mark.parametrize("kind", [ApproximateR1Regularizer, ApproximateR2Regularizer])
def test_the_expectation_on_a_linear_critic_is_r1_with_twice_its_square_as_variance(kind):
    torch.manual_seed(0)
    x = noise(MANY, 2)
    found = term(kind(sigma=0.5), Linear(), x)
    assert z_score(found, 12.5) < 4
    assert found.std().item() == pytest.approx(2**0.5 * 12.5, rel=0.05)


def test_the_expectation_on_a_quadratic_critic():
    torch.manual_seed(0)
    x, sigma, hessian = double([[1.0, 0.5]]).repeat(MANY, 1), 0.7, double([3.0, -4.0])
    found = term(ApproximateR1Regularizer(sigma=sigma), Quadratic(), x)
    # D(x + s e) - D(x) = s g.e + s^2 e'He / 2, and E (e'He)^2 = (tr H)^2 + 2 tr H^2.
    bias = sigma**2 / 8 * (hessian.sum() ** 2 + 2 * hessian.square().sum())
    (r1,) = term(R1Regularizer(), Quadratic(), x[:1]).detach()
    assert r1 == 6.5
    assert z_score(found, r1 + bias) < 4
    assert z_score(found, r1) > 4  # the bias is seen here, and gone with a small sigma
    assert z_score(term(ApproximateR1Regularizer(sigma=1e-3), Quadratic(), x), r1) < 4


def test_the_term_is_that_of_the_paper_over_twice_the_variance():
    critic, x = Quadratic(), noise(3, 2)
    found = term(ApproximateR1Regularizer(sigma=0.1), critic, x)
    moved = next(seen for seen, _ in critic.seen if not torch.equal(seen, x))
    difference = (0.5 * (moved.square() - x.square())) @ critic.w.detach()
    torch.testing.assert_close(found, difference.square() / (2 * 0.1**2))


def test_its_gradient_is_that_of_r1_in_expectation():
    torch.manual_seed(0)
    critic = Linear()
    term(ApproximateR1Regularizer(), critic, noise(MANY, 2)).mean().backward()
    torch.testing.assert_close(critic.w.grad, double([3.0, -4.0]), rtol=0.05, atol=0)


def test_the_output_of_the_loss_is_used_again():
    for kind, x in ((ApproximateR1Regularizer, "real"), (ApproximateR2Regularizer, "fake")):
        critic, samples = Linear(), {"real": noise(2, 2), "fake": noise(2, 2, seed=1)}
        term(kind(), critic, **samples)
        assert len(critic.seen) == 2
        assert any(torch.equal(seen, samples[x]) for seen, _ in critic.seen)


class Dropping(Linear):
    """Dropout before the linear layer."""

    def forward(self, x, y=None):
        self.seen.append(x)
        return dropout(x, 0.5) @ self.w


class Shaking(nn.Module):
    """An augmentation with large random numbers."""

    def forward(self, x):
        return 2 * x + 100 * torch.randn_like(x)


def test_both_points_meet_the_same_dropout():
    torch.manual_seed(0)
    sigma, critic = 1e-3, Dropping()
    found = term(ApproximateR1Regularizer(sigma=sigma), critic, 5 + noise(MANY, 2))
    # Slopes (2 w_i or 0 with probability 1/2 each): half their mean square is |w|^2.
    assert z_score(found, 25.0) < 4  # 10^6 fold with masks of their own
    assert len(critic.seen) == 2  # here the loss has not computed any


def test_both_points_meet_the_same_augmentation():
    torch.manual_seed(0)
    found = term(ApproximateR1Regularizer(), Linear(), noise(MANY, 2), augment=Shaking())
    assert z_score(found, 50.0) < 4  # slope 2 w


def test_the_random_state_goes_on():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    term(ApproximateR1Regularizer(), Dropping(), noise(2, 2))
    assert not torch.equal(before, torch.get_rng_state())


def test_places_and_heads_are_summed_and_conditions_kept():
    torch.manual_seed(0)
    regularizer = ApproximateR1Regularizer()
    for critic, slope in ((Patches(), 15.0), (Heads(), 10.0)):
        assert z_score(term(regularizer, critic, noise(MANY, 2)), slope**2 / 2) < 4
    y = torch.full((MANY,), 3.0, dtype=torch.float64)
    found = term(regularizer, Conditional(), noise(MANY, 2), y=y, fake_y=0 * y)
    assert z_score(found, 9 * 12.5) < 4
    found = term(ApproximateR2Regularizer(), Conditional(), noise(MANY, 2), y=0 * y, fake_y=y)
    assert z_score(found, 9 * 12.5) < 4
    assert z_score(term(regularizer, Linear(), noise(MANY, 2), augment=Halving()), 12.5 / 4) < 4


def test_no_input_is_differentiated_and_nothing_is_cast():
    for kind in (ApproximateR1Regularizer, ApproximateR2Regularizer):
        assert kind().differentiates == frozenset()
        assert kind().uncast() == {Player.DISCRIMINATOR}
        assert kind().is_due(Player.DISCRIMINATOR, 0)
        assert not kind().is_due(Player.GENERATOR, 0)


def test_under_autocast_small_differences_are_not_lost(tmp_path):
    terms = {"r1": ApproximateR1Regularizer(), "r2": ApproximateR2Regularizer()}
    found = []
    for precision in ("32-true", "bf16-mixed"):
        torch.manual_seed(0)
        module = toys.gan(regularizers=terms)
        toys.fit(tmp_path, module, steps=1, precision=precision)
        found.append([module.latest_metrics[f"regularizer/{name}"] for name in terms])
    torch.testing.assert_close(*map(torch.stack, found), rtol=0.05, atol=0)


def test_sigma_that_is_not_positive():
    for kind in (ApproximateR1Regularizer, ApproximateR2Regularizer):
        with pytest.raises(InputError, match="sigma must be positive, got 0.0"):
            kind(sigma=0.0)


@pytest.mark.parametrize("kind", [ApproximateR1Regularizer, ApproximateR2Regularizer])
def test_packs_of_samples_cost_what_they_cost_in_r1(kind):
    """The slope of a pack is that over all of its samples; means are over samples."""
    torch.manual_seed(0)
    packed = PackedDiscriminator(toys.discriminator(sample_shape=(2, 1, 2)), packing=2).double()
    x = noise(1, 1, 1, 2).repeat(40_000, 1, 1, 1)
    found = term(kind(sigma=1e-4), packed, x)
    assert found.shape == (20_000,)
    exact = {ApproximateR1Regularizer: R1Regularizer, ApproximateR2Regularizer: R2Regularizer}[kind]
    expected = term(exact(), packed, x).detach().mean()
    assert z_score(found.detach(), expected) < 4
