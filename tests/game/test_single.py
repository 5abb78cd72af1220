"""A batch of one and batch norm: said before training where it is known, else at the batch."""

from __future__ import annotations

import pytest
import torch
import toys
from torch import nn

from lightning_gan import Game, InputError
from lightning_gan.game.single import piece_sizes

NEEDS = r"one sample, of which BatchNorm1d of the %s cannot take a mean and a variance: leave such"
CUT = (
    "the batch is one of %d samples, which micro_batches=%d cuts into a piece of one, of which "
    "BatchNorm1d of the generator cannot take a mean and a variance: set micro_batches to %d or le"
)


class Stream:
    """Batches of which nobody knows how many there are."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        yield from self.batches


def with_norm(network, at):
    """Put batch norm behind a layer of one of the toys."""
    network.layers[at] = nn.Sequential(network.layers[at], nn.BatchNorm1d(8))
    return network


def generator():
    return with_norm(toys.generator(), 0)


def discriminator():
    return with_norm(toys.discriminator(), 0)


def of_pixels():
    """A generator whose batch norm has the pixels of one sample to take a mean of."""
    network = toys.generator()
    norm = nn.BatchNorm2d(1)
    network.layers.append(nn.Sequential(nn.Unflatten(1, toys.SHAPE), norm, nn.Flatten()))
    return network


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_last_batch_of_one_is_known_before_the_first_step(tmp_path, player):
    gan = toys.gan(**{player: {"generator": generator, "discriminator": discriminator}[player]()})
    before = {name: value.clone() for name, value in gan.named_parameters()}
    with pytest.raises(InputError, match=f"^the last batch of an epoch is {NEEDS % player}"):
        toys.fit(tmp_path, gan, steps=9, data=toys.loader(toys.images(17)))
    assert gan.progress.batches == 0
    assert all(torch.equal(gan.state_dict()[name], value) for name, value in before.items())


def test_what_training_does_not_reach_is_nobodys_concern(tmp_path):
    data = toys.loader(toys.images(17))
    for steps in (1, 2):
        run = toys.fit(tmp_path, toys.gan(generator=generator()), steps=steps, data=data)
        assert run.global_step == steps
    run = toys.fit(
        tmp_path, toys.gan(generator=generator()), steps=9, data=data, limit_train_batches=2
    )
    assert run.global_step == 9


@pytest.mark.parametrize("make", [toys.generator, of_pixels])
def test_networks_that_take_one_sample_go_on_as_if_nobody_had_looked(tmp_path, make):
    found = []
    for known in (True, False):
        torch.manual_seed(0)
        gan, data = toys.gan(generator=make()), toys.loader(toys.images(17))
        toys.fit(tmp_path, gan, steps=4, data=data if known else Stream(data))
        found.append(toys.weights(gan.generator))
    assert toys.same(*found)


def test_at_the_batch_where_nobody_knows_the_length(tmp_path):
    batches = Stream([[toys.images(4)], [toys.images(1)]])
    with pytest.raises(InputError, match=f"^the batch is {NEEDS % 'generator'}"):
        toys.fit(tmp_path, toys.gan(generator=generator()), steps=9, data=batches)
    game = Game(toys.gan(generator=generator()))
    with pytest.raises(InputError, match=f"^the batch is {NEEDS % 'generator'}"):
        game.play(toys.images(1))


def test_a_piece_of_one(tmp_path):
    gan = toys.gan(generator=generator(), micro_batches=8)
    with pytest.raises(InputError, match=CUT % (8, 8, 4)):
        toys.fit(tmp_path, gan, steps=1)
    gan = toys.gan(generator=generator(), micro_batches=2)
    message = (CUT % (3, 2, 1)).replace("the batch", "the last batch of an epoch")
    with pytest.raises(InputError, match=message):
        toys.fit(tmp_path, gan, steps=9, data=toys.loader(toys.images(11)))
    assert piece_sizes(3, 2) == [2, 1]
    assert piece_sizes(8, 8) == [1] * 8
    assert piece_sizes(7, 3) == [3, 3, 1]


def test_other_errors_pass_through(tmp_path):
    class Broken(nn.Module):
        def forward(self, x):
            raise ValueError("of somebody else")

    network = generator()
    network.layers[0] = nn.Sequential(network.layers[0], Broken())
    with pytest.raises(ValueError, match="of somebody else"):
        toys.fit(tmp_path, toys.gan(generator=network), steps=1)
