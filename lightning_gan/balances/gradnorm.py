"""GradNorm: terms that train at one pace."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lightning_gan.balances.base import (
    Balance,
    find_layer,
    gradient_norms,
    mean_over_ranks,
    named,
    safe_ratio,
    sum_of,
)
from lightning_gan.errors import InputError
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player


class GradNorm(Balance):
    r"""Weights that let the generator's terms train at one pace (Chen et al. 2018, equation 2).

    With :math:`G_i` the norm of the gradient of term i at one place, times its weight
    :math:`w_i`, every update takes one step of gradient descent on

    .. math:: L_{grad} = \sum_i \left| G_i - \bar G \, r_i^\alpha \right|, \quad
        r_i = \frac{L_i / L_i(0)}{\frac{1}{n} \sum_j L_j / L_j(0)}

    with the target held constant, and makes the weights sum to the number of terms n again. An
    update uses the weights from before its own step. What is simpler than in the paper: plain
    descent in place of Adam; the step is divided by the mean norm without weights, so that ``lr``
    does not depend on the scale of the losses; a weight ends at 0 in place of turning negative.
    Rates are those of :math:`|L_i|`, and say something of losses that fall towards 0, as those of
    reconstructions do; the rate of an adversarial term says little, and ``alpha=0`` asks for equal
    norms without it.

    The weights rest in updates in which a term is missing or a number is NaN or infinite. The
    terms that are not named, and those of the discriminator, are left alone.

    Args:
        terms: Names of two terms or more, such as ``["adversarial", "mel"]``.
        layer: Where gradients are compared: dotted name of a parameter of the generator, or of a
            module whose ``weight`` is meant; None: at the generated samples.
        lr: Learning rate of the weights, at least 0.
        alpha: How strongly terms that train slowly are favoured, at least 0; 0: not at all.

    Example:
        lightning-gan fit regularizers=[l1] model.balance=gradnorm \
            model.balance.terms=[adversarial,l1]

    Raises:
        InputError: A number is out of range; when the GAN is put together, the generator has no
            such layer; in training, a named term does not depend on it.
    """

    task_weights: Tensor
    first: Tensor
    started: Tensor

    def __init__(
        self, terms: list[str], layer: str | None = None, lr: float = 0.025, alpha: float = 1.5
    ) -> None:
        super().__init__()
        if len(set(terms)) < 2 or len(set(terms)) < len(terms):
            raise InputError(f"terms must name two terms or more, each once, got {terms}")
        if not (lr >= 0 and alpha >= 0):
            raise InputError(f"lr and alpha must be 0 or more, got {lr} and {alpha}")
        self.terms = list(terms)
        self.layer = layer
        self.lr = lr
        self.alpha = alpha
        self.register_buffer("task_weights", torch.ones(len(terms)))
        self.register_buffer("first", torch.ones(len(terms)))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Check that the generator has the layer."""
        if self.layer is not None:
            find_layer(self, generator, self.layer)

    def weights(
        self, player: Player, terms: Mapping[str, Tensor], step: AdversarialStep
    ) -> Mapping[str, Tensor | float]:
        """Return the weights of the generator's terms, and let them step."""
        if player is not Player.GENERATOR:
            return {}
        groups = {name: named(terms, [name]) for name in self.terms}
        before = self.task_weights.clone()
        if all(groups.values()) and torch.is_grad_enabled() and step.fake.requires_grad:
            whole = {name: sum_of(group) for name, group in groups.items()}
            losses = mean_over_ranks(torch.stack(list(whole.values())).detach().float())
            self._step(gradient_norms(self, whole, self._place(step)), losses.abs())
        return {key: before[i] for i, group in enumerate(groups.values()) for key in group}

    def _place(self, step: AdversarialStep) -> Tensor:
        if self.layer is None or step.generator is None:
            return step.fake
        return find_layer(self, step.generator, self.layer)

    def _step(self, norms: Tensor, losses: Tensor) -> None:
        """Take one step on L_grad, and make the weights sum to their number."""
        n = len(self.terms)
        known = norms.isfinite().all() & losses.isfinite().all()
        self.first.copy_(torch.where(known & ~self.started, losses, self.first))
        self.started.logical_or_(known)
        progress = safe_ratio(losses, self.first, torch.finfo(losses.dtype).max / n)
        rates = safe_ratio(progress, progress.mean(), n)
        weighted = self.task_weights * norms
        gap = weighted - weighted.mean() * rates**self.alpha
        slope = gap.sign() * safe_ratio(norms, norms.mean(), n)
        stepped = (self.task_weights - self.lr * slope).clamp(min=0)
        scaled = safe_ratio(n * stepped, stepped.sum(), n)
        self.task_weights.copy_(torch.where(known, scaled, self.task_weights))
