"""Top-k: whom the generator learns from, and how much."""

import pytest
import torch
import toys
from torch import nn

from lightning_gan import Game, create_schedule
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.losses.boundary_equilibrium import BoundaryEquilibriumLoss
from lightning_gan.losses.hinge import HingeLoss
from lightning_gan.losses.mmd import MMDLoss
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.losses.relativistic_average import RelativisticAverageLoss
from lightning_gan.losses.top_k import TopKLoss
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player

LOGITS = [0.3, -2.0, 1.5, 0.1, -0.2]


def test_the_mean_over_all_is_the_mean_over_the_best():
    fake = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    inner = NonSaturatingLoss()
    value = TopKLoss(inner, fraction=0.4).generator(fake)
    assert value.shape == (5,)
    assert (value != 0).tolist() == [True, False, True, False, False]
    best = inner.generator(torch.tensor([0.3, 1.5], dtype=torch.float64, requires_grad=True))
    assert value.mean().item() == pytest.approx(best.mean().item(), rel=1e-12)
    (gradient,) = torch.autograd.grad(value.mean(), fake)
    wanted = -torch.sigmoid(-fake.detach()) / 2
    wanted[[1, 3, 4]] = 0
    torch.testing.assert_close(gradient, wanted)


@pytest.mark.parametrize(("fraction", "k"), [(1.0, 5), (0.5, 3), (0.3, 2), (0.01, 1)])
def test_how_many(fraction, k):
    value = TopKLoss(HingeLoss(), fraction).generator(torch.tensor(LOGITS))
    assert (value != 0).sum() == k


def test_of_several_positions_the_mean_counts():
    fake = torch.tensor([[9.0, -9.0], [1.0, 1.0], [0.5, 0.0]])
    value = TopKLoss(HingeLoss(), fraction=1 / 3).generator(fake)
    assert value.tolist() == [[0.0, 0.0], [-3.0, -3.0], [0.0, 0.0]]


def test_equal_logits_are_still_k():
    assert (TopKLoss(HingeLoss(), 0.5).generator(torch.ones(6)) != 0).sum() == 3


def test_a_loss_with_means_has_no_gradient_of_the_others():
    fake, real = torch.tensor(LOGITS, requires_grad=True), torch.zeros(5)
    value = TopKLoss(RelativisticAverageLoss(), 0.4).generator(fake, real)
    (gradient,) = torch.autograd.grad(value.mean(), fake)
    assert (gradient != 0).tolist() == [True, False, True, False, False]


class Heads(Discriminator):
    """D(x) = x and D(x) = -x."""

    def __init__(self, heads=2):
        super().__init__()
        self.heads = heads

    def forward(self, x, y=None):
        return [x, -x][: self.heads] if self.heads > 1 else x


def step(player, heads, fake):
    return AdversarialStep(
        player,
        real=torch.zeros(5),
        fake=fake,
        generator=nn.Identity(),
        discriminator=Heads(heads),
    )


@pytest.mark.parametrize("inner", [HingeLoss(), BoundaryEquilibriumLoss()])
def test_each_head_chooses_for_itself(inner):
    fake = torch.tensor(LOGITS, requires_grad=True)
    update = step(Player.GENERATOR, 2, fake)
    before = update.fake_output.heads
    first, second = TopKLoss(inner, 0.2).play(update)
    assert first.tolist() == [0, 0, -7.5, 0, 0]
    assert second.tolist() == [0, -10.0, 0, 0, 0]
    for kept, logits in zip(update.fake_output.heads, before, strict=True):
        assert kept is logits  # for the terms that come after it
    alone = TopKLoss(inner, 0.2).play(step(Player.GENERATOR, 1, fake))
    assert alone.tolist() == [0, 0, -7.5, 0, 0]


def test_the_discriminator_learns_from_all():
    update = step(Player.DISCRIMINATOR, 1, torch.tensor(LOGITS))
    wanted = HingeLoss().discriminator(torch.zeros(5), torch.tensor(LOGITS))
    assert torch.equal(TopKLoss(HingeLoss(), 0.2).play(update), wanted)


def test_the_fraction_follows_a_schedule_and_what_the_other_observes_reaches_it():
    loss = TopKLoss(BoundaryEquilibriumLoss(rate=0.5))
    schedule = create_schedule("linear", start=1.0, end=0.5, kimg=0.008)
    game = Game(toys.gan(loss=loss, schedules={"loss.fraction": schedule}))
    fractions = []
    for _ in range(3):
        game.play(toys.images(4))
        fractions.append(loss.fraction)
    assert fractions == [1.0, 0.75, 0.5]
    assert loss.loss.k > 0
    assert "loss/k" in game.play(toys.images(4)).reports


def test_wrong_arguments():
    with pytest.raises(InputError, match="high logits mean real, and those of MMDLoss have no"):
        TopKLoss(MMDLoss())
    for fraction in (0.0, 1.5):
        with pytest.raises(InputError, match=rf"fraction must lie in \(0, 1\], got {fraction}"):
            TopKLoss(HingeLoss(), fraction)
    with pytest.raises(InputError, match="loss must be a lightning_gan.AdversarialLoss, got 'hing"):
        TopKLoss("hinge")
