"""By-products that are made when they are read."""

import torch
from torch import nn

from lightning_gan.types import Deferred, DiscriminatorOutput, as_discriminator_output


def test_each_is_made_when_it_is_read_and_once():
    made = []
    extra = Deferred("cpu", {name: lambda name=name: made.append(name) or name for name in "ab"})
    assert len(extra) == 2
    assert list(extra) == ["a", "b"]
    assert "a" in extra
    assert "c" not in extra
    assert made == []
    assert [extra["b"], extra["b"]] == ["b", "b"]
    assert made == ["b"]
    assert dict(extra) == {"a": "a", "b": "b"}


def test_they_are_widened_as_others_are_and_not_made_for_it():
    made = []

    def make():
        made.append(1)
        return [torch.ones(2, dtype=torch.bfloat16)]

    output = DiscriminatorOutput(torch.zeros(2), extra=Deferred("cpu", {"code": make}))
    extra = as_discriminator_output(output).extra
    assert made == []
    assert extra["code"][0].dtype == torch.float32
    assert extra["code"][0].tolist() == [1.0, 1.0]
    assert made == [1]


def test_autocast_and_graph_are_those_of_the_pass():
    layer, x = nn.Linear(2, 2), torch.ones(1, 2)

    def pass_of():
        return Deferred("cpu", {"code": lambda: layer(x)})

    plain = pass_of()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = pass_of()
        assert plain["code"].dtype == torch.float32
    assert cast["code"].dtype == torch.bfloat16
    with torch.no_grad():
        without, inside = pass_of(), plain["code"]
    assert not without["code"].requires_grad
    assert inside.requires_grad


def test_a_device_without_autocast():
    layer = nn.Linear(2, 3, device="meta")
    extra = Deferred("meta", {"made": lambda: layer(torch.ones(1, 2, device="meta"))})
    assert extra["made"].shape == (1, 3)
    assert extra["made"].requires_grad
