"""Folders as runs leave them, made up."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from lightning_gan.evaluation.card import ScoreCard

CONFIG = """\
# lightning-gan 0.1.0: lightning-gan fit --config <this file>
trainer:
  max_steps: 800
  default_root_dir: runs/rings
model:
  class_path: lightning_gan.training.module.GANModule
  init_args:
    generator:
      class_path: lightning_gan.generators.mlp.MLPGenerator
      init_args:
        hidden:
        - 8
        - 16
    regularizers:
      r1:
        class_path: lightning_gan.regularizers.r1.R1Regularizer
data:
  class_path: lightning_gan.data.Digits
ckpt_path: null
"""
FINDING = {
    "step": 400,
    "finding": "mode_collapse",
    "since_step": 200,
    "message": "samples differ little",
    "advice": "model.discriminator_optimizer.lr=1e-4",
    "numbers": {"health/spread": 0.0123456},
}


@dataclass(frozen=True)
class Made:
    """A folder under construction."""

    folder: Path

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def metrics(self, rows=20, end="\n"):
        lines = ["logits/real,loss/discriminator,loss/generator,progress/images,step,val/fid"]
        for row in range(rows):
            losses = f"{1.5 - row / 100},{0.5 + row / 100}"
            fid = 80 - row if row % 5 == 0 else ""
            lines.append(f"{2 + row},{losses},{(row + 1) * 640},{row * 10 + 9},{fid}")
        return self.write("metrics.csv", "\n".join(lines) + end)

    def card(self, step, n_fake=1000, scores=None, **parts):
        scores = scores or {"fid": 100 / step, "kl": 0.2, "kl_low": 0.1, "kl_high": math.nan}
        details = {"class_histogram": [9, 11, 10], "confusion": [[8, 1], [0, 9]]}
        parts = {"details": details, "checkpoint": {"step": step, "path": "last.ckpt"}, **parts}
        card = ScoreCard(scores, {"n_fake": n_fake, "features": {"name": "judge"}}, **parts)
        return card.save(self.folder / "scorecards" / f"step-{step:08d}-{n_fake}.json")

    def health(self, *findings):
        return self.write("health.jsonl", "".join(json.dumps(one) + "\n" for one in findings))

    def picture(self, name, size=(20, 10), color=(200, 30, 30)):
        path = self.folder / "samples" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, color).save(path)
        return path

    def gif(self, name="training.gif", frames=3, size=(20, 10)):
        path = self.folder / "samples" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        first, *rest = (Image.new("L", size, 3 * number) for number in range(frames))
        first.save(path, save_all=True, append_images=rest, duration=40)
        return path


@pytest.fixture
def made(tmp_path):
    folder = tmp_path / "rings" / "version_0"
    folder.mkdir(parents=True)
    return Made(folder)


@pytest.fixture
def complete(made):
    """A run that left everything."""
    made.write("config.yaml", CONFIG)
    made.metrics()
    made.health(FINDING, {**FINDING, "step": 600})
    made.card(400)
    made.card(800)
    for step in (0, 400, 800):
        made.picture(f"grid-{step:08d}.png", color=(step // 4, 0, 0))
    made.gif()
    made.write("checkpoints/last.ckpt", "weights")
    return made
