"""The main job: plain ``lightning-gan fit`` makes digits that a classifier reads as asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from judge import judge

from lightning_gan import GANModule
from lightning_gan.cli.settings import compose
from lightning_gan.cli.settings.resolve import resolve
from lightning_gan.cli.settings.written import configuration_text

ROOT = Path(__file__).parents[1]


def finished_before():
    """The main job's run in the repository, where this very code made it, as the README's first
    command does before the tests; else None."""
    runs = sorted((ROOT / "runs" / "digits_dcgan").glob("version_*/checkpoints/last.ckpt"))
    code = [*(ROOT / "lightning_gan").rglob("*.py"), *(ROOT / "configs").rglob("*.yaml")]
    changed = max(path.stat().st_mtime for path in code)
    fresh = [path.parents[1] for path in runs if path.stat().st_mtime > changed]
    settings = configuration_text(resolve(compose.settings([])))
    same = [run for run in fresh if (run / "config.yaml").read_text() == settings]
    whole = [run for run in same if (run / "samples" / "grid-00004000.png").is_file()]
    return whole[0] if whole else None


def trained(folder):
    done = subprocess.run(
        [sys.executable, "-m", "lightning_gan", "fit"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "images per second" in done.stdout
    return folder / "runs" / "digits_dcgan" / "version_0"


def test_fit_alone_learns_the_digits(tmp_path):
    run = finished_before() or trained(tmp_path)
    gan = GANModule.load_from_checkpoint(run / "checkpoints" / "last.ckpt")
    numbers = judge(gan)
    assert numbers["agreement"] >= 0.97, numbers
    assert numbers["worst class"] >= 0.92, numbers
    assert 0.75 <= numbers["variety"] <= 1.25, numbers
