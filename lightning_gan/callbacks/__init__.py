"""Callbacks for any GANModule: pictures, curves, metrics, the summary of a run, predictions."""

from lightning_gan.callbacks.best_checkpoint import BestCheckpoint
from lightning_gan.callbacks.evaluation import Evaluation
from lightning_gan.callbacks.generator_export import GeneratorExport
from lightning_gan.callbacks.graceful_stop import GracefulStop
from lightning_gan.callbacks.health.monitor import HealthMonitor
from lightning_gan.callbacks.memory_check import MemoryCheck
from lightning_gan.callbacks.paired_metrics import PairedMetrics
from lightning_gan.callbacks.pictures.class_grid import ClassGrid
from lightning_gan.callbacks.pictures.interpolation import Interpolation
from lightning_gan.callbacks.pictures.latent_manifold import LatentManifold
from lightning_gan.callbacks.pictures.loss_curves import LossCurves
from lightning_gan.callbacks.pictures.mixture import MixturePicture
from lightning_gan.callbacks.pictures.neighbor_grid import NeighborGrid
from lightning_gan.callbacks.pictures.sample_grid import SampleGrid
from lightning_gan.callbacks.pictures.training_gif import TrainingGIF
from lightning_gan.callbacks.prediction_writer import PredictionWriter
from lightning_gan.callbacks.round_limit import RoundLimit
from lightning_gan.callbacks.run_bar import RunBar
from lightning_gan.callbacks.run_checkpoint import RunCheckpoint
from lightning_gan.callbacks.summary import RunSummary

__all__ = [
    "BestCheckpoint",
    "ClassGrid",
    "Evaluation",
    "GeneratorExport",
    "GracefulStop",
    "HealthMonitor",
    "Interpolation",
    "LatentManifold",
    "LossCurves",
    "MemoryCheck",
    "MixturePicture",
    "NeighborGrid",
    "PairedMetrics",
    "PredictionWriter",
    "RoundLimit",
    "RunBar",
    "RunCheckpoint",
    "RunSummary",
    "SampleGrid",
    "TrainingGIF",
]
