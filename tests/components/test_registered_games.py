"""Every registered component in a game: two processes, micro-batches, exact resume, bfloat16."""

from __future__ import annotations

import io
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
import registered_games as games
import torch
from torch.utils._pytree import tree_flatten

from lightning_gan import Game
from lightning_gan.components import registry

pytestmark = pytest.mark.slow
JOB = Path(__file__).with_name("registered_job.py")
PLAYED = [pytest.param(*case, id="-".join(case)) for case in games.CASES]
EXACT, APART = 1e-10, 1e-9  # rounding of float64, and more than that


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("games")


@pytest.fixture(scope="module")
def wholes(folder):
    """First and last state and draws of a game of whole batches, or why there are none."""
    found = {}
    for case in games.CASES:
        try:
            found[case] = games.whole(*case, folder)
        except Exception:  # told by the case's own tests
            found[case] = traceback.format_exc()
    return found


@pytest.fixture(scope="module")
def ranks(wholes, folder):
    """What each of two processes that play together ends with."""
    played = {case: each for case, each in wholes.items() if not isinstance(each, str)}
    begun = {case: (first, written) for case, (first, _, written) in played.items()}
    torch.save(begun, folder / "begun.pt")
    jobs = [
        subprocess.Popen(
            [sys.executable, JOB, str(rank), folder], stderr=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    errors = [job.communicate(timeout=300)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], "\n".join(errors)[-4000:]
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


def whole(wholes, case):
    if isinstance(wholes[case], str):
        pytest.fail(wholes[case])
    return wholes[case]


def difference(ours, theirs):
    """Return the largest difference of the tensors of two states, relative where they are large."""
    assert ours.keys() == theirs.keys()
    found = [0.0]
    for key, value in ours.items():
        if torch.is_tensor(value):
            other = theirs[key]
            assert (value.shape, value.dtype) == (other.shape, other.dtype), key
            assert value.isfinite().all(), key
            if value.numel():
                gap = (value.double() - other.double()).abs() / other.double().abs().clamp(min=1)
                found.append(gap.max().item())
    return max(found)


def extras(state):
    """Return what of a state is no tensor."""
    return {key: value for key, value in state.items() if not torch.is_tensor(value)}


def check_same(ours, theirs, reason):
    """Check that two games came to the same; of what couples samples, that they did not."""
    gap = difference(ours, theirs)
    if reason is None:
        assert gap < EXACT
        (mine, form), (yours, other) = map(tree_flatten, (extras(ours), extras(theirs)))
        assert form == other
        for one, another in zip(mine, yours, strict=True):
            assert one == (pytest.approx(another, abs=EXACT) if type(one) is float else another)
    else:
        assert gap > APART, f"{reason}: the pieces are the whole, and nothing is coupled"


@pytest.mark.parametrize(("kind", "name"), PLAYED)
def test_two_processes_are_one_with_the_whole_batch(kind, name, wholes, ranks, folder):
    _, expected, _ = whole(wholes, (kind, name))
    for rank in ranks:
        assert (kind, name) in rank, rank["error"]
    found = [rank[kind, name] for rank in ranks]
    for way in ("dealt", "native"):  # the second with each rank's own randomness
        first, second = (each[way] for each in found)
        assert difference(first, second) == 0
        assert extras(first) == extras(second)
    gan, _ = games.make(kind, name, folder)
    check_same(found[0]["dealt"], expected, games.coupling(gan, kind, name, micro_batches=False))


@pytest.mark.parametrize(("kind", "name"), PLAYED)
def test_micro_batches_are_the_whole_batch(kind, name, wholes, folder):
    _, expected, written = whole(wholes, (kind, name))
    found, reason = games.in_pieces(kind, name, folder, written)
    check_same(found, expected, reason)


def go_on(game, data, first):
    for index, batch in enumerate(data[first:], start=first):
        torch.manual_seed(index)
        game.play(*batch)


@pytest.mark.parametrize(("kind", "name"), PLAYED)
def test_resume_is_exact(kind, name, folder):
    gan, look = games.make(kind, name, folder)
    data = games.batches(look, games.BATCHES + games.NATIVE)
    unbroken = Game(gan, seed=1)
    go_on(unbroken, data[: games.BATCHES], 0)
    file = io.BytesIO()
    torch.save(unbroken.state_dict(), file)
    go_on(unbroken, data, games.BATCHES)
    resumed = Game(games.make(kind, name, folder, seed=7)[0], seed=2)
    file.seek(0)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    go_on(resumed, data, games.BATCHES)
    ours, theirs = (games.state_of(game.gan) for game in (unbroken, resumed))
    assert difference(ours, theirs) == 0
    assert extras(ours) == extras(theirs)
    assert difference(games.state_of(games.make(kind, name, folder)[0]), ours) > APART


@pytest.mark.parametrize(("kind", "name"), PLAYED)
def test_bfloat16(kind, name, folder):
    """Under autocast everything stays finite, and of its type."""
    gan, look = games.make(kind, name, folder, dtype=torch.float32)
    before, game = games.state_of(gan), Game(gan, seed=1)
    with torch.autocast("cpu", torch.bfloat16):
        for batch in games.batches(look, games.BATCHES, dtype=torch.float32):
            readings = game.play(*batch)
    assert difference(games.state_of(gan), before) > 0
    assert not any(side.skipped.count() for side in game.sides)
    values = [v for r in (readings.generator, readings.discriminator) if r for v in values_of(r)]
    assert all(value.isfinite() for value in values)


def values_of(reading):
    named = [*reading.terms.values(), *reading.reports.values(), *reading.factors.values()]
    return named if reading.loss is None else [reading.loss, *named]


def test_the_tables_hold_nothing_that_is_not_registered():
    names = {name for _, name in games.CASES}
    assert games.OWN.keys() <= names
    assert games.COUPLED.keys() <= set(games.CASES)
    assert games.ELSEWHERE.keys() <= registry.KINDS.keys()
    assert {kind for kind, _ in games.CASES} == registry.KINDS.keys() - games.ELSEWHERE.keys()
