"""A signal ends training after the batch in hand; a finished checkpoint is not resumed in vain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from lightning_gan.__main__ import main

QUICK = [
    *("generator=mlp", "discriminator=mlp", "model.generator.hidden=[8]", "regularizers=[]"),
    *("model.discriminator.hidden=[8]", "trainer.enable_progress_bar=false"),
]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_that_goes_on(tmp_path, number):
    words = [*QUICK, "trainer.max_steps=1000000", "trainer.default_root_dir=run"]
    process = subprocess.Popen(
        [sys.executable, "-m", "lightning_gan", "fit", *words],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    grid = tmp_path / "run" / "version_0" / "samples" / "grid-00000500.png"
    for _ in range(1200):  # until it trains
        if grid.exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number, output
    assert "Traceback" not in output
    assert "last checkpoint" in output
    path = tmp_path / "run" / "version_0" / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["global_step"] >= 500
    counts = checkpoint["state_dict"]["_extra_state"]["progress"]
    assert counts["batches"] == counts["generator_steps"] == checkpoint["global_step"]


def test_a_run_that_is_at_its_end_is_not_resumed_in_vain(tmp_path, capsys):
    words = ["fit", *QUICK, f"trainer.default_root_dir={tmp_path}"]
    assert main([*words, "trainer.max_steps=3"]) == 0
    assert main([*words, "trainer.max_steps=3", "ckpt_path=last"]) == 2
    message = "is at step 3 already; set trainer.max_steps, which is 3, above it"
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["version_0"]
    assert main([*words, "trainer.max_steps=4", "ckpt_path=last"]) == 0


def test_a_part_of_a_configuration_changes_the_default(tmp_path, capsys):
    (tmp_path / "part.yaml").write_text(
        "model:\n  loss: minimax\n  ema:\n    half_life_kimg: 3.0\n"
    )
    assert main(["fit", f"--config={tmp_path / 'part.yaml'}", "--print_config"]) == 0
    printed = capsys.readouterr().out
    assert "lightning_gan.losses.minimax.MinimaxLoss" in printed
    assert "half_life_kimg: 3.0" in printed
    assert "lightning_gan.generators.dcgan.DCGANGenerator" in printed
