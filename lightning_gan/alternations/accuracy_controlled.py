"""A discriminator that rests while it wins."""

from __future__ import annotations

from typing import Any

from lightning_gan.alternations.base import Alternation
from lightning_gan.errors import InputError
from lightning_gan.types import Feedback, Player, Progress, finite


class AccuracyControlled(Alternation):
    r"""D, then G, on every batch; D rests while its accuracy is above a threshold.

    A heuristic against a discriminator that leaves the generator behind. Accuracy is the share of
    logits of the right sign, of real samples and fakes in equal parts,

    .. math:: a = \frac{1}{2} + \frac{1}{4} \left(\mathrm{E}[\mathrm{sign} D(x)] -
        \mathrm{E}[\mathrm{sign} D(G(z))]\right),

    over the batch and all processes, and :math:`\bar a \leftarrow m \bar a + (1 - m) a` is its
    moving average, 1/2 at first. While D rests it is measured on each batch of G's, so that it
    comes back as soon as G has caught up. The host reads one number a batch. Logits of relativistic
    losses have no zero, and no accuracy.

    Args:
        threshold: D rests while the average is above this, in [0.5, 1].
        momentum: m, weight of the past in the average, in [0, 1).

    Raises:
        InputError: A number is out of its range.
    """

    observes = True
    measures = frozenset({Player.DISCRIMINATOR})

    def __init__(self, threshold: float = 0.8, momentum: float = 0.9) -> None:
        super().__init__()
        self.threshold, self.momentum = finite(threshold, "threshold"), finite(momentum, "momentum")
        if not 0.5 <= self.threshold <= 1:
            raise InputError(f"threshold must lie in [0.5, 1], got {threshold}")
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum must lie in [0, 1), got {momentum}")
        self.accuracy = 0.5

    def phases(self, progress: Progress) -> tuple[Player, ...]:
        """Return (G,) while D wins, else (D, G)."""
        if self.accuracy > self.threshold:
            return (Player.GENERATOR,)
        return (Player.DISCRIMINATOR, Player.GENERATOR)

    def observe(self, feedback: Feedback) -> None:
        """Take a batch into the average, where D judged both real samples and fakes."""
        real, fake = feedback.real_sign, feedback.fake_sign
        if real is None or fake is None:
            return
        accuracy = 0.5 + float(real - fake) / 4
        self.accuracy = self.momentum * self.accuracy + (1 - self.momentum) * accuracy

    def get_extra_state(self) -> dict[str, Any]:
        """Return the average."""
        return {"accuracy": self.accuracy}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`get_extra_state` returned."""
        self.accuracy = state["accuracy"]
