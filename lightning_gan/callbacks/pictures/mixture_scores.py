"""A generator against a mixture of known density, and D against the best discriminator there is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from torch.special import entr

from lightning_gan.data.mixtures import Mixture
from lightning_gan.game import randomness
from lightning_gan.game.gan import GAN
from lightning_gan.game.sampling import generate
from lightning_gan.game.statistics import evaluating
from lightning_gan.metrics.mixture_modes import MixtureModes
from lightning_gan.types import as_discriminator_output

HIGH_QUALITY = 3.0  # standard deviations between a good sample and its mode
SHOWN_FROM = 3  # samples of both kinds in a cell; fewer tell nothing of their ratio
BATCH = 4096


@dataclass(frozen=True)
class MixtureScores:
    """A generator against a mixture, and a discriminator against the optimal one.

    Attributes:
        real: Fresh points of p_data, shape (N, 2).
        fake: Points of p_G, shape (N, 2).
        optimal: D* in each cell of a grid over [-1, 1]^2, shape (R, R), rows from the bottom; NaN
            where there are too few samples to tell.
        trained: D at the center of each cell, same shape.
        scores: What the loggers get, by its name.
    """

    real: Tensor
    fake: Tensor
    optimal: Tensor
    trained: Tensor
    scores: dict[str, float]


def score_mixture(gan: GAN, data: Mixture, n: int, resolution: int, seed: int) -> MixtureScores:
    """Compare the generator with the data, and the discriminator with the optimal one.

    Args:
        gan: Its trained generator and its discriminator are used, in eval mode.
        data: The mixture.
        n: Number of samples of either distribution, N.
        resolution: Cells on either axis of [-1, 1]^2, R.
        seed: Seed of the samples.
    """
    device = next(gan.generator.parameters()).device
    fake = generate(gan.generator, gan.prior, n, None, seed, device, conditions=gan.conditions)
    # Not the seed alone, from which a data module of that seed drew the training points.
    source = randomness.seeded(randomness.derive(seed, 1), torch.device("cpu"))
    real, _ = data.sample(n, source)
    edges = torch.linspace(-1, 1, resolution + 1, dtype=torch.float64)
    centers = (edges[1:] + edges[:-1]) / 2
    grid = torch.stack(torch.meshgrid(centers, centers, indexing="xy"), dim=2).view(-1, 2)
    on_grid, on_real, on_fake = (_logits(gan.discriminator, x.to(fake)) for x in (grid, real, fake))
    bound = math.log(2) + (logsigmoid(on_real).mean() + logsigmoid(-on_fake).mean()) / 2

    fake = fake.cpu().double()
    masses, counts = count_cells(data, edges, fake)
    together = masses + counts / n
    optimal = masses / together.where(together * n >= SHOWN_FROM, math.nan)
    covered, good, rarest = coverage(fake, data.modes.double(), data.std)
    inside = MixtureModes(data.modes, data.std, sync_on_compute=False)
    inside.update(fake)
    return MixtureScores(
        real,
        fake,
        optimal[:-1].view(resolution, resolution),
        on_grid.sigmoid().view(resolution, resolution),
        {
            "mixture/jsd": jensen_shannon(masses, counts),
            "mixture/jsd_by_discriminator": bound.item(),
            "mixture/modes_covered": float(covered),
            "mixture/high_quality": good,
            "mixture/rarest_mode": rarest,
            "mixture/spread": inside.compute()["spread"].item(),
        },
    )


def count_cells(data: Mixture, edges: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mass of the data and the number of samples in each cell and outside all cells.

    Args:
        data: The mixture.
        edges: Borders of the cells on either axis, shape (R + 1,).
        fake: Samples, shape (N, 2); those that are not finite lie outside.

    Returns:
        Masses and counts, each of shape (R * R + 1,), the last for outside.
    """
    cells = len(edges) - 1
    masses = data.cell_masses(edges).flatten()
    place = torch.bucketize(fake, edges, right=True) - 1
    inside = ((place >= 0) & (place < cells)).all(dim=1)
    index = (cells * place[:, 1] + place[:, 0]).where(inside, cells**2)
    counts = index.bincount(minlength=cells**2 + 1).to(masses)
    return torch.hstack([masses, (1 - masses.sum()).clamp(min=0)]), counts


def jensen_shannon(masses: Tensor, counts: Tensor) -> float:
    r"""Estimate the Jensen-Shannon divergence of known masses p and a distribution of samples.

    Frequencies q of N samples in place of their distribution make it too large by about
    :math:`\frac{1}{4N} \sum_c D^*_c` over the occupied cells c: half the second derivative in q,
    :math:`p / (2 q (p + q))`, times the variance q / N of a frequency. That is taken off. What
    remains of 50,000 samples of the data themselves is about 0.0016 nats on MixturePicture's grid,
    0.2 % of ln 2. Cells hide what is smaller than they are, so that they never add divergence.

    Args:
        masses: p, shape (C,), sums to 1.
        counts: Samples in each cell, shape (C,), sums to N.

    Returns:
        The divergence in nats, in [0, ln 2].
    """
    n = counts.sum()
    q = counts / n
    middle = (masses + q) / 2
    biased = (entr(middle) - (entr(masses) + entr(q)) / 2).sum()
    occupied = counts > 0
    bias = (masses[occupied] / middle[occupied]).sum() / (8 * n)
    return float((biased - bias).clamp(0, math.log(2)))


def coverage(fake: Tensor, modes: Tensor, std: float) -> tuple[int, float, float]:
    """Return the number of modes covered, the share of good samples, and the rarest mode's.

    Args:
        fake: Samples, shape (N, 2).
        modes: Centers, shape (K, 2).
        std: Standard deviation of a mode.

    Returns:
        Modes with a good sample; the share of samples that are good, which is within three standard
        deviations of the nearest mode; the least share of the good samples at one mode, times K.
    """
    distance, nearest = torch.cdist(fake, modes).min(dim=1)
    found = nearest[distance <= HIGH_QUALITY * std].bincount(minlength=len(modes))
    good = int(found.sum())
    rarest = len(modes) * int(found.min()) / max(good, 1)
    return int(found.count_nonzero()), good / len(fake), rarest


def _logits(discriminator: nn.Module, x: Tensor) -> Tensor:
    """Return the logits of points (N, 2) in float64 on the CPU, shape (N,)."""
    with torch.inference_mode(), evaluating(discriminator):
        outputs = [discriminator(part, None) for part in torch.split(x, BATCH)]
    heads = [as_discriminator_output(output).heads for output in outputs]
    joined = [torch.stack([h.reshape(len(h), -1).mean(1) for h in each]).mean(0) for each in heads]
    return torch.cat(joined).cpu().double()
