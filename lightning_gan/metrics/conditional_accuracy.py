"""How often a conditional generator draws the class that was asked for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_gan.errors import InputError
from lightning_gan.metrics.class_balance import wilson_interval
from lightning_gan.metrics.features import checked_logits


def conditional_accuracy(confusion: Tensor) -> dict[str, Tensor]:
    """Return how often the class that was seen is the one that was asked for.

    Args:
        confusion: Samples asked for as class i and seen as class j, int64, shape (K, K).

    Returns:
        Scalars in float64: ``conditional_accuracy`` over all samples, its 95 % interval
        ``conditional_accuracy_low`` and ``_high`` (Wilson 1927), and ``worst_class_accuracy``, the
        smallest of the classes that were asked for.

    Raises:
        InputError: There are no samples.
    """
    asked = confusion.sum(dim=1)
    if not asked.any():
        raise InputError("conditional accuracy needs at least one sample: call update first")
    right = confusion.diagonal()
    low, high = wilson_interval(right.sum(), asked.sum())
    return {
        "conditional_accuracy": right.sum().double() / asked.sum(),
        "conditional_accuracy_low": low,
        "conditional_accuracy_high": high,
        "worst_class_accuracy": (right.double() / asked)[asked > 0].min(),
    }


class ConditionalAccuracy(Metric):
    """Compare the class that a classifier sees in each sample with the one that was asked for.

    ``compute`` returns the values of :func:`conditional_accuracy`.

    Args:
        num_classes: Number of classes K, at least 2.
        **options: Arguments of :class:`torchmetrics.Metric`.

    Raises:
        InputError: There are fewer than 2 classes.

    Example:
        >>> accuracy = ConditionalAccuracy(num_classes=2)
        >>> accuracy.update(torch.tensor([[3.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0]))
        >>> accuracy.compute()["conditional_accuracy"].item()
        0.5
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    counts: Tensor

    def __init__(self, num_classes: int, **options: Any) -> None:
        super().__init__(**options)
        if num_classes < 2:
            raise InputError(f"num_classes must be at least 2, got {num_classes}")
        self.num_classes = num_classes
        counts = torch.zeros(num_classes, num_classes, dtype=torch.int64)
        self.add_state("counts", counts, dist_reduce_fx="sum")

    def update(self, class_logits: Tensor, labels: Tensor) -> None:
        """Count the most likely class of each sample beside the one that was asked for.

        Args:
            class_logits: Raw logits of the classifier, float, shape (N, K).
            labels: Classes that were asked for, integers in 0..K-1, shape (N,).

        Raises:
            InputError: They have another shape, type or range, or are not finite.
        """
        seen = checked_logits(class_logits, self.num_classes).argmax(dim=1)
        cells = self._checked_labels(labels, len(seen)) * self.num_classes + seen
        counts = torch.bincount(cells, minlength=self.num_classes**2)
        self.counts += counts.view_as(self.counts)

    def compute(self) -> dict[str, Tensor]:
        """Return the values of :func:`conditional_accuracy`."""
        return conditional_accuracy(self.counts)

    def confusion(self) -> Tensor:
        """Return how many samples were asked for as class i and seen as class j, shape (K, K).

        Every process has to call it.
        """
        with self.sync_context():
            return self.counts.clone()

    def _checked_labels(self, labels: Tensor, n: int) -> Tensor:
        if labels.shape != (n,) or labels.is_floating_point():
            raise InputError(
                f"labels must be integers of shape ({n},), one for each row of class_logits, "
                f"got {labels.dtype} of shape {tuple(labels.shape)}"
            )
        labels = labels.to(self.counts)
        if n and (labels.min() < 0 or labels.max() >= self.num_classes):
            raise InputError(
                f"labels must lie in 0..{self.num_classes - 1}, "
                f"got {labels.min().item()}..{labels.max().item()}"
            )
        return labels
