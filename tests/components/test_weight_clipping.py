"""Weight clipping of the critic, alone and in training."""

import pytest
import torch
import toys

from lightning_gan.errors import InputError
from lightning_gan.losses.wasserstein import WassersteinLoss
from lightning_gan.regularizers.weight_clipping import WeightClippingRegularizer
from lightning_gan.types import Player


def clip(player, network, **arguments):
    with torch.no_grad():  # as the module calls it
        WeightClippingRegularizer(**arguments).after_update(player, network)


def test_the_discriminators_parameters_are_clipped():
    network = toys.discriminator()
    before = toys.weights(network)
    assert max(value.abs().max() for value in before.values()) > 0.1
    clip(Player.DISCRIMINATOR, network, clip=0.1)
    for name, value in network.named_parameters():
        assert torch.equal(value, before[name].clamp(-0.1, 0.1)), name
        assert value.requires_grad


def test_the_generators_are_not():
    network = toys.generator()
    before = toys.weights(network)
    clip(Player.GENERATOR, network)
    assert toys.same(before, toys.weights(network))


def test_frozen_parameters_and_buffers_are_left_alone():
    network = toys.discriminator()
    network.head.weight.requires_grad_(False).fill_(1.0)
    network.register_buffer("scale", torch.ones(2))
    clip(Player.DISCRIMINATOR, network)
    assert (network.head.weight == 1).all()
    assert (network.scale == 1).all()
    assert network.head.bias.abs().max() <= 0.01


def test_after_every_step_of_training_the_critic_is_clipped(tmp_path):
    regularizer = WeightClippingRegularizer(clip=0.02)
    module = toys.gan(loss=WassersteinLoss(), regularizers={"weight_clipping": regularizer})
    free = module.generator.layers[0].weight.abs().max()
    toys.fit(tmp_path, module, steps=3)
    weights = torch.cat([p.detach().flatten() for p in module.discriminator.parameters()])
    assert weights.abs().max() == pytest.approx(0.02)
    assert free > 0.1
    assert module.generator.layers[0].weight.abs().max() > 0.1
    assert "regularizer/weight_clipping" not in module.latest_metrics  # no term, so no reading


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan")])
def test_impossible_bounds(bound):
    with pytest.raises(InputError, match=f"clip must be positive, got {bound}"):
        WeightClippingRegularizer(clip=bound)
