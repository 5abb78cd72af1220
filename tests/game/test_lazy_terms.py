"""Terms used every k-th update: part of that update's own step, so that no rate is to be mended."""

import torch
import toys

from lightning_gan import Game
from lightning_gan.regularizers.base import Regularizer


class Slope(Regularizer):
    """Half the squared weights of D's head, whose gradient is those weights."""

    def discriminator(self, step):
        return 0.5 * step.discriminator.head.weight.square().sum()


def played(optimizer, interval, steps=8):
    torch.manual_seed(0)
    gan = toys.gan(
        regularizers={"slope": Slope(interval=interval)},
        discriminator_weight=1e-12,  # an adversarial term in every update, and hardly any gradient
        discriminator_optimizer=optimizer,
    )
    before = gan.discriminator.head.weight.detach().clone()
    game = Game(gan, seed=0)
    for _ in range(steps):
        game.play(toys.images(8))
    return game, gan.discriminator.head.weight.detach() - before


def test_a_lazy_term_counts_as_often_as_it_is_left_out():
    """By SGD, whose steps add up: eight updates, or two of four times the gradient."""
    moves = [played(lambda p: torch.optim.SGD(p, lr=1e-4), interval)[1] for interval in (1, 4)]
    torch.testing.assert_close(*moves, rtol=5e-3, atol=1e-7)


def test_a_lazy_term_makes_no_step_of_its_own():
    """StyleGAN2 makes k + 1 steps of Adam where there are k here, and corrects its rates for it."""
    game, _ = played(lambda p: torch.optim.Adam(p, lr=1e-3, betas=(0.5, 0.9)), interval=4)
    optimizer = game.discriminator.optimizer
    assert {int(state["step"]) for state in optimizer.state.values()} == {8}
    assert game.progress.discriminator_steps == 8
    assert {(group["lr"], group["betas"]) for group in optimizer.param_groups} == {
        (1e-3, (0.5, 0.9))
    }
