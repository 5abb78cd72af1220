"""Two processes train as one: gradients averaged, weights equal, noise different."""

from __future__ import annotations

import json
from pathlib import Path

import ddp_matrix
import forked
import pytest
import torch


def launch(job, *words):
    """Run a job in two processes."""
    forked.in_two(Path(__file__).with_name(job), *words)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    """Return the folder and the findings of the trainings of ``ddp_matrix.py``, in one launch."""
    folder = tmp_path_factory.mktemp("matrix")
    launch("ddp_matrix.py", folder)
    return folder, json.loads((folder / "found.json").read_text())


@pytest.mark.parametrize("case", ["/".join(map(str, case)) for case in ddp_matrix.CASES])
def test_gradients_are_the_mean_over_ranks(matrix, case):
    """For (d_steps, regularizer, norm, micro_batches); and all ranks end with equal weights."""
    assert matrix[1]["cases"][case] == []


def test_half_a_batch_each_is_one_batch(matrix, tmp_path):
    theirs = torch.load(matrix[0] / "halves.pt", weights_only=True)
    for name, value in ddp_matrix.halves(tmp_path, 1).items():
        torch.testing.assert_close(theirs[name], value, rtol=1e-5, atol=1e-5, msg=name)


def test_noise_differs_between_ranks_and_follows_the_seed(matrix):
    assert matrix[1]["noise"] == []


@pytest.mark.parametrize("strategy", ["gan_ddp", "ddp_find_unused_parameters_true"])
def test_two_processes_train_as_one(tmp_path, strategy):
    launch("ddp_job.py", strategy, tmp_path)
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
