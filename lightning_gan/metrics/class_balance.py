"""How evenly a generator serves the classes, judged by a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from lightning_gan.errors import InputError
from lightning_gan.metrics.features import checked_logits

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_CONFIDENCE = 0.95
_NO_SAMPLES = "class balance needs at least one sample: call update first"


class ClassHistogram(NamedTuple):
    """Counts of the classes with their shares and 95 % intervals.

    Attributes:
        counts: Samples of each class, int64, shape (K,).
        shares: Counts over their sum, float64, shape (K,).
        low: Lower limits of the shares (Wilson 1927), each class by itself, shape (K,).
        high: Upper limits, shape (K,).
        expected: Expected shares, shape (K,).
    """

    counts: Tensor
    shares: Tensor
    low: Tensor
    high: Tensor
    expected: Tensor


def class_balance(
    counts: Tensor, expected: Tensor, bootstrap: int = 1000, seed: int = 0
) -> dict[str, float]:
    r"""Compare the classes of n samples with expected shares.

    With shares :math:`p_k` of the samples and expected shares :math:`q_k`:

    - ``chi_square``, ``chi_square_p``: Pearson's test with K - 1 degrees of freedom; its p-value
      is reliable where every :math:`n q_k` is 5 or more;
    - ``total_variation``: :math:`\frac{1}{2} \sum_k |p_k - q_k|`, in [0, 1];
    - ``total_variation_noise``: what ``total_variation`` is on average for n samples that do have
      the expected shares;
    - ``kl``: :math:`\sum_k p_k \ln(p_k / q_k)`, from the samples to the expectation, in nats;
    - ``smallest_class``: :math:`\min_k p_k`;
    - ``class_entropy``: :math:`-\sum_k p_k \ln p_k`, in nats: ln K where all are equal.

    ``total_variation``, ``kl`` and ``smallest_class`` have 95 % intervals, ``_low`` and ``_high``.
    Sampling noise raises the first two, and resampling raises them again: their limits are those of
    the basic bootstrap (Davison and Hinkley 1997, chapter 5) over multinomial resamplings, which
    subtracts that bias. Where the chi-square test does not reject the expected shares (p >= 0.05)
    they are 0 and the percentile of the resamplings. The limits of the smallest class are the
    smallest ones of Wilson intervals that hold for all classes at once (Bonferroni).

    Args:
        counts: Samples of each class, integers, shape (K,).
        expected: Expected shares, positive, with sum 1, shape (K,).
        bootstrap: Number of resamplings.
        seed: Seed of the resamplings; no global random state is used.

    Raises:
        InputError: There are no samples.
    """
    from scipy.special import entr
    from scipy.stats import chisquare

    n = int(counts.sum())
    if n == 0:
        raise InputError(_NO_SAMPLES)
    observed: Integers = counts.cpu().numpy().astype(np.int64)
    q: Floats = expected.cpu().numpy().astype(np.float64)
    q = q / q.sum()  # scipy wants sums equal to the last bits
    p = observed / n
    test = chisquare(observed, n * q)
    low, high = wilson_interval(counts, n, 1 - (1 - _CONFIDENCE) / len(q))
    result = {
        "chi_square": float(test.statistic),
        "chi_square_p": float(test.pvalue),
        "total_variation_noise": _expected_total_variation(n, q),
        "class_entropy": float(entr(p).sum()),
        "smallest_class": float(p.min()),
        "smallest_class_low": low.min().item(),
        "smallest_class_high": high.min().item(),
    }
    resampled = np.random.default_rng(seed).multinomial(n, p, size=bootstrap) / n
    for name, distance in _DISTANCES.items():
        value = float(distance(p, q))
        rejected = test.pvalue < 1 - _CONFIDENCE
        limits = _distance_interval(value, distance(resampled, q), rejected)
        result |= {name: value, f"{name}_low": limits[0], f"{name}_high": limits[1]}
    return result


def wilson_interval(
    counts: Tensor, n: Tensor | int, confidence: float = _CONFIDENCE
) -> tuple[Tensor, Tensor]:
    """Return limits of shares, each by itself (Wilson 1927).

    Args:
        counts: Samples that count, integers, any shape.
        n: Samples in all, at least 1, an integer or a tensor of the same shape.
        confidence: Probability that the limits hold the true share.

    Returns:
        Lower and upper limits, float64, in the shape of ``counts``.
    """
    from scipy.stats import binomtest

    totals = torch.as_tensor(n).expand(counts.shape)
    pairs = zip(counts.flatten().tolist(), totals.flatten().tolist(), strict=True)
    limits = [binomtest(k, of).proportion_ci(confidence, method="wilson") for k, of in pairs]
    both = torch.tensor(limits, dtype=torch.float64, device=counts.device)
    low, high = both.view(*counts.shape, 2).unbind(-1)
    return low, high


class ClassBalance(Metric):
    """Compare the classes that a classifier sees in samples with expected shares.

    ``compute`` returns the values of :func:`class_balance`, scalars in float64.

    Args:
        num_classes: Number of classes K, at least 2.
        expected: Expected share (or count) of each class, K positive numbers that are scaled to
            sum 1; None for equal shares.
        bootstrap: Number of resamplings for the intervals.
        seed: Seed of the resamplings.
        **options: Arguments of :class:`torchmetrics.Metric`.

    Raises:
        InputError: There are fewer than 2 classes, ``expected`` does not fit, or ``bootstrap`` is
            below 1.

    Example:
        >>> balance = ClassBalance(num_classes=2)
        >>> balance.update(torch.tensor([[3.0, 0.0], [0.0, 1.0], [2.0, 1.0], [1.0, 0.0]]))
        >>> balance.histogram().counts.tolist()
        [3, 1]
        >>> balance.compute()["total_variation"].item()
        0.25
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    counts: Tensor
    expected: Tensor

    def __init__(
        self,
        num_classes: int,
        expected: Sequence[float] | Tensor | None = None,
        bootstrap: int = 1000,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if num_classes < 2:
            raise InputError(f"num_classes must be at least 2, got {num_classes}")
        if bootstrap < 1:
            raise InputError(f"bootstrap must be at least 1, got {bootstrap}")
        self.num_classes = num_classes
        self.bootstrap = bootstrap
        self.seed = seed
        shares = _shares(num_classes, expected)
        self.register_buffer("expected", shares, persistent=False)
        self.add_state("counts", torch.zeros(num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, class_logits: Tensor) -> None:
        """Count the most likely class of each sample.

        Args:
            class_logits: Raw logits of the classifier, float, shape (N, K).

        Raises:
            InputError: They have another shape or type, or are not finite.
        """
        classes = checked_logits(class_logits, self.num_classes).argmax(dim=1)
        self.counts += torch.bincount(classes, minlength=self.num_classes)

    def compute(self) -> dict[str, Tensor]:
        """Return the values of :func:`class_balance`."""
        values = class_balance(self.counts, self.expected, self.bootstrap, self.seed)
        return {name: self.expected.new_tensor(value) for name, value in values.items()}

    def histogram(self) -> ClassHistogram:
        """Return counts and shares with intervals, for a picture; every process has to call it.

        Raises:
            InputError: There are no samples.
        """
        with self.sync_context():
            counts = self.counts.clone()
        n = counts.sum()
        if n == 0:
            raise InputError(_NO_SAMPLES)
        low, high = wilson_interval(counts, n)
        return ClassHistogram(counts, counts.double() / n, low, high, self.expected)


def _shares(num_classes: int, expected: Sequence[float] | Tensor | None) -> Tensor:
    if expected is None:
        return torch.full((num_classes,), 1 / num_classes, dtype=torch.float64)
    shares = torch.as_tensor(expected, dtype=torch.float64)
    positive = bool(shares.isfinite().all() and (shares > 0).all())
    if shares.shape != (num_classes,) or not positive:
        raise InputError(f"expected must be {num_classes} positive numbers, got {shares.tolist()}")
    return shares / shares.sum()


def _total_variation(p: Floats, q: Floats) -> Floats:
    return np.asarray(np.abs(p - q).sum(axis=-1) / 2)


def _kl(p: Floats, q: Floats) -> Floats:
    from scipy.special import rel_entr

    return np.asarray(rel_entr(p, q).sum(axis=-1))


_DISTANCES = {"total_variation": _total_variation, "kl": _kl}


def _distance_interval(value: float, resampled: Floats, rejected: bool) -> tuple[float, float]:
    tail = (1 - _CONFIDENCE) / 2
    smallest, largest = np.quantile(resampled, [tail, 1 - tail]).tolist()
    if not rejected:
        return 0.0, max(largest, value)
    return min(max(2 * value - largest, 0.0), value), max(2 * value - smallest, value)


def _expected_total_variation(n: int, q: Floats) -> float:
    """Return the mean total variation between n samples of ``q`` and ``q`` itself.

    Each count is binomial, with the mean absolute deviation of de Moivre's formula (Diaconis and
    Zabell 1991): 2 m (1 - q) P(X = m), where m is the first integer above n q.
    """
    from scipy.stats import binom

    m = np.floor(n * q) + 1
    return float((m * (1 - q) * binom.pmf(m, n, q)).sum() / n)
