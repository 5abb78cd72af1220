"""How many of the classes samples hit, and how far their shares are from those of the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.special import entr
from torchmetrics import Metric

from lightning_gan.errors import InputError
from lightning_gan.metrics.features import checked_logits

CONFIDENT = 0.9  # probability that a classifier gives to the class it sees


class Modes(Metric):
    r"""Count the classes that a classifier sees in samples, as Stacked MNIST is judged.

    As in Srivastava et al. 2017 (VEEGAN) and Lin et al. 2018 (PacGAN), who count over 26,000
    samples. ``compute`` returns scalars in float64:

    - ``modes``: classes seen in at least one sample;
    - ``confident_modes``: classes that the classifier gives a probability of at least 0.9 in at
      least one sample, so that no blur between two digits counts as a mode;
    - ``confident_share``: share of the samples whose class is seen with that probability;
    - ``mode_kl``: :math:`\sum_k p_k \ln (p_k / q_k)` in nats, of the samples' shares p from the
      expected shares q; infinite where a class is seen that nobody expects;
    - ``mode_kl_floor``: what that is on average for n samples of q itself, about (K - 1) / (2n),
      here without approximation.

    Args:
        num_classes: Number of classes K, at least 2.
        expected: Expected share (or count) of each class, K numbers, none negative, that are scaled
            to sum 1; None for equal shares.
        **options: Arguments of :class:`torchmetrics.Metric`.

    Raises:
        InputError: There are fewer than 2 classes, or ``expected`` does not fit.

    Example:
        >>> metric = Modes(num_classes=3)
        >>> metric.update(torch.tensor([[9.0, 0.0, 0.0], [0.0, 0.1, 0.0]]))
        >>> {name: round(float(value), 2) for name, value in metric.compute().items()}
        ... # doctest: +NORMALIZE_WHITESPACE
        {'modes': 2.0, 'confident_modes': 1.0, 'confident_share': 0.5, 'mode_kl': 0.41,
         'mode_kl_floor': 0.64}
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    counts: Tensor
    confident: Tensor
    expected: Tensor

    def __init__(
        self,
        num_classes: int,
        expected: Sequence[float] | Tensor | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if num_classes < 2:
            raise InputError(f"num_classes must be at least 2, got {num_classes}")
        self.num_classes = num_classes
        shares = torch.ones(num_classes, dtype=torch.float64)
        if expected is not None:
            shares = torch.as_tensor(expected, dtype=torch.float64)
        sound = shares.shape == (num_classes,) and bool((shares >= 0).all()) and shares.sum() > 0
        if not sound:
            raise InputError(
                f"expected must be {num_classes} numbers of at least 0 that are not all 0, got "
                f"{shares.tolist()}"
            )
        self.register_buffer("expected", shares / shares.sum(), persistent=False)
        zeros = torch.zeros(num_classes, dtype=torch.int64)
        self.add_state("counts", zeros, dist_reduce_fx="sum")
        self.add_state("confident", zeros.clone(), dist_reduce_fx="sum")

    def update(self, class_logits: Tensor) -> None:
        """Count the most likely class of each sample.

        Args:
            class_logits: Raw logits of the classifier, float, shape (N, K).

        Raises:
            InputError: They have another shape or type, or are not finite.
        """
        logits = checked_logits(class_logits, self.num_classes)
        highest, seen = logits.max(dim=1)
        surely = (highest - logits.logsumexp(dim=1)).exp() >= CONFIDENT
        self.counts += seen.bincount(minlength=self.num_classes)
        self.confident += seen[surely].bincount(minlength=self.num_classes)

    def compute(self) -> dict[str, Tensor]:
        """Return the scores.

        Raises:
            InputError: There are no samples.
        """
        n = int(self.counts.sum())
        if n == 0:
            raise InputError("modes need at least one sample: call update first")
        p = self.counts.double() / n
        seen = p > 0
        return {
            "modes": seen.sum().double(),
            "confident_modes": self.confident.count_nonzero().double(),
            "confident_share": self.confident.sum() / p.new_tensor(n),
            "mode_kl": (p[seen] * (p[seen] / self.expected[seen]).log()).sum(),
            "mode_kl_floor": kl_floor(self.expected, n),
        }


def kl_floor(expected: Tensor, n: int) -> Tensor:
    r"""Return the mean of KL(shares of n samples || q), where the samples are drawn from q.

    Each count X is binomial (n, q): the sum over classes of :math:`E[\frac{X}{n} \ln \frac{X}{n
    q}]`, over all values that X takes with a probability that matters.

    Args:
        expected: q, float64, shape (K,).
        n: Number of samples.

    Returns:
        A scalar in nats, float64.
    """
    from scipy.stats import binom

    q, times = torch.unique(expected[expected > 0].cpu(), return_counts=True)
    total = expected.new_zeros((), device="cpu")
    for share, count in zip(q.tolist(), times.tolist(), strict=True):
        low, high = (int(binom.ppf(tail, n, share)) for tail in (1e-12, 1 - 1e-12))
        x = torch.arange(max(low, 0), high + 1, dtype=torch.float64)
        mass = torch.from_numpy(binom.pmf(x.numpy(), n, share))
        total += count * (mass * (-entr(x / n) - x / n * _log(share))).sum()
    return total.to(expected)


def _log(share: float) -> Tensor:
    return torch.tensor(share, dtype=torch.float64).log()
