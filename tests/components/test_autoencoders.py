"""Autoencoders as discriminators, and the controller of the boundary equilibrium."""

import pytest
import torch
import toys

from lightning_gan import Game
from lightning_gan.discriminators.autoencoder import AutoencoderDiscriminator
from lightning_gan.discriminators.mlp_autoencoder import MLPAutoencoderDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.losses.boundary_equilibrium import BoundaryEquilibriumLoss
from lightning_gan.losses.energy_based import EnergyBasedLoss
from lightning_gan.types import Feedback, Player, Progress


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize(
    "network",
    [
        lambda power: MLPAutoencoderDiscriminator((1, 4, 4), (8,), 3, power=power),
        lambda power: AutoencoderDiscriminator((1, 4, 4), 2, 3, power=power),
        lambda power: AutoencoderDiscriminator((3, 16, 8), 2, 3, power=power),
    ],
)
def test_the_logit_is_the_negative_error(network, power):
    network = network(power)
    x = torch.randn(5, *network.sample_shape)
    said = network(x)
    made = said.extra["reconstruction"]
    assert made.shape == x.shape
    assert said.features.shape == (5, 3)
    wanted = -(x - made).abs().pow(power).flatten(1).mean(1)
    torch.testing.assert_close(said.logits, wanted)
    torch.testing.assert_close(network.decoder(said.features).reshape(x.shape), made)


def test_errors_of_half_precision_are_whole():
    network = MLPAutoencoderDiscriminator((4,), (8,), 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        said = network(torch.randn(3, 4))
    assert said.logits.dtype is torch.float32
    assert said.features.dtype is torch.bfloat16


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: AutoencoderDiscriminator((1, 8, 8), power=3), "power must be 1 or 2, got 3"),
        (lambda: AutoencoderDiscriminator((1, 8, 8), code_dim=0), "code_dim must be at least 1"),
        (lambda: AutoencoderDiscriminator((1, 7, 8)), "height and width multiples of 4"),
        (lambda: MLPAutoencoderDiscriminator((2,), power=0), "power must be 1 or 2, got 0"),
        (lambda: MLPAutoencoderDiscriminator((2,), (0,)), r"must be positive, .*hidden=\(0,\)"),
    ],
)
def test_wrong_arguments_of_networks(build, text):
    with pytest.raises(InputError, match=text):
        build()


def feedback(real, fake, phases=(Player.DISCRIMINATOR, Player.GENERATOR)):
    values = [None if v is None else torch.tensor(v) for v in (real, fake)]
    return Feedback(Progress(), phases, real_logits=values[0], fake_logits=values[1])


def test_the_controller():
    loss = BoundaryEquilibriumLoss(gamma=0.5, rate=0.1)
    real, fake = torch.tensor([-1.0, -2.0]), torch.tensor([-3.0, -5.0])
    assert loss.discriminator(real, fake).tolist() == [1.0, 2.0]  # k is 0 at first
    loss.observe(feedback(-4.0, -1.0))  # k = 0.1 (0.5 * 4 - 1)
    assert loss.k.item() == pytest.approx(0.1)
    expected = [1.0 - 0.1 * 3, 2.0 - 0.1 * 5]
    assert loss.discriminator(real, fake).tolist() == pytest.approx(expected)
    assert loss.generator(fake).tolist() == [3.0, 5.0]
    loss.observe(feedback(-100.0, -1.0))
    assert loss.k == 1
    loss.observe(feedback(-1.0, -100.0))
    assert loss.k == 0
    loss.observe(feedback(-4.0, -1.0, (Player.GENERATOR,)))
    loss.observe(feedback(None, -1.0))
    assert loss.k == 0


def test_a_game_finds_its_equilibrium():
    """k moves by the errors of each batch, is in the log with the measure, and in the state."""
    loss = BoundaryEquilibriumLoss(gamma=0.7, rate=0.5)
    networks = toys.generator(), MLPAutoencoderDiscriminator(toys.SHAPE, (8,), 3, power=1)
    game = Game(toys.gan(generator=networks[0], discriminator=networks[1], loss=loss))
    k = 0.0
    for seed in range(4):
        readings = game.play(toys.images(8, seed=seed)).discriminator
        real, fake = -readings.real_logits, -readings.fake_logits
        assert readings.reports["loss/k"].item() == pytest.approx(k)
        torch.testing.assert_close(readings.loss, real - k * fake)
        measure = real + (0.7 * real - fake).abs()
        torch.testing.assert_close(readings.reports["loss/convergence"], measure)
        k = min(max(k + 0.5 * (0.7 * real - fake).item(), 0), 1)
        assert loss.k.item() == pytest.approx(k, abs=1e-6)
    assert 0 < k < 1
    assert loss.state_dict()["k"] == loss.k


def test_energy_stays_within_the_margin_while_fakes_are_cheap():
    """A fake of an energy beyond the margin has no part in the discriminator's gradient."""
    network = MLPAutoencoderDiscriminator((2,), (4,), 1)
    x = torch.tensor([[0.1, 0.1], [50.0, -50.0]])
    energies = -network(x).logits
    assert energies[0] < 1 < energies[1]
    near, far = EnergyBasedLoss(margin=1.0).discriminator(torch.zeros(2), -energies)
    assert near == 1 - energies[0]
    assert far == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"gamma": 1.5}, r"gamma must lie in \[0, 1\], got 1.5"),
        ({"rate": 0.0}, "rate must lie above 0, got 0.0"),
    ],
)
def test_wrong_arguments_of_the_controller(arguments, text):
    with pytest.raises(InputError, match=text):
        BoundaryEquilibriumLoss(**arguments)
