"""Two processes train as one: gradients averaged, weights equal, noise different."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch


@pytest.mark.parametrize("strategy", ["gan_ddp", "ddp_find_unused_parameters_true"])
def test_two_processes_train_as_one(tmp_path, strategy):
    job = Path(__file__).with_name("ddp_job.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(job), strategy, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    zero, one = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    assert zero["steps"] == 4
    assert zero["images"] == one["images"] == 4 * 8 * 2
    for name, value in zero["state"].items():
        assert torch.equal(value, one["state"][name]), name
    assert not torch.equal(zero["latents"][0], one["latents"][0])
    assert torch.equal(zero["loss"], one["loss"])
    assert len(zero["used"]) == len(zero["local"]) == 6
    for used, ours, theirs in zip(zero["used"], zero["local"], one["local"], strict=True):
        if strategy == "gan_ddp":
            torch.testing.assert_close(used, (ours + theirs) / 2)
            assert not torch.equal(ours, theirs)
