"""The data-to-data cross-entropy of ReACGAN."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, relu

from lightning_gan.errors import InputError
from lightning_gan.regularizers.base import Regularizer, labels_of
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player


class DataToDataCrossEntropyRegularizer(Regularizer):
    r"""Embeddings near their class's proxy, far from other classes (ReACGAN, Kang et al. 2021).

    With embeddings :math:`f_i` and a learned proxy :math:`v_y` of each class, all of norm 1,

    .. math:: -\log \frac{e^{[f_i^T v_{y_i} - m_p]_- / \tau}}{e^{[f_i^T v_{y_i} - m_p]_- / \tau} +
        \sum_{j: y_j \neq y_i} e^{[f_i^T f_j - m_n]_+ / \tau}}

    where :math:`[\cdot]_-` and :math:`[\cdot]_+` are the negative and the positive part: pairs that
    are near or far enough by the margins get no gradient. Samples of the same class are no
    negatives; one without a class, of label -1, has a term of 0 and is nobody's negative. The
    discriminator minimises it for real samples, the generator for fakes. Negatives are those of a
    process's own batch, or piece of one. The discriminator trains the proxies.

    Args:
        weight: Factor of the term in both objectives, any number.
        dim: Length of an embedding, at least 1.
        positive_margin: :math:`m_p`, in [-1, 1]: similar enough to the proxy.
        negative_margin: :math:`m_n`, in [-1, 1]: different enough from another class's sample.
        temperature: :math:`\tau`, above 0.
        head: Name of the entry of the discriminator's ``extra`` that holds embeddings, (N, dim);
            {"embedding": dim} among its ``heads``.
        classes: Number of classes, at least 1; None: those of the generator, or of the
            discriminator.
        interval: Use the term in every ``interval``-th update of a player, ``interval``-fold; at
            least 1.

    Example:
        lightning-gan fit regularizers=[data_to_data_cross_entropy] \
            model.discriminator.heads.embedding=512

    Raises:
        InputError: A number is out of range; when the GAN is put together, nobody knows the number
            of classes; in training, embeddings have another length.
    """

    couples_samples = True
    trained_by = Player.DISCRIMINATOR
    proxies: nn.Parameter

    def __init__(
        self,
        weight: float = 1.0,
        dim: int = 512,
        positive_margin: float = 0.98,
        negative_margin: float = 0.02,
        temperature: float = 0.5,
        head: str = "embedding",
        classes: int | None = None,
        interval: int = 1,
    ) -> None:
        super().__init__(weight, interval)
        sizes = [dim] if classes is None else [dim, classes]
        if any(type(size) is not int or size < 1 for size in sizes):
            raise InputError(
                f"dim and classes must be whole numbers from 1, got {dim!r} and {classes!r}"
            )
        if not (abs(positive_margin) <= 1 and abs(negative_margin) <= 1):
            raise InputError(
                "positive_margin and negative_margin must lie in [-1, 1], got "
                f"{positive_margin} and {negative_margin}"
            )
        if not temperature > 0:
            raise InputError(f"temperature must be positive, got {temperature}")
        self.dim, self.classes, self.head = dim, classes, head
        self.positive_margin, self.negative_margin = positive_margin, negative_margin
        self.temperature = temperature
        self.requires = frozenset({head})

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Make a proxy for each class."""
        known = (
            self.classes,
            *(getattr(n, "num_classes", None) for n in (generator, discriminator)),
        )
        classes = next((number for number in known if number is not None), None)
        if classes is None:
            raise InputError(
                "data_to_data_cross_entropy needs the number of classes, and neither network has "
                "num_classes: set its classes"
            )
        self.proxies = nn.Parameter(torch.randn(classes, self.dim))

    def discriminator(self, step: AdversarialStep) -> Tensor:
        """Return the cross-entropy of real samples, shape (N,)."""
        return self._cross_entropy(step.real_output.extra[self.head], step.y)

    def generator(self, step: AdversarialStep) -> Tensor:
        """Return the cross-entropy of fakes, shape (M,)."""
        return self._cross_entropy(step.fake_output.extra[self.head], step.fake_y)

    def _cross_entropy(self, embedding: Tensor, condition: Any) -> Tensor:
        if embedding.shape[1:] != (self.dim,):
            raise InputError(
                f"{self.head} of the discriminator must have shape (N, {self.dim}), got "
                f"{tuple(embedding.shape)}: set dim of data_to_data_cross_entropy, or the head's "
                "width"
            )
        y = labels_of(self, condition)
        labeled = y >= 0
        f, v = normalize(embedding, dim=1), normalize(self.proxies, dim=1)[y.clamp(min=0)]
        positive = -relu(self.positive_margin - (f * v).sum(1)) / self.temperature
        with torch.autocast(f.device.type, enabled=False):  # or margins would be rounded away
            negative = relu(f @ f.T - self.negative_margin) / self.temperature
        apart = (y[:, None] != y[None, :]) & labeled
        negative = negative.masked_fill(~apart, -torch.inf)
        return (torch.cat([positive[:, None], negative], 1).logsumexp(1) - positive) * labeled
