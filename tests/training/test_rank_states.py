"""What a part keeps of its own rank's batches is saved for every rank: a resume is exact."""

from __future__ import annotations

import pytest
import torch
from ddp_rank_states import STRATEGIES
from test_distributed import launch

OWN = ("loss.pool", "loss.shown", "regularizers.distance.mean", "below")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """Return what both ranks found, in one launch."""
    folder = tmp_path_factory.mktemp("ranks")
    launch("ddp_rank_states.py", folder)
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_resumed_run_is_the_whole_one_on_every_rank(ranks, strategy, rank):
    whole, resumed = (ranks[rank][strategy][run] for run in ("whole", "resumed"))
    assert list(whole) == list(resumed)
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_ranks_keep_what_is_their_own_and_share_all_else(ranks, strategy):
    zero, one = (found[strategy]["whole"] for found in ranks)
    assert {name for name in zero if not torch.equal(zero[name], one[name])} == set(OWN)


def test_a_file_holds_the_parts_of_every_rank(ranks):
    zero, one = ranks[0]["gan_ddp"]["saved"]
    for number, part in enumerate((zero, one)):
        own = ranks[number]["gan_ddp"]["whole"]
        assert torch.equal(part["loss"]["pool"], own["loss.pool"])
        assert part["regularizer/distance"]["_extra_state"]["below"] == own["below"]


def test_what_is_equal_on_all_ranks_is_saved_once(ranks):
    assert ranks[0]["alike"] == [None, None]
