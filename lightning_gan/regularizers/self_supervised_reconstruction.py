"""The reconstruction that the discriminator of FastGAN learns by."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep


class SelfSupervisedReconstructionRegularizer(Regularizer):
    r"""L1 distance of what the discriminator rebuilds of real samples (FastGAN, Liu et al. 2021).

    .. math:: \sum_{f} \lVert \mathcal G(f) - \mathcal T(x) \rVert_1

    over the feature maps f that D decodes, with T(x) the sample, or the part of it, that belongs to
    the map (section 3.2); each norm is the mean over all values. It makes D look at all of a
    sample, and needs ``extra["reconstructions"]`` of D, a list of pairs of what it made and what
    that should have been.

    The authors measure the distance by LPIPS, a network that was trained on labelled photographs;
    here it is L1 between the values themselves.

    Args:
        weight: Factor of the term, any number.
        interval: Use the term in every ``interval``-th discriminator update, ``interval``-fold; at
            least 1.

    Example:
        lightning-gan fit generator=fastgan discriminator=fastgan \
            regularizers=[self_supervised_reconstruction]
    """

    requires = frozenset({"reconstructions"})

    def __init__(self, weight: float = 1.0, interval: int = 1) -> None:
        super().__init__(weight, interval)

    def discriminator(self, step: AdversarialStep) -> Tensor:
        """Return the sum of the distances, shape (N,)."""
        pairs = step.real_output.extra["reconstructions"]
        distances = [(made - target).abs().flatten(1).mean(1) for made, target in pairs]
        return torch.stack(distances).sum(0)
