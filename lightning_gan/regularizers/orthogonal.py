"""Orthogonal regularization."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Literal

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player, widened

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
FORMS = ("off_diagonal", "full")
PLAYERS = ("generator", "discriminator", "both")


class OrthogonalRegularizer(Regularizer):
    r"""Filters of a layer orthogonal to each other (Brock et al. 2017; BigGAN, Brock et al. 2019).

    For each weight W, one row for each output of its layer, the term is :math:`\lVert W W^\top
    \odot (1 - I) \rVert_F^2` ("off_diagonal", BigGAN's, which leaves the norms of rows free) or
    :math:`\lVert W W^\top - I \rVert_F^2` ("full", as BigGAN writes the older term, which sums
    absolute values in place of squares); the sum over weights is the term. ``weight`` is BigGAN's
    beta. Where there are more rows than columns "full" cannot be 0, and "off_diagonal" only with
    rows of zeros.

    Weights are trained parameters of two or more dimensions. Of a layer with spectral norm it is
    the parameter, not its normalised value. The first two dimensions of transposed convolutions are
    exchanged, so that rows are outputs there as well.

    Args:
        weight: beta, any number.
        interval: Use the term in every ``interval``-th update of a player, ``interval``-fold; at
            least 1.
        form: "off_diagonal" or "full".
        players: Whose weights: the "generator"'s, as BigGAN does, the "discriminator"'s, or "both".
        skip: Names of parameters that are left alone, with ``*`` for any text: "embedding.*".

    Raises:
        InputError: ``form`` or ``players`` is unknown.
    """

    def __init__(
        self,
        weight: float = 1e-4,
        interval: int = 1,
        form: Literal["off_diagonal", "full"] = "off_diagonal",
        players: Literal["generator", "discriminator", "both"] = "generator",
        skip: Sequence[str] = (),
    ) -> None:
        super().__init__(weight, interval)
        if form not in FORMS:
            raise InputError(f"form must be one of {', '.join(FORMS)}, got {form!r}")
        if players not in PLAYERS:
            raise InputError(f"players must be one of {', '.join(PLAYERS)}, got {players!r}")
        self.form = form
        self.players = players
        self.skip = skip

    def acts_on(self, player: Player) -> bool:
        """Whether this player is regularized."""
        return self.players in (player.value, "both")

    def discriminator(self, step: AdversarialStep) -> Tensor | None:
        """Return the term of the discriminator's weights, a scalar; None without weights."""
        return self._term(step, step.discriminator) if self.acts_on(step.player) else None

    def generator(self, step: AdversarialStep) -> Tensor | None:
        """Return the term of the generator's weights, a scalar; None without weights."""
        network = step.generator
        return self._term(step, network) if network and self.acts_on(step.player) else None

    def _term(self, step: AdversarialStep, network: nn.Module) -> Tensor | None:
        with torch.autocast(step.real.device.type, enabled=False):
            found = [self._of(widened(rows)) for rows in self._weights(network)]
        return torch.stack(found).sum() if found else None

    def _of(self, rows: Tensor) -> Tensor:
        """Return the term of one weight, by the smaller of its two products."""
        outputs, inputs = rows.shape
        if self.form == "off_diagonal":
            norms = rows.square().sum(1)
            product = rows @ rows.T if outputs <= inputs else rows.T @ rows
            return product.square().sum() - norms.square().sum()
        if outputs <= inputs:
            identity = torch.eye(outputs, dtype=rows.dtype, device=rows.device)
            return (rows @ rows.T - identity).square().sum()
        # |W W' - I|^2 = |W' W|^2 - 2 |W|^2 + outputs
        return (rows.T @ rows).square().sum() - 2 * rows.square().sum() + outputs

    def _weights(self, network: nn.Module) -> Iterator[Tensor]:
        """Yield weights as matrices with a row for each output."""
        layers = [layer for layer in network.modules() if isinstance(layer, TRANSPOSED)]
        transposed = {id(parameter) for layer in layers for parameter in layer.parameters()}
        for name, parameter in network.named_parameters():
            if parameter.dim() < 2 or not parameter.requires_grad:
                continue
            if not any(fnmatchcase(name, pattern) for pattern in self.skip):
                rows = parameter.transpose(0, 1) if id(parameter) in transposed else parameter
                yield rows.flatten(1)
