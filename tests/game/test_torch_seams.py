"""Private names of torch do what the game takes them for; where a public one comes, they may go."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_gan.game import torch_seams as seams


def test_buffers_are_the_layers_own_and_may_be_none():
    layer = nn.BatchNorm1d(2)
    layer.register_buffer("later", None)
    found = seams.buffers_of(layer)
    assert found is seams.buffers_of(layer)
    layer.running_mean = torch.ones(2)
    assert found["running_mean"] is layer.running_mean
    assert found["later"] is None
    # With a public way to those that are None, buffers_of may go.
    assert "later" not in dict(layer.named_buffers())


def test_the_version_tells_that_a_tensor_changed():
    x = torch.zeros(3)
    before = seams.version(x)
    x[0] = 1
    assert seams.version(x) > before
    with torch.inference_mode():
        assert seams.version(torch.zeros(1)) == -1
    assert not hasattr(x, "version")  # a public name: use it


def test_many_tensors_are_copied_at_once():
    targets, sources = [torch.zeros(2), torch.zeros(3, dtype=torch.int64)], [torch.ones(2)]
    sources.append(torch.arange(3))
    seams.copy_all(targets, sources)
    assert all(a.equal(b) for a, b in zip(targets, sources, strict=True))
    assert not hasattr(torch, "foreach_copy_")  # a public name: use it


def test_what_is_not_finite_is_found_and_nothing_changes():
    for value, expected in ((2.0, 0.0), (torch.inf, 1.0), (torch.nan, 1.0)):
        x, found = torch.tensor([1.0, value]), torch.zeros(())
        seams.note_non_finite([x], found)
        assert found == expected
        assert x.allclose(torch.tensor([1.0, value]), equal_nan=True)


@pytest.mark.slow
def test_a_compiled_network_is_known():
    network = nn.Linear(1, 1)
    assert not seams.is_compiled(network)
    network.compile()
    assert seams.is_compiled(network)


def test_hooks_around_steps_are_known():
    for register in ("register_step_pre_hook", "register_step_post_hook"):
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
        assert not seams.has_step_hooks(optimizer)
        getattr(optimizer, register)(lambda *args: None)
        assert seams.has_step_hooks(optimizer)


def test_versions_of_layers_come_along():
    state = nn.BatchNorm1d(2).state_dict()
    plain = dict(state)
    made = seams.with_versions_of(type(state)(plain), state)
    assert made._metadata == state._metadata
    assert seams.with_versions_of(type(state)(plain), plain)._metadata is None
