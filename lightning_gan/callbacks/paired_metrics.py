"""Metrics of pairs on held-out samples: each fake beside the real sample that it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torchmetrics import MeanMetric, Metric
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure

from lightning_gan.errors import InputError
from lightning_gan.evaluation.scores import Direction, direction
from lightning_gan.metrics.features import SYMMETRIC
from lightning_gan.types import describe, range_bounds, widened

SMALLEST = 11  # pixels on a side, the window of structural similarity
Function = Callable[..., Any]  # of (fake, real, y)


class PairedMetrics(pl.Callback):
    """Measure how near fakes are to the real samples of their conditions, in validation and test.

    For super resolution, translation, vocoders: where the condition says what the sample should be.
    Nothing is generated for it; ``validation_step`` returns ``real``, ``fake`` and ``y``. Values
    are those of all samples of the epoch, over all processes and loaders, and are logged as
    ``val/<name>`` (``test/<name>``) for ``ModelCheckpoint``, ``EarlyStopping`` and the loggers.
    What a metric gathers lasts for one epoch: it is reset before each and is in no checkpoint.

    A metric is a torchmetrics metric that is updated with (fake, real), as those of the kind
    (prediction, target) are, or a function of (fake, real, y) that returns one value for each
    sample, shape (N,), or their mean. Where a metric asks for other things than the samples, such
    as spectra of sound, write a function, or override :meth:`inputs`. A metric whose value is a
    dict is logged as ``val/<name>/<key>``.

    Args:
        metrics: Metrics by name. None: for images, the peak signal-to-noise ratio ``psnr``, of an
            image and not of the whole epoch's squared error, and, from 11 pixels a side on, the
            structural similarity ``ssim`` (Wang et al. 2004), for the declared ``sample_range``,
            values counted from its least.

    Raises:
        InputError: A metric is neither; at the first validation, ``metrics`` is None and samples
            are no images or have no bounds, or ``validation_step`` does not return real and fake.

    Example:
        >>> from torchmetrics import MeanAbsoluteError
        >>> def largest_error(fake, real, y):
        ...     return (fake - real).abs().flatten(1).amax(1)
        >>> callback = PairedMetrics({"mae": MeanAbsoluteError(), "largest": largest_error})
    """

    def __init__(self, metrics: dict[str, Metric | Function] | None = None) -> None:
        for name, metric in (metrics or {}).items():
            if not callable(metric) or isinstance(metric, type):
                raise InputError(
                    f"PairedMetrics: {name} must be a torchmetrics metric or a function of "
                    f"(fake, real, y), got {metric!r}; a class has to be called first"
                )
        self._given = metrics
        self._metrics: dict[str, Metric] = {}
        self._functions: dict[str, Function] = {}

    def inputs(self, fake: Tensor, real: Tensor, y: Any) -> tuple[Any, ...]:
        """Return what metrics are updated with; override it for metrics of other things.

        Args:
            fake: Generated samples, float32, shape (N, *sample_shape), in their own range.
            real: Real samples, the same shape.
            y: Their conditions.
        """
        return fake, real

    def logged_scores(self, module: Any) -> dict[str, Direction]:
        """Return the names of the metrics, and which direction is better, where they say so."""
        given = image_metrics(module) if self._given is None else self._given
        return {name: _direction(name, metric) for name, metric in given.items()}

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin anew."""
        self._begin(pl_module)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin anew."""
        self._begin(pl_module)

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Look at the fakes of one batch."""
        self._update("validation_step", outputs)

    def on_test_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Look at the fakes of one batch."""
        self._update("test_step", outputs)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the values as ``val/...``."""
        self._log(pl_module, "val")

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the values as ``test/...``."""
        self._log(pl_module, "test")

    def _begin(self, module: Any) -> None:
        given = image_metrics(module) if self._given is None else self._given
        self._functions = {n: each for n, each in given.items() if not isinstance(each, Metric)}
        self._metrics = {
            name: each if isinstance(each, Metric) else MeanMetric("disable")
            for name, each in given.items()
        }
        for metric in self._metrics.values():
            metric.to(module.device)
            metric.reset()

    def _update(self, step: str, outputs: Any) -> None:
        if not isinstance(outputs, Mapping) or not {"real", "fake"} <= outputs.keys():
            raise InputError(
                f"PairedMetrics expects {step} to return a dict with 'real' and 'fake', got "
                f"{describe(outputs)}; return what GANModule.{step} does"
            )
        fake, real = widened(outputs["fake"]), widened(outputs["real"])
        y = outputs.get("y")
        for name, metric in self._metrics.items():
            function = self._functions.get(name)
            if function is None:
                metric.update(*self.inputs(fake, real, y))
            else:
                metric.update(_each(name, function(fake, real, y), len(real)))

    def _log(self, module: pl.LightningModule, stage: str) -> None:
        for name, metric in self._metrics.items():
            found = metric.compute()  # of all processes, which have to call it
            values = found if isinstance(found, Mapping) else {"": found}
            for key, value in values.items():
                module.log(f"{stage}/{name}{key and f'/{key}'}", value, sync_dist=True)


def _direction(name: str, metric: Metric | Function) -> Direction:
    higher = getattr(metric, "higher_is_better", None)  # of a Metric; None where it does not know
    if higher is None:
        return direction(name)
    return "higher" if higher else "lower"


def _each(name: str, value: Any, n: int) -> Tensor:
    """Return a function's value for each of n samples."""
    found = torch.as_tensor(value)
    if found.dim() == 0:
        return found.expand(n)
    if len(found) != n:
        raise InputError(
            f"PairedMetrics: {name} must return one value for each of {n} samples, or their mean, "
            f"got {describe(found)}"
        )
    return found.reshape(n, -1).mean(1)


def image_metrics(module: Any) -> dict[str, Metric | Function]:
    """Return PSNR, and SSIM where images are large enough, for the range of a module's samples.

    Raises:
        InputError: Samples are no images, or their range has no bounds.
    """
    shape, declared = module.generator.sample_shape, getattr(module, "sample_range", None)
    bounds = range_bounds(declared) if declared is not None else SYMMETRIC
    if len(shape) != 3 or bounds is None:
        raise InputError(
            f"PairedMetrics has metrics for images in a declared range, got samples of shape "
            f"{tuple(shape)} and sample_range={declared!r}; pass others, such as "
            "metrics={'mae': torchmetrics.MeanAbsoluteError()}"
        )
    low, high = bounds
    data_range = high - low
    psnr = PeakSignalNoiseRatio(data_range=data_range, reduction="elementwise_mean", dim=(1, 2, 3))
    if any(size is not None and size < SMALLEST for size in shape[1:]):
        return {"psnr": psnr}
    return {"psnr": psnr, "ssim": _Similarity(low, high)}


class _Similarity(StructuralSimilarityIndexMeasure):
    """Structural similarity of images in [low, high]: its formula is one for values from 0 on."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__(data_range=high - low)
        self.low = low

    def update(self, preds: Tensor, target: Tensor) -> None:
        super().update(preds - self.low, target - self.low)
