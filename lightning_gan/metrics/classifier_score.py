"""How clear and how varied a classifier finds generated samples."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.metrics.rows import RowMetric, check_finite, check_rows, shuffle


class ClassifierScore(RowMetric):
    """The inception score's formula on the logits of any classifier.

    Salimans et al. 2016, section 4; see :func:`classifier_score`. Between 1 and the number of
    classes; larger is better. Only with the Inception network's logits is it the inception score.

    ``torchmetrics.image.InceptionScore`` divides its samples by the global random state.

    Args:
        splits: Number of parts that are scored one by one.
        seed: Seed of the division into parts; no global random state is touched.

    Raises:
        InputError: ``splits`` is less than 1.
    """

    higher_is_better: bool = True
    sets: tuple[str, ...] = ("fake",)

    def __init__(self, splits: int = 10, seed: int = 0) -> None:
        super().__init__()
        if splits < 1:
            raise InputError(f"splits must be at least 1, got {splits}")
        self.splits = splits
        self.seed = seed

    def update(self, class_logits: Tensor) -> None:  # type: ignore[override]
        """Add generated samples.

        Args:
            class_logits: Logits of the classifier, floating-point, shape (N, K).

        Raises:
            InputError: The shape or dtype is another, or K differs from that of earlier samples.
        """
        self._keep("fake", class_logits)

    def compute(self) -> dict[str, Tensor]:
        """Return ``classifier_score`` and ``classifier_score_std``, float64 scalars.

        Raises:
            InputError: There are fewer samples than parts, or a logit is not finite.
        """
        return classifier_score(self._rows("fake"), self.splits, self.seed)


def classifier_score(class_logits: Tensor, splits: int = 10, seed: int = 0) -> dict[str, Tensor]:
    r"""Score class predictions by :math:`\exp E_x KL(p(y|x) \| p(y))` in each of several parts.

    Salimans et al. 2016, section 4, with :math:`p(y)` the mean prediction of the part.

    Args:
        class_logits: Shape (N, K).
        splits: Number of parts, whose sizes differ by at most one.
        seed: Seed of the division into parts.

    Returns:
        ``classifier_score``, the mean over the parts, and ``classifier_score_std``, their standard
        deviation (divided by their number, not one less), float64 scalars.

    Raises:
        InputError: There are fewer samples than parts, or the logits are not a finite matrix.
    """
    check_rows(class_logits, "the classifier score's class logits")
    if len(class_logits) < splits:
        raise InputError(
            f"the classifier score needs at least one fake sample in each of its {splits} parts, "
            f"got {len(class_logits)}: give more samples or lower splits"
        )
    check_finite(class_logits, "the classifier score's class logits")
    log_p = shuffle(class_logits, seed).double().log_softmax(dim=1)
    scores = torch.stack([_score(part) for part in log_p.tensor_split(splits)])
    return {
        "classifier_score": scores.mean(),
        "classifier_score_std": scores.std(correction=0),
    }


def _score(log_p: Tensor) -> Tensor:
    log_marginal = log_p.logsumexp(dim=0) - math.log(len(log_p))
    return (log_p.exp() * (log_p - log_marginal)).sum(dim=1).mean().exp()
