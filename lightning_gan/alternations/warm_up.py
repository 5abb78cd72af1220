"""One player alone at first."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from lightning_gan.alternations.base import Alternation
from lightning_gan.errors import InputError
from lightning_gan.types import Feedback, Player, Progress, finite


class WarmUp(Alternation):
    """One player alone for the first ``kimg`` thousand images, then another alternation.

    The player steps once on every batch of the warm-up, on all terms of its objective. To train G
    by its reconstruction alone meanwhile, schedule ``generator_weight`` as well.

    Args:
        kimg: Length of the warm-up in thousands of real images, at least 0.
        player: Who steps in it.
        then: What follows; None: D, then G, on every batch.

    Raises:
        InputError: ``kimg`` is negative, there is no such player, or ``then`` is no alternation.
    """

    def __init__(
        self,
        kimg: float,
        player: Literal["generator", "discriminator"] = "discriminator",
        then: Alternation | None = None,
    ) -> None:
        super().__init__()
        if finite(kimg, "kimg") < 0:
            raise InputError(f"kimg must be 0 or more, got {kimg}")
        if player not in [each.value for each in Player]:
            raise InputError(f"player must be 'generator' or 'discriminator', got {player!r}")
        if not isinstance(then, (Alternation, type(None))):
            raise InputError(f"then must be an alternation or null, got {then!r}")
        self.kimg = float(kimg)
        self.player = Player(player)
        self.then = Alternation() if then is None else then
        self.simultaneous = self.then.simultaneous
        self.observes, self.measures = self.then.observes, self.then.measures
        self._images = 0  # before the batch that is told of next

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Let what follows get to know the networks."""
        self.then.bind(generator, discriminator)

    def phases(self, progress: Progress) -> tuple[Player, ...]:
        """Return the one player during the warm-up, then what the other alternation says."""
        if progress.images < 1000 * self.kimg:
            return (self.player,)
        return self.then.phases(progress)

    def observe(self, feedback: Feedback) -> None:
        """Tell what follows of the batches on which it decided."""
        if self._images >= 1000 * self.kimg:
            self.then.observe(feedback)
        self._images = feedback.progress.images

    def get_extra_state(self) -> dict[str, Any]:
        """Return the images seen."""
        return {"images": self._images}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`get_extra_state` returned."""
        self._images = state["images"]
