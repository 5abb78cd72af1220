"""Loops of one's own in two processes are one process with the whole batch."""

from __future__ import annotations

from pathlib import Path

import forked
import process_job
import pytest
import torch

JOB = Path(__file__).with_name("process_job.py")


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    jobs = [forked.Started(JOB, [rank, folder], folder) for rank in range(2)]
    outputs = [forked.end(job)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], "\n".join(outputs)[-4000:]
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(2)]


def tensors(state):
    return {key: value for key, value in state.items() if torch.is_tensor(value)}


def largest_difference(ours, theirs):
    ours, theirs = tensors(ours), tensors(theirs)
    assert ours.keys() == theirs.keys()
    return max((ours[key] - theirs[key]).abs().max().item() for key in ours)


@pytest.mark.parametrize("way", ["play", "embed"])
def test_two_processes_are_one_with_the_whole_batch(ranks, way):
    whole = getattr(process_job, way)(0, 1)
    for ours in ranks:
        assert largest_difference(ours[way], whole) < 1e-6
        assert largest_difference(ours[way], whole) < 1e-12
        images = ours[way]["_extra_state"]["progress"]["images"]
        assert images == whole["_extra_state"]["progress"]["images"] == 24
    start = process_job.by_hand.networks()[1].state_dict()
    moved = {key: whole[f"discriminator.{key}"] for key in start}
    assert largest_difference(start, moved) > 1e-2


def test_both_ranks_go_on_exactly_with_buffers_of_their_own(ranks):
    first, second = (each["games"] for each in ranks)
    for own in (first, second):
        assert largest_difference(own["whole"], own["resumed"]) == 0
        assert torch.equal(own["latents"], own["resumed latents"])
    assert not torch.equal(first["latents"], second["latents"])
    buffer = "regularizers.part.mean"
    ours, theirs = tensors(first["whole"]), tensors(second["whole"])
    assert not torch.equal(ours.pop(buffer), theirs.pop(buffer))
    assert largest_difference(ours, theirs) == 0


def test_statistics_of_the_discriminator_are_those_of_all_ranks(ranks):
    first, second = (each["statistics"]["running"] for each in ranks)
    assert torch.equal(first, second)
    assert len({tuple(each.tolist()) for each in first}) == len(first)


def test_what_parts_drew_when_they_got_to_know_the_networks_is_that_of_rank_0(ranks):
    for each in ranks:
        assert not each["statistics"]["drawn"].any()
        assert not each["games"]["whole"]["regularizers.part.drawn"].any()
