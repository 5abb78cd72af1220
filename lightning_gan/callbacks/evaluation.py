"""Score cards while training goes on."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.utilities import rank_zero_info, rank_zero_warn

from lightning_gan.callbacks.periodic import Periodic
from lightning_gan.callbacks.pictures.class_histogram import class_histogram
from lightning_gan.callbacks.sink import leaves_files, run_folder, write_image
from lightning_gan.errors import InputError
from lightning_gan.evaluation.card import ScoreCard
from lightning_gan.evaluation.evaluator import Evaluator
from lightning_gan.evaluation.plan import METRICS, Plan
from lightning_gan.evaluation.scores import OF_METRICS, Direction, direction
from lightning_gan.files.names import SCORECARDS
from lightning_gan.metrics.features import FeatureExtractor
from lightning_gan.training.seams.saving import saves_every

PREFIX = "val/"


class Evaluation(Periodic):
    """Score the generator that sampling uses every n steps and at the end.

    Each evaluation writes ``scorecards/step-<step>.json`` in the run's folder, sends every score to
    the loggers as ``val/<score>`` (``val/fid``, ``val/recall``, ...), and draws the classes of the
    samples as ``samples/classes-<step>.png`` where they are known. ``ModelCheckpoint`` and
    ``EarlyStopping`` can monitor the scores; a checkpoint that is ranked by one has to be saved at
    steps that have one. Training goes on exactly as it would without evaluation.

    The judge and the features of the real images are made once, before training. Numbers from few
    samples are for the course of a run: FID and the others depend on how many there are.
    Samples that cannot be scored, because they are not finite, give a warning and no card; so does,
    in one process, an evaluation that runs out of memory or disk. A ``fast_dev_run`` evaluates
    nothing.

    Args:
        every_n_steps: Batches between evaluations; None: only at the end.
        every_n_rounds: The same in rounds, in place of steps.
        every_n_epochs: The same in epochs, in place of steps.
        n_fake: Generated samples.
        n_real: Real images at most.
        split: Which split the real images come from, "train" or "test".
        features: Who looks at the images: "judge", "inception", or "auto" for the judge where the
            data have labels; or a FeatureExtractor.
        weights: File of Inception's weights; None where they can be downloaded.
        seed: Seed of the latents, the same for every evaluation.
        metrics: Names of the metrics, such as [fid, precision_recall]; None: all that are possible.

    Attributes:
        card: The latest score card, or None.

    Raises:
        InputError: A setting is out of its range; at fit start, generator, data and settings do not
            fit, or a checkpoint is ranked by scores that it will not have.
    """

    def __init__(
        self,
        every_n_steps: int | None = 1000,
        every_n_rounds: int | None = None,
        every_n_epochs: int | None = None,
        n_fake: int = 2000,
        n_real: int = 10_000,
        split: Literal["train", "test"] = "train",
        features: str | FeatureExtractor = "auto",
        weights: str | None = None,
        seed: int = 0,
        metrics: Sequence[str] | None = None,
    ) -> None:
        super().__init__(every_n_steps, every_n_rounds, every_n_epochs)
        self.plan = Plan(
            features=features,
            weights=weights,
            n_fake=n_fake,
            n_real=n_real,
            split=split,
            seed=seed,
            metrics=metrics,
        )
        self.card: ScoreCard | None = None
        self._evaluator: Evaluator | None = None

    def logged_scores(self, module: Any) -> dict[str, Direction]:
        """Return the names of the scores, and which direction is better.

        Before training starts, those of all metrics that are asked for or that there are.
        """
        metrics = self.plan.metrics or METRICS
        if self._evaluator is not None:
            metrics = tuple(self._evaluator.measures)
        return {name: direction(name) for metric in metrics for name in OF_METRICS[metric]}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Check that everything fits, and make ready what does not change."""
        self.card, self._evaluator = None, None
        if not leaves_files(trainer):
            return
        self._check_monitors(trainer)
        data = trainer.datamodule  # type: ignore[attr-defined]
        if data is None:
            raise InputError(
                "Evaluation expects the real images in a data module, got loaders alone: "
                "use trainer.fit(gan, datamodule=...)"
            )
        rank_zero_info("Evaluation: preparing the features of the real images")
        started = time.perf_counter()
        self._evaluator = Evaluator(pl_module, data, self.plan)
        rank_zero_info(
            f"Evaluation: {self._evaluator.extractor.name}, {self._evaluator.facts.n_real:,} real "
            f"images, ready after {time.perf_counter() - started:.1f} s"
        )

    def start(self, trainer: pl.Trainer, module: Any) -> None:
        """Let a resumed run that trains no further be evaluated, too."""
        self._acted_at = 0

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let go of the features."""
        self._evaluator = None

    def act(self, trainer: pl.Trainer, module: Any) -> None:
        """Evaluate the generator of now; before checkpoints are written, where it is due."""
        if self._evaluator is None:
            return
        step = trainer.global_step
        # A long run does not end over a measurement, be it for memory or a full disk. Of several
        # processes one alone may fail so, and would go on without the others: there it ends.
        broken = (RuntimeError, TypeError, OSError) if trainer.world_size == 1 else ()
        try:
            self.card = self._evaluator.score(module, step=step)
        except InputError as error:
            rank_zero_warn(f"no score card at step {step}: {error}")
            return
        except broken as error:
            rank_zero_warn(f"no score card at step {step}: {_in_one_line(error)}")
            return
        self._publish(trainer, self.card)
        try:
            self._write(trainer, self.card, step)
        except broken as error:
            rank_zero_warn(f"score card at step {step} not written: {_in_one_line(error)}")

    def _write(self, trainer: pl.Trainer, card: ScoreCard, step: int) -> None:
        """Write the card and the picture of its classes into the run's folder."""
        folder = run_folder(trainer)  # asks all ranks
        if trainer.is_global_zero:
            card.save(folder / SCORECARDS / f"step-{step:08d}.json")
        shares = card.details.get("class_shares")
        if shares is not None:
            limits = (shares["low"], shares["high"], shares["expected"])
            write_image(trainer, "classes", class_histogram(shares["share"], *limits), step)

    def _publish(self, trainer: pl.Trainer, card: ScoreCard) -> None:
        """Send the scores to the loggers, and to the callbacks that monitor them."""
        values = {f"{PREFIX}{name}": value for name, value in card.scores.items()}
        # Not with log(), which is closed when training ends.
        trainer.callback_metrics.update({k: torch.tensor(v) for k, v in values.items()})
        finite = {key: value for key, value in values.items() if math.isfinite(value)}
        for logger in trainer.loggers:
            logger.log_metrics(finite, trainer.global_step - 1)

    def _check_monitors(self, trainer: pl.Trainer) -> None:
        """Refuse checkpoints ranked by a score that would be missing, old or upside down."""
        for callback in trainer.checkpoint_callbacks:
            key = getattr(callback, "monitor", None) or ""
            better = direction(key.removeprefix(PREFIX)) if key.startswith(PREFIX) else "neither"
            if better == "neither" or not isinstance(callback, ModelCheckpoint):
                continue
            mode = {"lower": "min", "higher": "max"}.get(better, callback.mode)
            if callback.mode != mode:
                raise InputError(
                    f"the checkpoint's monitor {key} is better when it is {better}, got its mode "
                    f"{callback.mode}: set that to {mode}"
                )
            # Lightning would keep the step before as the best, or fail at the next validation.
            saves = saves_every(callback)
            every = self.cadence.every if self.cadence.unit == "step" else None
            if saves and (every is None or saves % every):
                raise InputError(
                    f"the checkpoint's monitor {key} ranks checkpoints every {saves} steps, which "
                    f"evaluation has no scores for: set every_n_steps to {saves}"
                )


def _in_one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
