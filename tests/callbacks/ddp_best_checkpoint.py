"""Run by test_best_checkpoint.py: two processes whose scores differ, and what each decided."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch

warnings.simplefilter("ignore")
sys.path.insert(0, str(Path(__file__).parents[1]))

import toys  # noqa: E402
from scored import Scored, every  # noqa: E402

from lightning_gan.callbacks import BestCheckpoint, RunCheckpoint  # noqa: E402
from lightning_gan.data import RandomImages  # noqa: E402

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    scores, best = Scored(every(2, 5.0, 3.0, 4.0, 4.0, 1.0)), BestCheckpoint("fid", patience=2)
    run = toys.trainer(
        folder,
        devices=2,
        strategy="gan_ddp",
        max_steps=12,
        callbacks=[scores, best, RunCheckpoint()],
        enable_checkpointing=True,
    )
    if run.global_rank == 1:  # which alone would never end
        scores.scores = every(2, 9.0, 8.0, 7.0, 6.0, 5.0)
    run.fit(toys.gan(), RandomImages(shape=(1, 4, 4), n=40, batch_size=4))
    found = {"state": best.state_dict(), "step": run.global_step, "ended_by": best.ended_by}
    torch.save(found, folder / f"rank{run.global_rank}.pt")
