"""How samples serve the modes of a known mixture of Gaussians in the plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_gan.errors import InputError

RADIUS = 3.0  # standard deviations between a good sample and its mode
_BEYOND = math.exp(-(RADIUS**2) / 2)  # share of a Gaussian in the plane that lies further out
# Variance on an axis of what lies nearer, over sigma^2: 0.949.
_KEPT_VARIANCE = 1 - RADIUS**2 / 2 * _BEYOND / (1 - _BEYOND)
_HIT = 0.1  # of a mode's expected samples
_FEWEST = 10  # samples whose spread tells something


class MixtureModes(Metric):
    r"""Compare samples with K equally likely Gaussians :math:`N(\mu_k, \sigma^2 I)` in the plane.

    A sample belongs to the mode it is nearest to, and is good within three standard deviations of
    it. ``compute`` returns scalars in float64:

    - ``modes``: modes that are hit, by at least a tenth of the N / K samples that they should get,
      all of them good;
    - ``within_three_sigma``: share of the samples that are good; :math:`1 - e^{-4.5}`, 98.89 %, of
      the mixture itself, and more only where modes are narrower than they should be;
    - ``spread``: standard deviation of a mode's good samples about their own mean, over that of the
      mixture's good samples, :math:`\sigma \sqrt{1 - 4.5 e^{-4.5} / (1 - e^{-4.5})}`, the mean over
      the modes that have ten or more: 1 of the mixture itself, less where samples collapse inside
      modes; NaN where no mode has as many;
    - ``narrowest_mode``: the least spread of these modes;
    - ``rarest_mode``: good samples of the mode that has the fewest, over N / K.

    Args:
        modes: Centers mu of the modes, K pairs.
        std: sigma.
        **options: Arguments of :class:`torchmetrics.Metric`.

    Raises:
        InputError: There are no modes, they are not pairs, or ``std`` is not positive.

    Example:
        >>> metric = MixtureModes([[-1.0, 0.0], [1.0, 0.0]], std=0.1)
        >>> metric.update(torch.tensor([[-1.0, 0.1]] * 15 + [[1.1, 0.0]] * 3 + [[0.0, 0.0]] * 2))
        >>> {name: round(float(value), 3) for name, value in metric.compute().items()}
        ... # doctest: +NORMALIZE_WHITESPACE
        {'modes': 2.0, 'within_three_sigma': 0.9, 'spread': 0.0, 'narrowest_mode': 0.0,
         'rarest_mode': 0.3}
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    centers: Tensor
    counts: Tensor
    sums: Tensor
    squares: Tensor
    total: Tensor

    def __init__(
        self, modes: Tensor | Sequence[Sequence[float]], std: float, **options: Any
    ) -> None:
        super().__init__(**options)
        centers = torch.as_tensor(modes, dtype=torch.float64)
        if centers.dim() != 2 or centers.shape[1] != 2 or not len(centers):
            raise InputError(f"modes must be K pairs, got shape {tuple(centers.shape)}")
        if not std > 0:
            raise InputError(f"std must be positive, got {std}")
        self.std = std
        self.register_buffer("centers", centers, persistent=False)
        k = len(centers)
        zeros = torch.zeros(k, dtype=torch.int64)
        self.add_state("counts", zeros, dist_reduce_fx="sum")
        self.add_state("total", zeros.new_zeros(()), dist_reduce_fx="sum")
        # Of offsets from the centers in units of sigma, so that nothing is lost to rounding.
        self.add_state("sums", centers.new_zeros(k, 2), dist_reduce_fx="sum")
        self.add_state("squares", centers.new_zeros(k), dist_reduce_fx="sum")

    def update(self, samples: Tensor) -> None:
        """Count samples at their modes; those that are not finite belong to none.

        Args:
            samples: Points, float, shape (N, 2).

        Raises:
            InputError: They have another shape.
        """
        if samples.dim() != 2 or samples.shape[1] != 2:
            raise InputError(f"samples must be points (N, 2), got shape {tuple(samples.shape)}")
        self.total += len(samples)
        points = samples.detach().to(self.centers)
        points = points[points.isfinite().all(dim=1)]
        if not len(points):
            return
        distance, nearest = torch.cdist(points, self.centers).min(dim=1)
        good = distance <= RADIUS * self.std
        at = nearest[good]
        offsets = (points[good] - self.centers[at]) / self.std
        self.counts += at.bincount(minlength=len(self.centers))
        self.sums.index_add_(0, at, offsets)
        self.squares.index_add_(0, at, offsets.square().sum(dim=1))

    def compute(self) -> dict[str, Tensor]:
        """Return the scores.

        Raises:
            InputError: There are no samples.
        """
        if not self.total:
            raise InputError("mixture modes need at least one sample: call update first")
        counts = self.counts.double()
        expected = self.total / len(counts)
        enough = self.counts >= _FEWEST
        n = counts[enough]
        # Unbiased, on either axis, and mean of both.
        variance = (self.squares[enough] - self.sums[enough].square().sum(dim=1) / n) / (n - 1) / 2
        spreads = (variance.clamp(min=0) / _KEPT_VARIANCE).sqrt()
        nothing = counts.new_tensor(math.nan)
        return {
            "modes": (counts >= _HIT * expected).logical_and(counts > 0).sum().double(),
            "within_three_sigma": counts.sum() / self.total,
            "spread": spreads.mean() if len(spreads) else nothing,
            "narrowest_mode": spreads.min() if len(spreads) else nothing,
            "rarest_mode": counts.min() / expected,
        }
