"""A training that was stopped after any batch goes on as one that never was, bit for bit."""

from __future__ import annotations

import csv
from pathlib import Path

import forked
import pytest
import resume_matrix
import torch

ROWS = range(len(resume_matrix.ROWS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder in which every row was trained whole, stopped, and resumed."""
    folder = tmp_path_factory.mktemp("resume")
    resume_matrix.draw(folder / "images")
    job = Path(__file__).with_name("resume_matrix.py")
    seed = {"PL_GLOBAL_SEED": "3"}
    for mode in ("whole", "resume"):
        alone = forked.run(job, mode, folder, 1, environment=seed)
        assert alone.returncode == 0, alone.stderr[-3000:]
        forked.in_two(job, mode, folder, 2, environment=seed)
    return folder


def states(folder, number):
    return (
        torch.load(folder / str(number) / part / "state.pt", weights_only=True)
        for part in ("whole", "resumed")
    )


def leaves(tree, path=""):
    """Return the tensors and plain values of a tree by their paths."""
    if isinstance(tree, (dict, list, tuple)):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        return {k: v for key, item in items for k, v in leaves(item, f"{path}.{key}").items()}
    return {path: tree}


def differences(ours, theirs):
    """Return the paths at which two trees differ."""
    ours, theirs = leaves(ours), leaves(theirs)
    assert ours.keys() == theirs.keys()
    different = [name for name in ours if not isinstance(ours[name], torch.Tensor)]
    different = [name for name in different if ours[name] != theirs[name]]
    tensors = [name for name in ours if isinstance(ours[name], torch.Tensor)]
    return different + [name for name in tensors if not ours[name].equal(theirs[name])]


def test_each_pair_of_factors_meets_in_all_ways():
    columns = list(zip(*resume_matrix.ROWS, strict=True))
    for first in columns:
        for second in columns:
            met = len(set(zip(first, second, strict=True)))
            assert met == (2 if first is second else 4)


@pytest.mark.parametrize("number", ROWS)
def test_weights_averages_and_optimizers_are_equal(folder, number):
    whole, resumed = states(folder, number)
    assert whole["progress"]["batches"] == resume_matrix.STEPS
    assert differences(whole, resumed) == []
    assert any("generator_ema" in name for name in whole["module"])


def logged(folder):
    """Return what a run logged, by step and key."""
    found = {}
    with (folder / "version_0" / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            step = int(row.pop("step"))
            found.update({(step, key): value for key, value in row.items() if value})
    return found


@pytest.mark.parametrize("number", ROWS)
def test_what_was_logged_is_equal(folder, number):
    whole, resumed = (logged(folder / str(number) / part) for part in ("whole", "resumed"))
    begun = resume_matrix.stop(resume_matrix.ROWS[number])
    expected = {place: value for place, value in whole.items() if place[0] >= begun}
    assert {step for step, _ in expected} >= {11, 12}  # with means that began before the stop
    assert resumed == expected


@pytest.mark.parametrize("number", ROWS)
def test_pictures_are_equal(folder, number):
    whole, resumed = (
        {file.name: file.read_bytes() for file in (folder / str(number) / part).rglob("grid-*.png")}
        for part in ("whole", "resumed")
    )
    assert {"grid-00000012.png", "grid-00000013.png"} <= set(resumed)
    for name in {"grid-00000008.png", "grid-00000012.png", "grid-00000013.png"} & set(resumed):
        assert resumed[name] == whole[name], name
