"""Training of the generator on its best fakes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.losses.base import AdversarialLoss, LossWrapper
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player


class TopKLoss(LossWrapper):
    r"""Another loss, whose generator learns from the k best fakes alone (Sinha et al. 2020).

    The fakes of a batch with the k highest logits train the generator, the others are constants.
    Their losses are times N / k and those of the others 0, so that the mean over N is the mean over
    the k. The discriminator's half is the other loss's own. A sample's logit is the mean over its
    positions; each head chooses for itself, and so does each process and each micro-batch. Where
    the other loss is one number for the batch, the fakes that are left out have no gradient in it.

    The paper begins with all fakes and lowers k as training goes on: let a schedule do so, at the
    path ``loss.fraction``.

    Args:
        loss: The other loss, one whose high logits mean real.
        fraction: k / N, in (0, 1]; k is rounded and at least 1.

    Example:
        lightning-gan fit loss=top_k model.loss.loss=hinge

    Raises:
        InputError: ``fraction`` lies outside (0, 1], or the logits of ``loss`` have no direction.
    """

    def __init__(self, loss: AdversarialLoss, fraction: float = 0.5) -> None:
        super().__init__(loss)
        if not loss.directed:
            raise InputError(
                f"top_k needs a loss whose high logits mean real, and those of "
                f"{type(loss).__name__} have no direction"
            )
        if not 0 < fraction <= 1:
            raise InputError(f"fraction must lie in (0, 1], got {fraction}")
        self.fraction = float(fraction)
        self.couples_samples = True

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Return the other's half on the best fakes, times N / k, and 0 elsewhere."""
        chosen = self._chosen(fake_logits)
        chosen_logits = torch.where(chosen, fake_logits, fake_logits.detach())
        return self._counted(self.loss.generator(chosen_logits, real_logits), chosen)

    def play(self, step: AdversarialStep) -> Tensor | Sequence[Tensor]:
        """Return what the other one plays, of the best fakes in an update of the generator."""
        if step.player is Player.DISCRIMINATOR:
            return self.loss.play(step)
        output = step.fake_output
        chosen = [self._chosen(logits) for logits in output.heads]
        step.fake_output = replace(
            output,
            logits=[
                torch.where(each, logits, logits.detach())
                for each, logits in zip(chosen, output.heads, strict=True)
            ],
        )
        losses = self.loss.play(step)
        step.fake_output = output
        several = [losses] if isinstance(losses, Tensor) else losses
        if len(several) != len(chosen):  # joined by the other loss
            return losses
        counted = [self._counted(*pair) for pair in zip(several, chosen, strict=True)]
        return counted[0] if len(counted) == 1 else counted

    def _chosen(self, logits: Tensor) -> Tensor:
        """Return which fakes are among the best, of shape (N, 1, ...)."""
        n = len(logits)
        scores = logits.detach().reshape(n, -1).mean(1)
        chosen = torch.zeros_like(scores, dtype=torch.bool)
        chosen.scatter_(0, scores.topk(self._k(n)).indices, True)
        return chosen.reshape(n, *[1] * (logits.dim() - 1))

    def _k(self, n: int) -> int:
        return min(max(int(self.fraction * n + 0.5), 1), n)

    def _counted(self, losses: Tensor, chosen: Tensor) -> Tensor:
        """Return the losses of the best fakes, rescaled, and 0 for the others."""
        if losses.dim() == 0:
            return losses
        n = len(chosen)
        kept = chosen.reshape(n, *[1] * (losses.dim() - 1))
        return torch.where(kept, losses, torch.zeros_like(losses)) * (n / self._k(n))
