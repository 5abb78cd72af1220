"""How good reconstructions of held-out images are, and how much of the codebook they use."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torchmetrics import Metric

from lightning_gan.callbacks import PairedMetrics
from lightning_gan_tokenizer.vq import VQAutoencoder, perplexity

LEAST = 1e-10  # squared error over that of black for white: a PSNR of 100 dB at most


class TokenizerMetrics(PairedMetrics):
    """Log how near and how sharp reconstructions are, in validation and test.

    ``val/l1``: mean absolute difference, of values in [-1, 1]; smaller is nearer.

    ``val/psnr``: peak signal-to-noise ratio of each image, in dB; larger is nearer.

    ``val/sharpness``: mean absolute difference of neighboring pixels as a share of the real
    image's; 1 is as sharp as real.

    ``val/codebook/used``, ``val/codebook/perplexity``: of a generator with a codebook, the share of
    codes that all held-out images use, and the exponential of the entropy of these.
    """

    def __init__(self) -> None:
        super().__init__({"l1": l1, "psnr": psnr, "sharpness": sharpness})
        self._use: CodeCounts | None = None

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin anew."""
        super().on_validation_start(trainer, pl_module)
        self._use = _counts(pl_module)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin anew."""
        super().on_test_start(trainer, pl_module)
        self._use = _counts(pl_module)

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *others: Any
    ) -> None:
        """Look at the reconstructions of one batch, and at its codes."""
        super().on_validation_batch_end(trainer, pl_module, outputs, *others)
        self._look(pl_module, outputs["y"])

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *others: Any
    ) -> None:
        """Look at the reconstructions of one batch, and at its codes."""
        super().on_test_batch_end(trainer, pl_module, outputs, *others)
        self._look(pl_module, outputs["y"])

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the values as ``val/...``."""
        super().on_validation_epoch_end(trainer, pl_module)
        self._say(pl_module, "val")

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the values as ``test/...``."""
        super().on_test_epoch_end(trainer, pl_module)
        self._say(pl_module, "test")

    def _look(self, module: Any, images: Tensor) -> None:
        if self._use is not None:
            self._use.update(module.sampling_generator().encode(images))

    def _say(self, module: pl.LightningModule, stage: str) -> None:
        if self._use is not None:
            for name, value in self._use.compute().items():
                module.log(f"{stage}/codebook/{name}", value, sync_dist=True)


class CodeCounts(Metric):
    """How often each code was chosen, over all processes.

    Args:
        codes: Vectors in the codebook.
    """

    counts: Tensor

    def __init__(self, codes: int) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(codes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, codes: Tensor) -> None:
        """Count codes of any shape."""
        self.counts += torch.bincount(codes.flatten(), minlength=len(self.counts))

    def compute(self) -> dict[str, Tensor]:
        """Return the share of codes that were chosen, and the exponential of their entropy."""
        used = (self.counts > 0).float().mean()
        return {"used": used, "perplexity": perplexity(self.counts)}


def l1(made: Tensor, real: Tensor, y: Any) -> Tensor:
    """Return the mean absolute difference of images, shape (N,)."""
    return (made - real).abs().flatten(1).mean(1)


def psnr(made: Tensor, real: Tensor, y: Any) -> Tensor:
    """Return the peak signal-to-noise ratio of images in [-1, 1], in dB, shape (N,)."""
    error = (made - real).square().flatten(1).mean(1) / 4
    return -10 * error.clamp_min(LEAST).log10()


def sharpness(made: Tensor, real: Tensor, y: Any) -> Tensor:
    """Return the mean step between neighboring pixels as a share of the real ones', shape (N,)."""
    return _steps(made) / _steps(real).clamp_min(1e-6)


def _steps(images: Tensor) -> Tensor:
    across, down = images.diff(dim=3).abs(), images.diff(dim=2).abs()
    return across.flatten(1).mean(1) + down.flatten(1).mean(1)


def _counts(module: Any) -> CodeCounts | None:
    network = module.sampling_generator()
    if not isinstance(network, VQAutoencoder):
        return None
    return CodeCounts(network.codebook.num_embeddings).to(module.device)
