"""The main job: plain ``lightning-gan fit`` makes digits that a classifier reads as asked."""

from __future__ import annotations

import os
import subprocess
import sys

from judge import judge

from lightning_gan import GANModule


def test_fit_alone_learns_the_digits(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "lightning_gan", "fit"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    run = tmp_path / "runs" / "digits_dcgan" / "version_0"
    assert "images per second" in done.stdout
    gan = GANModule.load_from_checkpoint(run / "checkpoints" / "last.ckpt")
    numbers = judge(gan)
    assert numbers["agreement"] >= 0.97, numbers
    assert numbers["worst class"] >= 0.92, numbers
    assert 0.75 <= numbers["variety"] <= 1.25, numbers
