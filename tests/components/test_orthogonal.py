"""Orthogonal regularization against matrices by hand."""

import pytest
import torch
import toys
from critics import double, noise, update
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from lightning_gan import Game
from lightning_gan.errors import InputError
from lightning_gan.regularizers.orthogonal import OrthogonalRegularizer
from lightning_gan.types import Player


def linear(rows):
    layer = nn.Linear(len(rows[0]), len(rows)).double()
    layer.weight.data = double(rows)
    return layer


def term(network, player=Player.GENERATOR, **arguments):
    regularizer = OrthogonalRegularizer(players=player.value, **arguments)
    x = noise(2, 2)
    networks = {"generator": network, "discriminator": nn.Identity()}
    if player is Player.DISCRIMINATOR:
        networks = {"generator": nn.Identity(), "discriminator": network}
    step = update(regularizer, networks["discriminator"], x, player=player)
    step.generator = networks["generator"]
    return regularizer.term(step)


# Rows (3, 4) and (1, 0): products 25, 3, 1.
WIDE = [[3.0, 4.0, 0.0], [1.0, 0.0, 0.0]]


@pytest.mark.parametrize("player", list(Player))
def test_both_forms_by_hand(player):
    network = linear(WIDE)
    torch.testing.assert_close(term(network, player), double(9.0 + 9.0))
    full = term(network, player, form="full")
    torch.testing.assert_close(full, double(24.0**2 + 9 + 9 + 0))


@pytest.mark.parametrize("form", ["off_diagonal", "full"])
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4)])
def test_many_rows_and_few_are_one_formula(form, shape):
    weight = noise(*shape)
    product = weight @ weight.T
    eye = torch.eye(len(weight), dtype=torch.float64)
    expected = product * (1 - eye) if form == "off_diagonal" else product - eye
    found = term(linear(weight.tolist()), form=form)
    torch.testing.assert_close(found, expected.square().sum())


@pytest.mark.parametrize("shape", [(2, 3), (3, 2)])
def test_its_gradient_is_that_of_the_formula(shape):
    network = linear(noise(*shape).tolist())
    term(network).backward()
    weight = network.weight.detach()
    eye = torch.eye(len(weight), dtype=torch.float64)
    expected = 4 * (weight @ weight.T * (1 - eye)) @ weight  # BigGAN's, by hand
    torch.testing.assert_close(network.weight.grad, expected)
    assert network.bias.grad is None


def test_orthogonal_rows_cost_nothing():
    rows = [[0.6, 0.8], [-0.8, 0.6]]
    torch.testing.assert_close(term(linear(rows), form="full"), double(0.0))
    longer = [[6.0, 8.0], [-0.8, 0.6]]
    torch.testing.assert_close(term(linear(longer)), double(0.0))
    assert term(linear(longer), form="full") > 0


def test_rows_are_the_outputs_of_convolutions_of_both_kinds():
    forward = nn.Conv2d(3, 2, 4, bias=False).double()
    back = nn.ConvTranspose2d(3, 2, 4, bias=False).double()
    back.weight.data = forward.weight.data.transpose(0, 1).clone()
    product = forward.weight.flatten(1) @ forward.weight.flatten(1).T
    expected = 2 * product[0, 1].square()
    torch.testing.assert_close(term(forward), expected)
    torch.testing.assert_close(term(back), expected)
    torch.testing.assert_close(term(spectral_norm(forward)), expected)  # of the parameter
    torch.testing.assert_close(term(spectral_norm(back)), expected)


def test_weights_are_summed_and_some_left_alone():
    network = nn.Sequential(linear(WIDE), linear([[1.0, 1.0], [1.0, 0.0]]), nn.LayerNorm(2))
    network.add_module("embedding", nn.Embedding(3, 2).double())
    network.embedding.weight.requires_grad_(False)
    torch.testing.assert_close(term(network), double(18.0 + 2.0))
    torch.testing.assert_close(term(network, skip=["1.*"]), double(18.0))
    torch.testing.assert_close(term(network, skip=["0.weight", "1.bias"]), double(2.0))
    assert term(network, skip=["*"]) is None


@pytest.mark.parametrize(
    ("players", "acts"),
    [("generator", (True, False)), ("discriminator", (False, True)), ("both", (True, True))],
)
def test_whose_weights(players, acts):
    regularizer = OrthogonalRegularizer(players=players)
    assert tuple(regularizer.is_due(player, 0) for player in Player) == acts
    readings = Game(toys.gan(regularizers={"ortho": regularizer}), seed=0).play(toys.images(8))
    found = {*readings.generator.terms, *readings.discriminator.terms}
    assert len(found) == sum(acts)


def test_products_are_not_rounded_under_autocast(tmp_path):
    found = []
    for precision in ("32-true", "bf16-mixed"):
        torch.manual_seed(0)
        module = toys.gan(regularizers={"ortho": OrthogonalRegularizer(weight=1.0)})
        toys.fit(tmp_path, module, steps=1, precision=precision)
        found.append(module.latest_metrics["regularizer/ortho"])
    torch.testing.assert_close(*found)


def test_wrong_arguments():
    with pytest.raises(InputError, match="form must be one of off_diagonal, full, got 'half'"):
        OrthogonalRegularizer(form="half")
    text = "players must be one of generator, discriminator, both, got 'all'"
    with pytest.raises(InputError, match=text):
        OrthogonalRegularizer(players="all")
