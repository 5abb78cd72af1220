"""The loss balancer of EnCodec."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from lightning_gan.balances.base import Balance, gradient_norms, named, safe_ratio, sum_of
from lightning_gan.errors import InputError
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player, finite


class GradientBalance(Balance):
    r"""Chosen shares of the gradient for each term (Défossez et al. 2022, section 3.4, equation 5).

    With :math:`g_i` the gradient of term i with respect to the generated samples, the term is
    multiplied so that this gradient becomes

    .. math:: \tilde g_i = R \, \frac{\lambda_i}{\sum_j \lambda_j}
        \cdot \frac{g_i}{\langle \lVert g_i \rVert_2 \rangle_\beta}

    whatever the scale and the weight of the term. Norms are those of a whole batch; their moving
    average is free of its zero start, and leaves out what is NaN or infinite. A lazy term has its
    share of the updates in which it is due. Terms that are not named, and those of the
    discriminator, are left alone: name those that depend on the samples, not a codebook's loss.

    Args:
        shares: :math:`\lambda_i` by the names of terms, such as ``{"adversarial": 3.0, "mel":
            1.0}``, each at least 0; the parts of a term share one.
        total_norm: R, the norm that the shares divide among them, at least 0.
        beta: Decay of the moving average of the norms, in [0, 1).
        largest: Largest factor, at least 0.

    Example:
        lightning-gan fit model.balance=gradient_balance \
            model.balance.shares.adversarial=1.0

    Raises:
        InputError: A number is out of range; in training, a named term does not depend on the
            samples.
    """

    totals: Tensor
    counts: Tensor

    def __init__(
        self,
        shares: dict[str, float],
        total_norm: float = 1.0,
        beta: float = 0.999,
        largest: float = 1e6,
    ) -> None:
        super().__init__()
        for share in shares.values():
            finite(share, "shares")
        if not shares or min(shares.values()) < 0 or sum(shares.values()) <= 0:
            raise InputError(
                "shares must give a number of 0 or more to each term, and more than 0 to one, got "
                f"{shares}"
            )
        if not (total_norm >= 0 and largest >= 0 and 0 <= beta < 1):
            raise InputError(
                "total_norm and largest must be 0 or more and beta at least 0 and below 1, got "
                f"{total_norm}, {largest} and {beta}"
            )
        self.shares = dict(shares)
        self.total_norm = total_norm
        self.beta = beta
        self.largest = largest
        self.register_buffer("totals", torch.zeros(len(shares)))
        self.register_buffer("counts", torch.zeros(len(shares)))

    def weights(
        self, player: Player, terms: Mapping[str, Tensor], step: AdversarialStep
    ) -> Mapping[str, Tensor | float]:
        """Return the factors of the generator's terms that have a share."""
        present = [name for name in self.shares if named(terms, [name])]
        if player is not Player.GENERATOR or not present or not step.fake.requires_grad:
            return {}
        whole = {name: sum_of(named(terms, [name])) for name in present}
        indices = [list(self.shares).index(name) for name in present]
        if torch.is_grad_enabled():
            norms = gradient_norms(self, whole, step.fake)
            for index, norm in zip(indices, norms, strict=True):
                self._note(index, norm)
        averages = self.totals / self.counts.clamp(min=torch.finfo(self.counts.dtype).tiny)
        everything = sum(self.shares.values())
        factors: dict[str, Tensor | float] = {}
        for index, name in zip(indices, present, strict=True):
            norm = self.total_norm * self.shares[name] / everything
            wanted = torch.full_like(averages[index], norm)
            factor = safe_ratio(wanted, averages[index], self.largest)
            factors.update(dict.fromkeys(named(terms, [name]), factor))
        return factors

    def _note(self, index: int, norm: Tensor) -> None:
        """Take a norm into its average, unless it is NaN or infinite."""
        known = norm.isfinite()
        for buffer, value in ((self.totals, norm), (self.counts, torch.ones_like(norm))):
            old = buffer[index]
            buffer[index] = torch.where(known, self.beta * old + (1 - self.beta) * value, old)
