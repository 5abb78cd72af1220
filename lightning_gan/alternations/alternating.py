"""A fixed number of steps for each player."""

from __future__ import annotations

from lightning_gan.alternations.base import Alternation
from lightning_gan.errors import InputError
from lightning_gan.types import Player, Progress


class Alternating(Alternation):
    """``d_steps`` discriminator steps, then ``g_steps`` generator steps (Goodfellow et al. 2014).

    Every discriminator step takes a new batch, as algorithm 1 of the paper does; the first
    generator step shares the last of these batches, and further ones use it again with new
    latents. With ``d_steps=0`` the generator alone steps, ``g_steps`` times a batch; with
    ``g_steps=0`` the discriminator alone does.

    Args:
        d_steps: Discriminator steps in a round, k of the paper, at least 0.
        g_steps: Generator steps in a round, at least 0; one of the two is above 0.

    Raises:
        InputError: A number is negative or both are 0.

    Example:
        >>> [Alternating(d_steps=2).phases(Progress(batches=b)) for b in range(2)]
        [(<Player.DISCRIMINATOR: 'discriminator'>,), \
(<Player.DISCRIMINATOR: 'discriminator'>, <Player.GENERATOR: 'generator'>)]
    """

    def __init__(self, d_steps: int = 1, g_steps: int = 1) -> None:
        super().__init__()
        if min(d_steps, g_steps) < 0 or d_steps + g_steps == 0:
            raise InputError(
                f"d_steps and g_steps must be 0 or more and not both 0, got {d_steps} and {g_steps}"
            )
        self.d_steps = d_steps
        self.g_steps = g_steps

    def phases(self, progress: Progress) -> tuple[Player, ...]:
        """Return (D,) for all batches of a round but the last, and (D, G, ...) for that one."""
        discriminator = (Player.DISCRIMINATOR,) * min(self.d_steps, 1)
        last_of_round = (progress.batches + 1) % max(self.d_steps, 1) == 0
        return discriminator + (Player.GENERATOR,) * (self.g_steps if last_of_round else 0)
