"""The optimal discriminator beside the trained one, for data whose density is known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from torch.special import entr

from lightning_gan.callbacks.cadence import Cadence, check_positive
from lightning_gan.callbacks.figures import figure_pixels, new_figure
from lightning_gan.callbacks.picture import Picture
from lightning_gan.data.mixtures import Mixture
from lightning_gan.errors import InputError
from lightning_gan.game import randomness
from lightning_gan.game.gan import GAN
from lightning_gan.game.sampling import generate
from lightning_gan.game.statistics import evaluating
from lightning_gan.types import as_discriminator_output

HIGH_QUALITY = 3.0  # standard deviations between a good sample and its mode
SHOWN_POINTS = 500  # of each kind; more of them hide the panel
SHOWN_FROM = 3  # samples of both kinds in a cell; fewer tell nothing of their ratio
BATCH = 4096


@dataclass(frozen=True)
class Comparison:
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


class MixturePicture(Picture):
    r"""Draw :math:`D^*` and D in the plane: before training, at every period, at the end.

    For a fixed generator the best discriminator is :math:`D^*(x) = p_{data}(x) / (p_{data}(x) +
    p_G(x))` (Goodfellow et al. 2014, proposition 1): 1/2 everywhere when the generator has learned
    the data. The left panel shows it, the right one :math:`D(x) = \sigma(logit)`. The generator is
    the trained one, which D plays against, and not its average.

    Pictures go to ``samples/mixture-<step>.png`` in the run's folder and to the loggers that show
    pictures. Each time the loggers get

    - ``mixture/jsd``: the Jensen-Shannon divergence of p_data and p_G in nats, 0 to ln 2, on the
      cells of the grid (:func:`jensen_shannon`);
    - ``mixture/jsd_by_discriminator``: the bound of it that D proves, :math:`\ln 2 + \frac{1}{2}
      (E_{p_{data}} \ln D + E_{p_G} \ln(1 - D))`, which :math:`D^*` alone attains (theorem 1);
    - ``mixture/high_quality``: share of samples within three standard deviations of a mode, 0.989
      for the data themselves;
    - ``mixture/modes_covered``: number of modes that at least one of these is nearest to (Lin et
      al. 2018, section 4.1);
    - ``mixture/rarest_mode``: share of these at the mode that has the fewest, times K: 1 where all
      modes are served alike, near 0 where one is covered in name only.

    Args:
        every_n_steps: Batches between pictures; None: only the first and the last.
        every_n_rounds: The same in rounds, in place of steps.
        every_n_epochs: The same in epochs, in place of steps.
        n: Samples of the generator for each picture.
        resolution: Cells of the grid over [-1, 1] on either axis; a cell should be no wider than
            a standard deviation of the modes.
        seed: Seed of the latents and of the real points, the same for every picture.

    Raises:
        InputError: A number is below 1, or two periods are given; at fit start, the data have no
            known density, or the discriminator needs labels.
    """

    def __init__(
        self,
        every_n_steps: int | None = 500,
        every_n_rounds: int | None = None,
        every_n_epochs: int | None = None,
        n: int = 50_000,
        resolution: int = 80,
        seed: int = 0,
    ) -> None:
        cadence = Cadence("MixturePicture", every_n_steps, every_n_rounds, every_n_epochs)
        super().__init__("mixture", cadence, seed)
        check_positive("MixturePicture", n=n, resolution=resolution)
        self.n = n
        self.resolution = resolution

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Check that the density is known, and that the discriminator is a function of x alone."""
        super().setup(trainer, pl_module, stage)
        data = _data(trainer)
        if stage == "fit" and not isinstance(data, Mixture):
            raise InputError(
                "MixturePicture expects data of known density (lightning_gan.data.MixtureRing, "
                f"MixtureGrid or Mixture), got {'loaders' if data is None else type(data).__name__}"
                "; choose data=mixture_ring or leave this callback out"
            )

    def check(self, module: Any) -> None:
        """Refuse a module without a discriminator that is a function of x alone."""
        if not isinstance(module, GAN):
            raise InputError(
                f"MixturePicture expects a GANModule, got {type(module).__name__}; "
                "leave this callback out"
            )
        classes = getattr(module.discriminator, "num_classes", None)
        if classes is not None:
            raise InputError(
                f"MixturePicture expects a discriminator without classes, got num_classes={classes}"
                "; set data.labels=false"
            )

    def pictures(self, trainer: pl.Trainer, module: Any) -> Iterator[tuple[int | None, Tensor]]:
        """Make the picture of now, and log the scores in it."""
        data = _data(trainer)
        found = compare(module, data, self.n, self.resolution, self.seed)
        # Not with log(), which is closed before training and after it.
        trainer.callback_metrics.update({k: torch.tensor(v) for k, v in found.scores.items()})
        for logger in trainer.loggers:
            logger.log_metrics(found.scores, max(trainer.global_step - 1, 0))
        yield None, draw(found, data, trainer.global_step)


def compare(gan: GAN, data: Mixture, n: int, resolution: int, seed: int) -> Comparison:
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
    return Comparison(
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


def draw(found: Comparison, data: Mixture, step: int) -> Tensor:
    """Draw both panels; return a picture, uint8 of shape (3, 560, 1100)."""
    figure = new_figure(1100, 560)
    figure.set_layout_engine("constrained")
    scores = {name.removeprefix("mixture/"): value for name, value in found.scores.items()}
    figure.suptitle(
        f"step {step:,}    Jensen-Shannon divergence {scores['jsd']:.3f} nats "
        f"({scores['jsd'] / math.log(2):.0%} of ln 2)    "
        f"modes {scores['modes_covered']:.0f} of {len(data.modes)}, "
        f"the rarest at {scores['rarest_mode']:.0%}    "
        f"high quality {scores['high_quality']:.0%}"
    )
    left, right = figure.subplots(1, 2)
    left.set_title("optimal  $D^*(x) = p_{data} / (p_{data} + p_G)$", fontsize="medium")
    right.set_title(
        f"trained  $D(x)$: divergence $\\geq$ {scores['jsd_by_discriminator']:.3f} nats",
        fontsize="medium",
    )
    panel = {"origin": "lower", "extent": (-1, 1, -1, 1), "vmin": 0, "vmax": 1, "cmap": "RdBu"}
    for axes, values in ((left, found.optimal), (right, found.trained)):
        shown = axes.imshow(values.numpy(), **panel)
        _scatter(axes, "data", found.real, "black")
        _scatter(axes, "generator", found.fake, "tab:green")
        axes.set(xlim=(-1, 1), ylim=(-1, 1), facecolor="0.85")
    entries = right.get_legend_handles_labels()
    figure.legend(*entries, loc="outside lower center", ncols=2, markerscale=4, frameon=False)
    figure.colorbar(shown, ax=[left, right], label="probability of being real", shrink=0.9)
    return figure_pixels(figure)


def _scatter(axes: Any, name: str, points: Tensor, color: str) -> None:
    x, y = points[:SHOWN_POINTS].T.numpy()
    axes.scatter(x, y, s=3, color=color, alpha=0.5, linewidths=0, label=name)


def _logits(discriminator: nn.Module, x: Tensor) -> Tensor:
    """Return the logits of points (N, 2) in float64 on the CPU, shape (N,)."""
    with torch.inference_mode(), evaluating(discriminator):
        outputs = [discriminator(part, None) for part in torch.split(x, BATCH)]
    heads = [as_discriminator_output(output).heads for output in outputs]
    joined = [torch.stack([h.reshape(len(h), -1).mean(1) for h in each]).mean(0) for each in heads]
    return torch.cat(joined).cpu().double()


def _data(trainer: pl.Trainer) -> Any:
    return trainer.datamodule  # type: ignore[attr-defined]
