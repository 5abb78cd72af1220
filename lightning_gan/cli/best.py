"""What the folder of a run stands for, where it has a best checkpoint beside the last one."""

from __future__ import annotations

import os
from pathlib import Path

from lightning_gan.files.names import BEST, BEST_SCORE, CHECKPOINTS
from lightning_gan.report.records import read_best


def tell_best(path: str) -> None:
    """Say that a folder of a run means its last checkpoint, and where the best one is."""
    best = Path(path) / CHECKPOINTS / BEST
    if os.path.isfile(best):  # of names that are too long, too
        score = read_best(Path(path) / BEST_SCORE)[0].score
        print(f"{path}: the last checkpoint; the best{score and f', {score},'} is {best}")
