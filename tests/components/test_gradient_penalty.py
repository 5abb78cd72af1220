"""The general gradient penalty against gradients known by hand, and against those it contains."""

import pytest
import torch
import toys
from critics import Conditional, Halving, Heads, Linear, Patches, Quadratic, double, noise, term

from lightning_gan import Game
from lightning_gan.errors import InputError
from lightning_gan.regularizers.dragan import DRAGANRegularizer
from lightning_gan.regularizers.gradient_penalty import GradientPenaltyRegularizer
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.regularizers.r2 import R2Regularizer
from lightning_gan.regularizers.wgan_gp import WGANGPRegularizer
from lightning_gan.types import Player

EVERYWHERE = ("real", "fake", "interpolate", "perturbed")


def penalty(**arguments):
    return GradientPenaltyRegularizer(**arguments)


@pytest.mark.parametrize("at", EVERYWHERE)
@pytest.mark.parametrize("n", [1, 3])
def test_a_linear_critic_has_one_slope_wherever_it_is_taken(at, n):
    found = term(penalty(at=at, center=2.0, power=3.0), Linear(), noise(n, 2), noise(n, 2, seed=1))
    torch.testing.assert_close(found, torch.full((n,), 3.0**3, dtype=torch.float64))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"center": 0.0, "power": 1.0}, [5.0, 1.0]),
        ({"center": 0.0, "power": 2.0}, [25.0, 1.0]),
        ({"center": 2.0, "power": 1.0}, [3.0, 1.0]),
        ({"center": 2.0, "power": 2.0}, [9.0, 1.0]),
        ({"center": 2.0, "power": 2.0, "one_sided": True}, [9.0, 0.0]),
        ({"center": 0.0, "power": 6.0}, [5.0**6, 1.0]),
    ],
)
@pytest.mark.parametrize("at", ["real", "fake"])
def test_slopes_of_single_samples_by_hand(at, arguments, expected):
    """Of 1/2 (x_1^2 + x_2^2) at (3, 4) and (0, 1): slopes 5 and 1."""
    x, other = double([[3.0, 4.0], [0.0, 1.0]]), noise(2, 2)
    real, fake = (x, other) if at == "real" else (other, x)
    found = term(penalty(at=at, **arguments), Quadratic((1.0, 1.0)), real, fake)
    torch.testing.assert_close(found, double(expected))


def test_it_contains_r1_r2_and_wgan_gp():
    real, fake = noise(3, 2), noise(3, 2, seed=1)
    for at, half in (("real", R1Regularizer()), ("fake", R2Regularizer())):
        ours = term(penalty(at=at, center=0.0), Quadratic(), real, fake)
        torch.testing.assert_close(ours, 2 * term(half, Quadratic(), real, fake))
    for one_sided in (False, True):
        found = []
        for regularizer in (penalty(one_sided=one_sided), WGANGPRegularizer(one_sided=one_sided)):
            torch.manual_seed(0)
            found.append(term(regularizer, Quadratic(), real, fake))
        torch.testing.assert_close(*found)


def test_outputs_of_the_loss_are_used_again():
    for at in ("real", "fake"):
        critic, regularizer = Linear(), penalty(at=at)
        x = noise(2, 2)
        found = term(regularizer, critic, x, x)
        assert len(critic.seen) == 1
        assert found.requires_grad
        assert regularizer.differentiates == {at}


@pytest.mark.parametrize(
    "regularizer",
    [penalty(), penalty(at="perturbed"), WGANGPRegularizer(), DRAGANRegularizer()],
    ids=["interpolate", "perturbed", "wgan_gp", "dragan"],
)
def test_at_points_of_its_own_samples_stay_outside_the_graph(regularizer):
    """The gradient with respect to samples costs a layer's backward pass, and nobody wants it."""
    gan, asked = toys.gan(regularizers={"term": regularizer}), []
    gan.discriminator.register_forward_pre_hook(lambda _, x: asked.append(x[0].requires_grad))
    Game(gan, seed=0).play(toys.images(4))
    # In D's update real samples, fakes and points; in G's the fakes.
    assert asked == [False, False, True, True]


def test_perturbed_points_lie_around_real_samples():
    critic, real, n = Quadratic((1.0, 1.0)), noise(4000, 2), 4000
    found = term(penalty(at="perturbed", sigma=0.3, center=1.0), critic, real)
    x = critic.seen[-1][0]
    shift = (x - real) / 0.3
    assert abs(shift.mean()) < 5 / (2 * n) ** 0.5
    assert abs(shift.var() - 1) < 5 * (2 / (2 * n)) ** 0.5
    torch.testing.assert_close(found, (x.norm(dim=1) - 1).square())


@pytest.mark.parametrize("at", EVERYWHERE)
def test_logits_of_a_sample_are_summed_over_places_and_heads(at):
    x = noise(3, 2)
    for critic, slope in ((Patches(), 15.0), (Heads(), 10.0)):
        found = term(penalty(at=at), critic, x, x)
        torch.testing.assert_close(found, torch.full((3,), (slope - 1) ** 2, dtype=torch.float64))


@pytest.mark.parametrize("at", EVERYWHERE)
def test_each_point_has_its_own_condition(at):
    y, fake_y = double([1.0, 2.0]), double([3.0, 4.0])
    found = term(penalty(at=at, center=0.0), Conditional(), noise(2, 2), y=y, fake_y=fake_y)
    torch.testing.assert_close(found, 25 * (fake_y if at == "fake" else y).square())


@pytest.mark.parametrize("at", EVERYWHERE)
def test_it_acts_on_raw_samples_through_the_augmentation(at):
    found = term(penalty(at=at, center=0.0), Linear(), noise(2, 2), augment=Halving())
    torch.testing.assert_close(found, torch.full((2,), 6.25, dtype=torch.float64))


@pytest.mark.parametrize("at", EVERYWHERE)
@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
def test_its_gradient_trains_the_critic(at, power):
    critic = Linear()
    term(penalty(at=at, power=power), critic, noise(3, 2)).mean().backward()
    # Of (|w| - 1)^p: p (|w| - 1)^(p - 1) w / |w|.
    expected = power * 4 ** (power - 1) / 5 * double([3.0, -4.0])
    torch.testing.assert_close(critic.w.grad, expected)


@pytest.mark.parametrize("power", [1.0, 2.0, 6.0])
@pytest.mark.parametrize("center", [0.0, 1.0])
def test_a_flat_critic_gives_no_nan(center, power):
    critic = Linear((0.0, 0.0))
    found = term(penalty(center=center, power=power), critic, noise(3, 2))
    found.mean().backward()
    torch.testing.assert_close(found, torch.full((3,), center, dtype=torch.float64))
    assert critic.w.grad.isfinite().all()


def test_the_critic_alone_is_penalised():
    assert penalty().is_due(Player.DISCRIMINATOR, 0)
    assert not penalty().is_due(Player.GENERATOR, 0)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"at": "middle"}, "at must be one of real, fake, interpolate, perturbed, got 'middle'"),
        ({"center": -1.0}, "center must be a slope from 0, got -1.0"),
        ({"center": float("nan")}, "center must be a finite number, got nan"),
        ({"power": 0.5}, "power must be at least 1, got 0.5"),
        ({"sigma": 0.0}, "sigma must be positive, got 0.0"),
    ],
)
def test_wrong_arguments(arguments, text):
    with pytest.raises(InputError, match=text):
        penalty(**arguments)
