"""What the metrics on features share: rows gathered from all processes, checked, in a known order.

No score is computed here. All arithmetic on features is done in float64, so that no setting of
matrix-product precision (TF32, bfloat16) can change a score.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_gan.errors import InputError


class RowMetric(Metric):
    """Base of metrics that keep the features of every sample, one row each.

    Feed the real side once and score many generators with ``metric.clone()``, which copies what
    was gathered so far. Rows are kept in the metric's dtype, float32 unless ``set_dtype`` was
    called.

    Attributes:
        sets: Names of the sets that the metric keeps.
    """

    full_state_update: bool = False
    is_differentiable: bool = False
    sets: tuple[str, ...] = ("real", "fake")
    width: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in self.sets:
            self.add_state(name, [], dist_reduce_fx="cat")
        self.add_state("width", torch.tensor(0), dist_reduce_fx="max")

    def update(self, features: Tensor, real: bool) -> None:
        """Add samples to one of the two sets.

        Args:
            features: One row a sample, floating-point, shape (N, D).
            real: Whether they are real samples; else generated ones.

        Raises:
            InputError: The shape or dtype is another, or D differs from that of earlier samples.
        """
        self._keep("real" if real else "fake", features)

    def _keep(self, name: str, rows: Tensor) -> None:
        check_rows(rows, f"{type(self).__name__}'s {name} samples")
        width = int(self.width)
        if width not in (0, rows.shape[1]):
            raise InputError(
                f"{type(self).__name__}'s {name} samples must have {width} columns like the "
                f"samples before them, got {rows.shape[1]}: use one extractor for all samples"
            )
        self.width = torch.full_like(self.width, rows.shape[1])
        # Flat, because a process without samples contributes a flat empty tensor.
        getattr(self, name).append(rows.detach().to(self.device, self.dtype).flatten())

    def _rows(self, name: str) -> Tensor:
        """Return one set, shape (N, D); N is 0 where there was no update."""
        kept = getattr(self, name)
        flat = torch.cat([torch.empty(0, device=self.device, dtype=self.dtype), *_pieces(kept)])
        return flat.view(-1, max(int(self.width), 1))


def check_rows(rows: Tensor, what: str) -> None:
    """Raise InputError unless ``rows`` is a floating-point tensor of shape (N, D)."""
    if rows.ndim != 2 or not rows.is_floating_point():
        raise InputError(
            f"{what} must be a floating-point tensor of shape (N, D), got {rows.dtype} of shape "
            f"{tuple(rows.shape)}: use .flatten(1).float()"
        )


def check_finite(rows: Tensor, what: str) -> None:
    """Raise InputError where a row holds NaN or infinity.

    Args:
        rows: Shape (N, D).
        what: Which rows they are, for the message.
    """
    bad = int((~rows.isfinite().all(dim=1)).sum())
    if bad:
        raise InputError(
            f"{what} must be finite, got NaN or infinity in {bad} of {len(rows)}: "
            "look for NaN in the images, and evaluate an earlier checkpoint if training diverged"
        )


def check_sets(metric: str, real: Tensor, fake: Tensor, at_least: int) -> None:
    """Raise InputError where two sets of features cannot be compared.

    Args:
        metric: Name of the score, for messages.
        real: Features of real samples, shape (N, D).
        fake: Features of generated samples, shape (M, D).
        at_least: Smallest N and M.

    Raises:
        InputError: Shape or dtype is another, the widths differ, there are too few samples, or a
            feature is not finite.
    """
    for name, rows in (("real", real), ("fake", fake)):
        check_rows(rows, f"{metric}'s {name} samples")
    if min(len(real), len(fake)) < at_least:
        raise InputError(
            f"{metric} needs at least {at_least} real and {at_least} fake samples, got "
            f"{len(real)} real and {len(fake)} fake ones: give more samples"
        )
    if real.shape[1] != fake.shape[1]:
        raise InputError(
            f"{metric} compares rows of one width, got {real.shape[1]} columns for real and "
            f"{fake.shape[1]} for fake samples: use one extractor for both"
        )
    for name, rows in (("real", real), ("fake", fake)):
        check_finite(rows, f"{metric}'s {name} samples")


def shuffle(rows: Tensor, seed: int) -> Tensor:
    """Return the rows in a random order that depends on the set and the seed alone.

    The rows are sorted before they are shuffled: whichever process drew a sample, and when, a
    seeded choice among the rows picks the same ones.

    Args:
        rows: Shape (N, D), without NaN.
        seed: Seed of the order; no global random state is touched.

    Returns:
        The same rows, shape (N, D).
    """
    ranks = torch.unique(rows, dim=0, return_inverse=True)[1]
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    return rows[ranks.argsort()[order.to(rows.device)]]


def _pieces(kept: Tensor | list[Tensor]) -> list[Tensor]:
    return [kept] if isinstance(kept, Tensor) else kept
