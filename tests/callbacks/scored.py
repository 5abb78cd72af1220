"""A callback that logs given scores at given steps, as an evaluation does."""

from __future__ import annotations

import math

import pytorch_lightning as pl
import torch


class Scored(pl.Callback):
    """Logs ``val/<name>`` after a batch whose step has a score; at the end the one for it."""

    def __init__(self, scores, name="fid", better="lower", end=None):
        self.scores, self.name, self.better, self.end = dict(scores), name, better, end

    def logged_scores(self, module):
        return {self.name: self.better}

    def on_train_batch_end(self, trainer, *rest):
        self._log(trainer, self.scores.get(trainer.global_step))

    def on_train_end(self, trainer, module):
        self._log(trainer, self.end)

    def _log(self, trainer, score):
        if score is not None:
            trainer.callback_metrics[f"val/{self.name}"] = torch.tensor(score)


def every(period, *scores):
    """Scores at multiples of a period; None: not measured there."""
    return {period * (n + 1): score for n, score in enumerate(scores) if score is not None}


NAN = math.nan
