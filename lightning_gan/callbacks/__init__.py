"""Callbacks for any GANModule: pictures, curves, metrics, the summary of a run, predictions."""

from lightning_gan.callbacks.class_grid import ClassGrid
from lightning_gan.callbacks.evaluation import Evaluation
from lightning_gan.callbacks.generator_export import GeneratorExport
from lightning_gan.callbacks.graceful_stop import GracefulStop
from lightning_gan.callbacks.health import HealthMonitor
from lightning_gan.callbacks.interpolation import Interpolation
from lightning_gan.callbacks.latent_manifold import LatentManifold
from lightning_gan.callbacks.loss_curves import LossCurves
from lightning_gan.callbacks.mixture_picture import MixturePicture
from lightning_gan.callbacks.neighbor_grid import NeighborGrid
from lightning_gan.callbacks.paired_metrics import PairedMetrics
from lightning_gan.callbacks.prediction_writer import PredictionWriter
from lightning_gan.callbacks.round_limit import RoundLimit
from lightning_gan.callbacks.sample_grid import SampleGrid
from lightning_gan.callbacks.summary import RunSummary
from lightning_gan.callbacks.training_gif import TrainingGIF

__all__ = [
    "ClassGrid",
    "Evaluation",
    "GeneratorExport",
    "GracefulStop",
    "HealthMonitor",
    "Interpolation",
    "LatentManifold",
    "LossCurves",
    "MixturePicture",
    "NeighborGrid",
    "PairedMetrics",
    "PredictionWriter",
    "RoundLimit",
    "RunSummary",
    "SampleGrid",
    "TrainingGIF",
]
