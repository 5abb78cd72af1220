"""Loops of other people with a discriminator: few changed lines, the same training, saved whole."""

from __future__ import annotations

import difflib
import importlib
import inspect
import socket
import sys
from pathlib import Path

import forked
import pytest
import torch

FOLDER = Path(__file__).parent / "loops"
MOST = 30  # lines added and taken away
LOOPS = {"plain": None, "accelerated": "accelerate", "ignited": "ignite"}


@pytest.fixture(autouse=True)
def _as_scripts(monkeypatch):
    """Scripts find what lies beside them; everything is float64."""
    monkeypatch.syspath_prepend(FOLDER)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
    if "accelerate" in sys.modules:
        sys.modules["accelerate"].state.AcceleratorState._reset_state(reset_partial_state=True)


def run(name, folder, **options):
    if LOOPS[name.removesuffix("_with_gan")] is not None:
        pytest.importorskip(LOOPS[name.removesuffix("_with_gan")])
    folder.mkdir(exist_ok=True)
    generator = importlib.import_module(name).main(folder, **options)
    return torch.nn.utils.parameters_to_vector(generator.parameters()).detach()


def adversary_state(name, folder):
    """What the loop saved of the adversary, read without trusting the file."""
    if name == "accelerated":
        return torch.load(folder / "custom_checkpoint_0.pkl", weights_only=True)
    return torch.load(folder / "last.pt", weights_only=True)["adversary"]


def changed_lines(before, after):
    """Lines that were taken away, and lines that were added; a changed line is both."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    marks = [line[0] for line in lines if not line.startswith(("---", "+++", "@@"))]
    return marks.count("-"), marks.count("+")


@pytest.mark.parametrize("name", LOOPS)
def test_few_lines_change(name):
    before, after = (FOLDER / f"{name}{end}.py" for end in ("", "_with_gan"))
    removed, added = changed_lines(before.read_text(), after.read_text())
    assert added >= 8
    assert added + removed <= MOST, f"{added} lines were added and {removed} taken away"


def test_lines_are_counted():
    assert changed_lines("a\nb\nc\n", "a\nB\nc\nd\n") == (1, 2)


@pytest.mark.parametrize("name", LOOPS)
def test_without_weight_the_generator_is_trained_as_before(name, tmp_path):
    """The discriminator learns beside it, and does not disturb one bit."""
    before = run(name, tmp_path / "before")
    after = run(f"{name}_with_gan", tmp_path / "after", weight=0.0)
    assert torch.equal(before, after)
    assert not torch.equal(before, run(f"{name}_with_gan", tmp_path / "weighed", weight=0.1))


@pytest.mark.parametrize("name", LOOPS)
def test_all_loops_train_alike(name, tmp_path):
    plain = run("plain_with_gan", tmp_path / "plain")
    other = run(f"{name}_with_gan", tmp_path / "other")
    assert (plain - other).abs().max() < 1e-6
    ours = adversary_state("plain", tmp_path / "plain")
    theirs = adversary_state(name, tmp_path / "other")
    for key, value in ours.items():
        if torch.is_tensor(value):
            torch.testing.assert_close(value, theirs[key], rtol=0, atol=1e-12)
    assert theirs["_extra_state"]["progress"] == ours["_extra_state"]["progress"]
    assert theirs["_extra_state"]["progress"]["images"] == 64
    moments = theirs["_extra_state"]["side"]["optimizer"]["state"]
    assert len(moments) == 4  # weights and biases of two layers
    assert moments[0]["exp_avg"].abs().sum() > 0


def test_accumulated_batches_of_accelerate_are_one_update(tmp_path):
    """Of the discriminator: two batches of 4 are one of 8, whatever accelerate divides by."""
    one = {"samples": 8, "epochs": 1}
    run("plain_with_gan", tmp_path / "plain", batch_size=8, **one)
    run("accelerated_with_gan", tmp_path / "other", batch_size=4, accumulate=2, **one)
    ours = adversary_state("plain", tmp_path / "plain")
    theirs = adversary_state("accelerated", tmp_path / "other")
    assert theirs["_extra_state"]["progress"]["discriminator_steps"] == 1
    for key, value in ours.items():
        if torch.is_tensor(value):
            torch.testing.assert_close(value, theirs[key], rtol=0, atol=1e-12)


def test_accelerate_in_mixed_precision(tmp_path):
    torch.set_default_dtype(torch.float32)
    full = run("accelerated_with_gan", tmp_path / "full")
    sys.modules["accelerate"].state.AcceleratorState._reset_state(reset_partial_state=True)
    mixed = run("accelerated_with_gan", tmp_path / "mixed", mixed_precision="bf16")
    assert not torch.equal(full, mixed)
    torch.testing.assert_close(full, mixed, rtol=0.05, atol=0.05)
    state = adversary_state("accelerated", tmp_path / "mixed")
    assert state["_extra_state"]["side"]["skipped"]["total"] == 0
    assert {value.dtype for key, value in state.items() if "weight" in key} == {torch.float32}


@pytest.mark.parametrize("name", LOOPS)
def test_baselines_know_nothing_of_ours(name):
    if LOOPS[name] is not None:
        pytest.importorskip(LOOPS[name])
    assert "lightning_gan" not in inspect.getsource(importlib.import_module(name))


PROCESS = """
import sys, torch
from pathlib import Path
folder, loops, rank = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
sys.path.insert(0, loops)
torch.set_default_dtype(torch.float64)
import accelerated_with_gan
generator = accelerated_with_gan.main(folder, batch_size=4)
weights = torch.nn.utils.parameters_to_vector(generator.parameters()).detach()
torch.save(weights, folder / f"rank{rank}.pt")
"""


def test_accelerate_in_two_processes(tmp_path):
    """Its wrapper averages the generator's gradients, the engine those of the discriminator."""
    pytest.importorskip("accelerate")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    script = tmp_path / "process.py"
    script.write_text(PROCESS)
    jobs = [
        forked.Started(
            script,
            [tmp_path, FOLDER, rank],
            tmp_path,
            {**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    outputs = [forked.end(job)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], "\n".join(outputs)[-4000:]
    plain = run("plain_with_gan", tmp_path / "plain", batch_size=8)
    for rank in range(2):
        ours = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        assert (ours - plain).abs().max() < 1e-6
