"""Learning rates of their own, for parameters by pattern."""

from __future__ import annotations

import pytest
import torch
import toys

from lightning_gan import Generator, InputError, ParameterGroup
from lightning_gan.game.side import Side


def rates(side: Side):
    return [(group.get("name"), group["lr"]) for group in side.optimizer.param_groups]


def configured(gan):
    sides = gan.sides()
    for side in sides:
        side.configure()
    return sides


def test_patterns_make_groups_with_rates_in_multiples_of_the_optimizers():
    gan = toys.gan(rates={"generator.layers": 0.5, "generator.*.bias": 0.1})
    g, d = configured(gan)
    assert rates(g) == [
        ("generator.layers", pytest.approx(1e-4)),
        ("generator.*.bias", pytest.approx(2e-5)),
    ]
    assert [len(group["params"]) for group in g.optimizer.param_groups] == [2, 2]
    assert rates(d) == [(None, 2e-4)]


class Declaring(Generator):
    latent_dim, sample_shape, num_classes = 3, toys.SHAPE, None

    def __init__(self):
        super().__init__()
        self.net = toys.generator()

    def parameter_groups(self):
        return [ParameterGroup("first", list(self.net.layers[0].parameters()), 0.1)]

    def forward(self, z, y=None):
        return self.net(z)


def test_they_come_on_top_of_what_a_network_declares():
    g, _ = configured(toys.gan(generator=Declaring(), rates={"generator.net.layers.0.bias": 0.5}))
    assert rates(g) == [
        ("first", pytest.approx(2e-5)),
        ("generator.net.layers.0.bias", pytest.approx(1e-5)),
        ("generator", 2e-4),
    ]


def test_a_small_rate_moves_less(tmp_path):
    gan = toys.gan(rates={"discriminator.layers": 1e-3}, freeze=["generator.layers.0"])
    before = {name: p.detach().clone() for name, p in gan.named_parameters()}
    toys.fit(tmp_path, gan, steps=2)
    moved = {n: float((p.detach() - before[n]).abs().max()) for n, p in gan.named_parameters()}
    assert 0 < moved["discriminator.layers.0.weight"] < 1e-6
    assert moved["discriminator.head.weight"] > 1e-4
    assert moved["generator.layers.0.weight"] == 0


def test_a_checkpoint_remembers_them(tmp_path):
    gan = toys.gan(rates={"discriminator.head": 0.25})
    toys.fit(tmp_path, gan, steps=1).save_checkpoint(tmp_path / "a.ckpt", weights_only=False)
    again = type(gan).load_from_checkpoint(tmp_path / "a.ckpt")
    assert rates(configured(again)[1]) == rates(configured(gan)[1])
    assert torch.load(tmp_path / "a.ckpt", weights_only=True)["optimizer_states"][1][
        "param_groups"
    ][1]["lr"] == pytest.approx(5e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"generator.layer": 0.1}, "rates: 'generator.layer' names no parameter, did you mean "),
        ({"generator": 0.0}, r"rates\['generator'\] must be positive, got 0.0; what is not to be"),
        ({"generator": float("inf")}, r"rates\['generator'\] must be"),
        ([0.1], "rates must be a mapping of names or patterns to factors, such as "),
    ],
)
def test_rates_of_nothing_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        toys.gan(rates=given)
