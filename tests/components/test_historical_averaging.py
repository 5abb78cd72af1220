"""Historical averaging against means by hand, skipped updates, and exact resume."""

import copy

import pytest
import torch
import toys
from critics import Linear, double, noise, update

from lightning_gan import Game
from lightning_gan.errors import InputError
from lightning_gan.regularizers.historical_averaging import HistoricalAveragingRegularizer
from lightning_gan.types import Player


def bound(**arguments):
    regularizer, critic = HistoricalAveragingRegularizer(**arguments), Linear()
    regularizer.bind(Linear((0.0, 0.0)), critic)
    return regularizer, critic


@torch.no_grad()
def step_to(regularizer, critic, *w, player=Player.DISCRIMINATOR):
    critic.w.copy_(double(w))
    regularizer.after_update(player, critic)


def test_the_mean_of_what_was():
    regularizer, critic = bound()
    step = update(regularizer, critic, noise(2, 2))
    assert regularizer.term(step) == 0
    step_to(regularizer, critic, 1.0, 5.0)
    step_to(regularizer, critic, 2.0, -1.0)
    step_to(regularizer, critic, 6.0, 2.0)
    found = regularizer.term(step)
    torch.testing.assert_close(found, double(3.0**2))  # the mean is (3, 2)
    found.backward()
    torch.testing.assert_close(critic.w.grad, double([6.0, 0.0]))


def test_each_player_has_its_own():
    regularizer, critic = bound()
    generator = Linear((1.0, 1.0))
    step_to(regularizer, generator, 4.0, 0.0, player=Player.GENERATOR)
    step_to(regularizer, generator, 2.0, 0.0, player=Player.GENERATOR)
    step = update(regularizer, critic, noise(2, 2), player=Player.GENERATOR, generator=generator)
    torch.testing.assert_close(regularizer.term(step), double(1.0))
    assert regularizer.term(update(regularizer, critic, noise(2, 2))) == 0


@pytest.mark.parametrize("players", ["generator", "discriminator"])
def test_only_the_one_that_is_named(players):
    regularizer, critic = bound(players=players)
    assert {name.rpartition("_")[0] for name, _ in regularizer.named_buffers()} == {players}
    other = Player(players).opponent
    assert not regularizer.is_due(other, 0)
    regularizer.after_update(other, critic)
    assert regularizer.term(update(regularizer, critic, noise(2, 2), player=other)) is None


def test_what_is_frozen_costs_nothing():
    regularizer, critic = bound()
    step_to(regularizer, critic, 1.0, 5.0)
    step_to(regularizer, critic, 2.0, -1.0)
    critic.w.requires_grad_(False)
    assert regularizer.term(update(regularizer, critic, noise(2, 2))) is None


def game():
    torch.manual_seed(0)
    return Game(toys.gan(regularizers={"past": HistoricalAveragingRegularizer(weight=0.1)}), seed=0)


def means(played):
    return dict(played.gan.regularizers["past"].named_buffers())


def test_in_a_game_means_are_those_of_the_weights_after_each_update():
    played, seen = game(), []
    for _ in range(3):
        readings = played.play(toys.images(8))
        seen.append(next(played.gan.discriminator.parameters()).detach().clone())
    found = means(played)
    assert found["discriminator_updates"] == found["generator_updates"] == 3
    torch.testing.assert_close(found["discriminator_0"], torch.stack(seen).mean(0))
    assert readings.discriminator.terms["past/discriminator"] > 0
    assert readings.generator.terms["past/generator"] > 0


def test_it_goes_on_where_it_stopped():
    played, resumed = game(), game()
    for _ in range(2):
        played.play(toys.images(8))
    torch.manual_seed(1)
    resumed.load_state_dict(copy.deepcopy(played.state_dict()))
    ours, theirs = (each.play(toys.images(8)) for each in (played, resumed))
    for player in ("discriminator", "generator"):
        one, other = (getattr(each, player).terms[f"past/{player}"] for each in (ours, theirs))
        assert torch.equal(one, other)
    assert toys.same(means(played), means(resumed))


def test_an_update_that_is_left_out_is_no_past():
    played = game()
    played.play(toys.images(8))
    before = {name: value.clone() for name, value in means(played).items()}
    played.play(torch.full((8, *toys.SHAPE), float("nan")))
    assert toys.same(before, means(played))


def test_players_that_there_are_none_of():
    text = "players must be one of generator, discriminator, both, got 'all'"
    with pytest.raises(InputError, match=text):
        HistoricalAveragingRegularizer(players="all")
