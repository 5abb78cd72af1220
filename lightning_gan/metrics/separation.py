"""How clearly a classifier tells the class of each sample."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_gan.errors import InputError
from lightning_gan.metrics.features import checked_logits

_SURE = 0.95
_NAMES = (
    "sharpness_margin",
    "sharpness_confidence",
    "sharpness_above_95",
    "sharpness_entropy",
)


def separation_sharpness(class_logits: Tensor) -> Tensor:
    """Return four measures of how clearly each sample belongs to one class.

    They are taken from the class probabilities, the softmax of the logits.

    Args:
        class_logits: Raw logits, float, shape (N, K) with K at least 2.

    Returns:
        float64, shape (N, 4): the margin between the two largest probabilities, the largest one,
        1 where that is above 0.95 and else 0, and the entropy in nats.
    """
    log_p = class_logits.double().log_softmax(dim=1)
    p = log_p.exp()
    largest, second = p.topk(2, dim=1).values.unbind(dim=1)
    entropy = -(p * log_p).sum(dim=1)
    return torch.stack([largest - second, largest, (largest > _SURE).double(), entropy], dim=1)


class SeparationSharpness(Metric):
    """Average over samples how clearly a classifier tells their class.

    ``compute`` returns ``sharpness_margin`` (mean margin between the two largest class
    probabilities), ``sharpness_confidence`` (mean largest one), ``sharpness_above_95`` (share of
    samples whose largest one is above 0.95) and ``sharpness_entropy`` (mean entropy in nats, from 0
    to ln K), scalars in float64. Read them beside those of real images and the classifier's own
    test accuracy: a classifier can be sure and wrong.

    Args:
        num_classes: Number of classes K, at least 2.
        **options: Arguments of :class:`torchmetrics.Metric`.

    Raises:
        InputError: There are fewer than 2 classes.

    Example:
        >>> sharpness = SeparationSharpness(num_classes=2)
        >>> sharpness.update(torch.tensor([[0.0, 0.0], [0.0, 100.0]]))
        >>> sharpness.compute()["sharpness_margin"].item()
        0.5
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    sums: Tensor
    counts: Tensor

    def __init__(self, num_classes: int, **options: Any) -> None:
        super().__init__(**options)
        if num_classes < 2:
            raise InputError(f"num_classes must be at least 2, got {num_classes}")
        self.num_classes = num_classes
        sums = torch.zeros(num_classes, len(_NAMES), dtype=torch.float64)
        self.add_state("sums", sums, dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, class_logits: Tensor) -> None:
        """Add samples, each to its most likely class.

        Args:
            class_logits: Raw logits of the classifier, float, shape (N, K).

        Raises:
            InputError: They have another shape or type, or are not finite.
        """
        logits = checked_logits(class_logits, self.num_classes)
        classes = logits.argmax(dim=1)
        self.sums.index_add_(0, classes, separation_sharpness(logits))
        self.counts += torch.bincount(classes, minlength=self.num_classes)

    def compute(self) -> dict[str, Tensor]:
        """Return the means over all samples.

        Raises:
            InputError: There are no samples.
        """
        if not self.counts.any():
            raise InputError("separation sharpness needs at least one sample: call update first")
        return dict(zip(_NAMES, self.sums.sum(dim=0) / self.counts.sum(), strict=True))

    def per_class(self) -> dict[str, Tensor]:
        """Return the means over the samples of each most likely class.

        Every process has to call it.

        Returns:
            The keys of ``compute``, each float64 of shape (K,), NaN for a class without samples.
        """
        with self.sync_context():
            means = self.sums / self.counts[:, None]
            return dict(zip(_NAMES, means.unbind(dim=1), strict=True))
