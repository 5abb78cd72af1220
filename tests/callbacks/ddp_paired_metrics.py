"""Run by test_paired_metrics.py: validates in two processes, and writes what each rank logged."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch

warnings.simplefilter("ignore")
sys.path.insert(0, str(Path(__file__).parents[1]))

import paired  # noqa: E402
import toys  # noqa: E402
from torchmetrics import MeanAbsoluteError  # noqa: E402

from lightning_gan.callbacks import PairedMetrics  # noqa: E402

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    metrics = {"mae": MeanAbsoluteError(), "largest": lambda f, r, y: (f - r).abs().amax((1, 2, 3))}
    run = toys.trainer(folder, devices=2, strategy="gan_ddp", callbacks=[PairedMetrics(metrics)])
    (found,) = run.validate(paired.gan(), paired.Pairs(n=12, batch_size=4), verbose=False)
    torch.save(found, folder / f"rank{run.global_rank}.pt")
