"""LeCam against numbers by hand, its averages, and how it goes on after a resume."""

import copy

import pytest
import torch
import toys
from critics import Heads, Linear, Patches, double, term, update

from lightning_gan import Game
from lightning_gan.errors import InputError
from lightning_gan.regularizers.lecam import LeCamRegularizer
from lightning_gan.types import Feedback, Player, Progress

BOTH = (Player.DISCRIMINATOR, Player.GENERATOR)
X = {"real": double([[1.0, 0.0], [0.0, 1.0]]), "fake": double([[1.0, 1.0], [0.0, 0.0]])}
# Logits of the linear critic: 10 and 3 of real samples, 6 and 7 of fakes.


def told(*batches, **arguments):
    """LeCam after it was told mean logits of real samples and fakes, batch by batch."""
    lecam = LeCamRegularizer(**{"start_kimg": 0.0, **arguments}).double()
    for real, fake in batches:
        lecam.observe(
            Feedback(Progress(), BOTH, real_logits=double(real), fake_logits=double(fake))
        )
    return lecam


def test_the_term_by_hand():
    found = term(told((8.0, 2.0)), Linear(), **X)
    # ((10 - 2)^2 + (8 - 6)^2 + (3 - 2)^2 + (8 - 7)^2) / 2
    torch.testing.assert_close(found, double(35.0))


def test_one_sided_differences_are_clipped():
    found = term(told((6.5, 4.0), one_sided=True), Linear(), **X)
    # (10 - 4)^2 and (6.5 - 6)^2; 3 is below 4, and 7 above 6.5.
    torch.testing.assert_close(found, double((36 + 0.25) / 2))


def test_averages_begin_with_the_first_batch_and_decay():
    lecam = told((8.0, 2.0), (4.0, -2.0), decay=0.75)
    torch.testing.assert_close(lecam.real_average, double(7.0))
    torch.testing.assert_close(lecam.fake_average, double(1.0))
    lecam.observe(Feedback(Progress(), (Player.GENERATOR,), fake_logits=double(100.0)))
    torch.testing.assert_close(lecam.fake_average, double(1.0))


def test_before_any_batch_it_is_zero_and_before_its_start_there_is_none():
    assert term(told(), Linear(), **X) == 0
    lecam = told((8.0, 2.0), start_kimg=0.5)
    assert term(lecam, Linear(), **X, images_seen=499) is None
    assert term(lecam, Linear(), **X, images_seen=500) > 0


def test_without_a_start_it_may_be_captured_as_a_graph():
    """Where nobody may ask for the images seen."""
    assert term(told((8.0, 2.0)), Linear(), **X, images_seen=None) > 0


def test_its_gradient_trains_the_critic_and_not_the_averages():
    critic = Linear()
    term(told((8.0, 2.0)), critic, **X).backward()
    real, fake = X["real"], X["fake"]
    expected = (16 * real[0] - 4 * fake[0] + 2 * real[1] - 2 * fake[1]) / 2
    torch.testing.assert_close(critic.w.grad, expected)


def test_places_and_heads_count_each_by_itself():
    lecam = told((1.0, 0.0))
    found = term(lecam, Patches(), **X)
    real, fake = double([3.0, -4.0, 6.0, -8.0]), double([-1.0, 0.0, -2.0, 0.0])
    torch.testing.assert_close(found, real.square().mean() + (1 - fake).square().mean())
    heads = [
        double([3.0, -4.0]).square().mean() + (1 - double([-1.0, 0.0])).square().mean(),
        double([-9.0, 12.0]).square().mean() + (1 - double([3.0, 0.0])).square().mean(),
    ]
    torch.testing.assert_close(term(lecam, Heads(), **X), sum(heads) / 2)
    joined = term(lecam, Heads(), **X, join="sum", head_weights=[2.0, 0.5])
    torch.testing.assert_close(joined, 2 * heads[0] + heads[1] / 2)


def test_the_outputs_of_the_loss_are_used_again():
    critic, lecam = Linear(), told((8.0, 2.0))
    step = update(lecam, critic, **X)
    step.real_output, step.fake_output  # noqa: B018 - computed when they are read
    lecam.discriminator(step)
    assert len(critic.seen) == 2


def test_in_a_game_it_is_told_of_every_batch_and_goes_on_where_it_stopped():
    torch.manual_seed(0)
    gan = toys.gan(regularizers={"lecam": LeCamRegularizer(start_kimg=0.008)})
    game, lecam = Game(gan, seed=0), gan.regularizers["lecam"]
    real = toys.images(8)
    first = game.play(real).discriminator
    torch.testing.assert_close(lecam.real_average, first.real_logits)
    assert "lecam" not in first.terms
    second = game.play(real).discriminator
    assert second.terms["lecam"] > 0
    torch.testing.assert_close(
        lecam.fake_average, 0.99 * first.fake_logits + 0.01 * second.fake_logits
    )
    state = copy.deepcopy(game.state_dict())
    torch.manual_seed(1)
    other = toys.gan(regularizers={"lecam": LeCamRegularizer(start_kimg=0.008)})
    resumed = Game(other, seed=0)
    resumed.load_state_dict(state)
    ours, theirs = game.play(real).discriminator, resumed.play(real).discriminator
    assert torch.equal(ours.terms["lecam"], theirs.terms["lecam"])


def test_wrong_arguments():
    with pytest.raises(InputError, match=r"decay must lie in \[0, 1\), got 1.0"):
        LeCamRegularizer(decay=1.0)
    with pytest.raises(InputError, match="start_kimg must not be negative, got -1.0"):
        LeCamRegularizer(start_kimg=-1.0)
