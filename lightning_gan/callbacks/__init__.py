"""Callbacks for any GANModule: sample grids, loss curves, the summary of a run, predictions."""

from lightning_gan.callbacks.loss_curves import LossCurves
from lightning_gan.callbacks.prediction_writer import PredictionWriter
from lightning_gan.callbacks.sample_grid import SampleGrid
from lightning_gan.callbacks.summary import RunSummary

__all__ = ["LossCurves", "PredictionWriter", "RunSummary", "SampleGrid"]
