"""The optimal discriminator beside the trained one, for data whose density is known."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from lightning_gan.callbacks.periodic import check_positive
from lightning_gan.callbacks.pictures.base import Picture
from lightning_gan.callbacks.pictures.figures import figure_pixels, new_figure
from lightning_gan.callbacks.pictures.mixture_scores import MixtureScores, score_mixture
from lightning_gan.data.mixtures import Mixture
from lightning_gan.errors import InputError
from lightning_gan.game.gan import GAN

SHOWN_POINTS = 500  # of each kind; more of them hide the panel


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
      al. 2018);
    - ``mixture/rarest_mode``: share of these at the mode that has the fewest, times K: 1 where all
      modes are served alike, near 0 where one is covered in name only;
    - ``mixture/spread``: how wide modes are, 1 as the data's, less where samples collapse inside
      modes (:class:`~lightning_gan.metrics.MixtureModes`); left out where no mode has ten samples.

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
        super().__init__("mixture", seed, every_n_steps, every_n_rounds, every_n_epochs)
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
                "; train on one of these or leave this callback out"
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
                "; leave the labels of the data out (labels=False)"
            )

    def pictures(self, trainer: pl.Trainer, module: Any) -> Iterator[tuple[int | None, Tensor]]:
        """Make the picture of now, and log the scores in it."""
        data = _data(trainer)
        found = score_mixture(module, data, self.n, self.resolution, self.seed)
        # Not with log(), which is closed before training and after it.
        known = {name: value for name, value in found.scores.items() if math.isfinite(value)}
        trainer.callback_metrics.update({k: torch.tensor(v) for k, v in known.items()})
        for logger in trainer.loggers:
            logger.log_metrics(known, max(trainer.global_step - 1, 0))
        yield None, draw(found, data, trainer.global_step)


def draw(found: MixtureScores, data: Mixture, step: int) -> Tensor:
    """Draw both panels; return a picture, uint8 of shape (3, 560, 1100)."""
    figure = new_figure(1100, 560)
    figure.set_layout_engine("constrained")
    scores = {name.removeprefix("mixture/"): value for name, value in found.scores.items()}
    figure.suptitle(
        f"step {step:,}    Jensen-Shannon divergence {scores['jsd']:.3f} nats "
        f"({scores['jsd'] / math.log(2):.0%} of ln 2)\n"
        f"modes {scores['modes_covered']:.0f} of {len(data.modes)}, "
        f"the rarest at {scores['rarest_mode']:.0%}    "
        f"high quality {scores['high_quality']:.0%}, spread {scores['spread']:.2f}"
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


def _data(trainer: pl.Trainer) -> Any:
    return trainer.datamodule  # type: ignore[attr-defined]
