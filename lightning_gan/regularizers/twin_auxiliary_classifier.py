"""The twin classifier of TAC-GANs."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from lightning_gan.regularizers.base import Regularizer, labels_of
from lightning_gan.step import AdversarialStep


class TwinAuxiliaryClassifierRegularizer(Regularizer):
    r"""A second classifier, of fakes alone, that the generator fools (TAC-GAN, Gong et al. 2019).

    An auxiliary classifier by itself makes the generator keep to samples that are easy to classify.
    The twin :math:`Q^{mi}` learns the classes of fakes, and the generator makes them hard to tell
    for it:

    .. math:: \min_G \max_{Q^{mi}} E_{z, y} \log Q^{mi}(y \mid G(z, y))

    This is the twin's term alone: put the regularizer ``auxiliary_classifier`` beside it, whose
    classifier is another head of the discriminator. Data and generator have class labels; a sample
    without one, of label -1, has a term of 0.

    Args:
        weight: Factor of the term in both objectives, any number.
        head: Name of the entry of the discriminator's ``extra`` that holds the twin's class
            logits, (N, K); {"twin_class_logits": K} among its ``heads``.
        interval: Use the term in every ``interval``-th update of a player, ``interval``-fold; at
            least 1.

    Example:
        lightning-gan fit regularizers=[auxiliary_classifier,twin_auxiliary_classifier] \
            model.discriminator.heads.class_logits=10 \
            model.discriminator.heads.twin_class_logits=10
    """

    def __init__(
        self, weight: float = 1.0, head: str = "twin_class_logits", interval: int = 1
    ) -> None:
        super().__init__(weight, interval)
        self.head = head
        self.requires = frozenset({head})

    def discriminator(self, step: AdversarialStep) -> Tensor:
        """Return the twin's cross-entropy of fakes, shape (N,)."""
        logits = step.fake_output.extra[self.head]
        return _cross_entropy(logits, labels_of(self, step.fake_y))

    def generator(self, step: AdversarialStep) -> Tensor:
        """Return it with the other sign, shape (M,)."""
        logits = step.fake_output.extra[self.head]
        return -_cross_entropy(logits, labels_of(self, step.fake_y))


def _cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(logits, y, ignore_index=-1, reduction="none")
