"""SAN: what trains the direction and what the features, against gradients by hand."""

import pytest
import torch
import toys
from torch import nn

from lightning_gan import Game
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.discriminators.dcgan import DCGANDiscriminator
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.layers.sliced_linear import SlicedLinear
from lightning_gan.losses.hinge import HingeLoss
from lightning_gan.losses.least_squares import LeastSquaresLoss
from lightning_gan.losses.mmd import MMDLoss
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.losses.relativistic_paired import RelativisticPairedLoss
from lightning_gan.losses.slicing import SlicingLoss
from lightning_gan.losses.top_k import TopKLoss
from lightning_gan.step import AdversarialStep
from lightning_gan.types import DiscriminatorOutput, Player


class Sliced(Discriminator):
    """Features x W of two dimensions and one or two last layers."""

    def __init__(self, heads=1):
        super().__init__()
        self.features = nn.Linear(3, 2, bias=False)
        self.heads = nn.ModuleList(SlicedLinear(2) for _ in range(heads))

    def forward(self, x, y=None):
        outputs = [head.judge(self.features(x)) for head in self.heads]
        if len(outputs) == 1:
            return outputs[0]
        extra = {k: [each.extra[k] for each in outputs] for k in ("function", "direction")}
        return DiscriminatorOutput([each.logits for each in outputs], extra=extra)


@pytest.fixture
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def update(player, discriminator, real, fake):
    return AdversarialStep(
        player, real=real, fake=fake, generator=nn.Identity(), discriminator=discriminator
    )


@pytest.mark.parametrize("inner", [HingeLoss(), NonSaturatingLoss(), LeastSquaresLoss(c=9.0)])
def test_gradients_of_the_discriminator(inner, seeded):
    """Each is that of one term, computed anew from logits <w / |w|, s (W x + b)>."""
    network = Sliced().double()
    head = network.heads[0]
    with torch.no_grad():
        head.bias.normal_()
        head.scale.fill_(1.7)
    real, fake = torch.randn(2, 6, 3, dtype=torch.float64)
    value = SlicingLoss(inner).play(update(Player.DISCRIMINATOR, network, real, fake))
    assert value.shape == (6,)
    parameters = [head.weight, head.scale, head.bias, network.features.weight]
    found = torch.autograd.grad(value.mean(), parameters)

    def logits(x):
        direction = head.weight[0] / head.weight[0].norm()
        return head.scale * ((x @ network.features.weight.T + head.bias) @ direction)

    maximised = inner.discriminator(logits(real), logits(fake)).mean()
    wasserstein = (inner.generator(logits(real)) - inner.generator(logits(fake))).mean()
    assert value.mean().item() == pytest.approx((maximised + wasserstein).item(), rel=1e-12)
    of_direction = torch.autograd.grad(wasserstein, parameters[:1])
    of_features = torch.autograd.grad(maximised, parameters[1:])
    torch.testing.assert_close(found, (*of_direction, *of_features), rtol=1e-10, atol=1e-14)


def test_the_direction_of_a_wasserstein_term_is_the_difference_of_mean_features(seeded):
    network = Sliced().double()
    head = network.heads[0]
    real, fake = torch.randn(2, 50, 3, dtype=torch.float64)
    step = update(Player.DISCRIMINATOR, network, real, fake)
    value = SlicingLoss(HingeLoss()).play(step)
    (gradient,) = torch.autograd.grad(value.mean(), head.weight)
    apart = (network.features(fake).mean(0) - network.features(real).mean(0)) * head.scale
    norm = head.weight[0].norm()
    w = head.weight[0] / norm
    wanted = (apart - (apart @ w) * w) / norm  # along the sphere
    torch.testing.assert_close(gradient[0], wanted)
    assert (gradient[0] @ w).item() == pytest.approx(0, abs=1e-12)
    assert step.reports["direction"].item() == pytest.approx((apart @ w).item())


def test_the_generator_minimises_the_other_losss_half(seeded):
    network, fake = Sliced(), torch.randn(4, 3, requires_grad=True)
    step = update(Player.GENERATOR, network, torch.zeros(4, 3), fake)
    value = SlicingLoss(HingeLoss()).play(step)
    assert torch.equal(value, -network(fake).logits)


def test_lists_of_heads(seeded):
    network, real, fake = Sliced(heads=2), torch.randn(4, 3), torch.randn(4, 3)
    both = SlicingLoss(HingeLoss()).play(update(Player.DISCRIMINATOR, network, real, fake))
    for head, found in zip(network.heads, both, strict=True):
        alone = Sliced()
        alone.features, alone.heads = network.features, nn.ModuleList([head])
        step = update(Player.DISCRIMINATOR, alone, real, fake)
        torch.testing.assert_close(SlicingLoss(HingeLoss()).play(step), found)


def test_the_layer_begins_as_a_linear_one_and_normalizes(seeded):
    layer = SlicedLinear(5, 2)
    x, offset = torch.randn(3, 5), torch.randn(3, 5)
    slices = layer(x)
    for each in slices:
        torch.testing.assert_close(each, x @ layer.weight.T)
    with torch.no_grad():
        layer.weight.mul_(3)
    torch.testing.assert_close(layer(x).logits, slices.logits)
    directions = layer.weight + offset[:, None]
    directions = directions / directions.norm(dim=2, keepdim=True)
    wanted = torch.einsum("nd,nkd->nk", x, directions) * layer.scale
    torch.testing.assert_close(layer(x, offset).logits, wanted)


@pytest.mark.parametrize("conditional", [None, 3])
@pytest.mark.parametrize("outputs", [1, 2])
def test_networks_with_such_a_layer(conditional, outputs, seeded):
    common = {"num_classes": conditional, "outputs": outputs, "sliced": True}
    x, y = torch.randn(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
    for network in (
        MLPDiscriminator((1, 8, 8), (6,), dropout=0.0, **common),
        DCGANDiscriminator((1, 8, 8), 4, norm="none", **common),
    ):
        said = network(x, y)
        assert said.logits.shape == ((4,) if outputs == 1 else (4, outputs))
        for name in ("function", "direction"):
            torch.testing.assert_close(said.extra[name], said.logits)
        inner = [network.head.weight, *network.layers.parameters()]
        reached = torch.autograd.grad(
            said.extra["direction"].sum(), inner, allow_unused=True, retain_graph=True
        )
        assert [g is not None for g in reached] == [True] + [False] * (len(inner) - 1)
        reached = torch.autograd.grad(said.extra["function"].sum(), inner, allow_unused=True)
        assert [g is not None for g in reached] == [False] + [True] * (len(inner) - 1)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_game(wrapped):
    loss = SlicingLoss(NonSaturatingLoss())
    loss = TopKLoss(loss) if wrapped else loss
    game = Game(toys.gan(discriminator=toys.discriminator(sliced=True), loss=loss))
    before = toys.weights(game.gan.discriminator)
    readings = game.play(toys.images(4))
    assert "loss/direction" in readings.reports
    after = toys.weights(game.gan.discriminator)
    assert not any(torch.equal(before[name], after[name]) for name in before)


def test_wrong_arguments():
    for inner in (RelativisticPairedLoss(), MMDLoss(), TopKLoss(HingeLoss())):
        name = type(inner).__name__
        with pytest.raises(InputError, match=f"slicing needs a loss .*such as hinge, got {name}"):
            SlicingLoss(inner)
    with pytest.raises(InputError, match="needs 'direction', which neither MLPGenerator nor MLPD"):
        toys.gan(loss=SlicingLoss(HingeLoss()))
    with pytest.raises(InputError, match="outputs must be at least 1, got 0"):
        toys.discriminator(outputs=0)
    with pytest.raises(InputError, match="outputs must be at least 1, got 0"):
        DCGANDiscriminator((1, 8, 8), outputs=0)
