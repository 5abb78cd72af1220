"""Super resolution for lightning-gan: pairs of images, an RRDB generator, terms and scores."""

from lightning_gan_superresolution.degraded import Degraded
from lightning_gan_superresolution.degrading import Kernel, downsample
from lightning_gan_superresolution.features import FeatureDistance, FeatureNetwork
from lightning_gan_superresolution.metrics import SuperResolutionMetrics
from lightning_gan_superresolution.paired_folders import PairedFolders
from lightning_gan_superresolution.rrdb import RRDBGenerator
from lightning_gan_superresolution.weights import read_weights
from lightning_gan_superresolution.written_weights import write_weights

__all__ = [
    "Degraded",
    "FeatureDistance",
    "FeatureNetwork",
    "Kernel",
    "PairedFolders",
    "RRDBGenerator",
    "SuperResolutionMetrics",
    "downsample",
    "read_weights",
    "write_weights",
]
