"""The terms of a codebook."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import finite, widened


class CommitmentRegularizer(Regularizer):
    r"""Codebook and commitment terms of a quantizing generator (van den Oord et al. 2017, eq. 3).

    .. math:: \lVert \mathrm{sg}[z_e] - e \rVert_2^2 + \beta \lVert z_e - \mathrm{sg}[e] \rVert_2^2

    The first moves the code vectors e to the encoder's outputs :math:`z_e`, the second keeps the
    encoder near the vectors it chose; sg stops the gradient. Both are means over all entries of a
    sample. The generator returns them as by-products, the chosen vectors from before the
    straight-through step: ``GeneratorOutput(samples, {"encoded": z_e, "quantized": e})``.

    Args:
        weight: Factor of both, any number.
        beta: Factor of the commitment, at least 0.
        codebook_weight: Factor of the codebook term, at least 0; 0 for a codebook that is moved by
            averages (appendix A.1 of the paper) in place of gradients.
        encoded: Name of the by-product that holds the encoder's outputs, shape (N, ...).
        quantized: Name of the one that holds the vectors chosen for them, the same shape.
        interval: Use the term in every ``interval``-th generator update, ``interval``-fold; at
            least 1.

    Example:
        lightning-gan fit experiment=tokenizer_vq  # of the plugin lightning-gan-tokenizer

    Raises:
        InputError: A factor is negative, or both are 0.
    """

    def __init__(
        self,
        weight: float = 1.0,
        beta: float = 0.25,
        codebook_weight: float = 1.0,
        encoded: str = "encoded",
        quantized: str = "quantized",
        interval: int = 1,
    ) -> None:
        super().__init__(weight, interval)
        self.beta = finite(beta, "beta")
        self.codebook_weight = finite(codebook_weight, "codebook_weight")
        if min(self.beta, self.codebook_weight) < 0 or self.beta == self.codebook_weight == 0:
            raise InputError(
                "beta and codebook_weight must be 0 or more, and not both 0, got "
                f"{beta} and {codebook_weight}"
            )
        self.encoded, self.quantized = encoded, quantized
        self.requires = frozenset({encoded, quantized})

    def generator(self, step: AdversarialStep) -> Mapping[str, Tensor]:
        """Return ``codebook`` and ``commitment`` of each sample, weighted, shape (N,).

        Raises:
            InputError: The shapes differ.
        """
        extra = step.generator_output.extra
        z_e, e = widened(extra[self.encoded]), widened(extra[self.quantized])
        if z_e.shape != e.shape:
            raise InputError(
                f"{self.encoded} and {self.quantized} must have one shape, got "
                f"{tuple(z_e.shape)} and {tuple(e.shape)}"
            )
        terms = {}
        if self.codebook_weight > 0:
            terms["codebook"] = self.codebook_weight * _distance(z_e.detach(), e)
        if self.beta > 0:
            terms["commitment"] = self.beta * _distance(z_e, e.detach())
        return terms


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square().flatten(1).mean(1)
