"""The scripts behind the benchmark's tables, on tiny networks."""

from __future__ import annotations

import json

import ablation
import growth
import pytest
import segments
import torch
import toys

from lightning_gan.benchmark.timers import Cost
from lightning_gan.data import RandomImages
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player


def test_a_lap_is_of_whole_batches(tmp_path):
    gan = toys.gan()
    data = RandomImages(shape=toys.SHAPE, n=64, batch_size=8)
    cost = segments.timed(gan, data, steps=4, default_root_dir=tmp_path)
    assert cost.cpu > 0
    assert gan.progress.batches == segments.WARMUP + 4 + 1


def test_turns_leave_the_first_round_out():
    said = []

    def contestant(name):
        def run():
            said.append(name)
            return Cost(float(len(said)), 1.0)

        return run

    costs = segments.in_turns({"a": contestant("a"), "b": contestant("b")}, rounds=2)
    assert said == ["a", "b"] * 3
    assert [cost.cpu for cost in costs["a"]] == [3.0, 5.0]
    assert segments.ratio(costs["a"], costs["b"]) == (
        pytest.approx((4 / 3 + 6 / 5) / 2),
        pytest.approx(6 / 5),
        pytest.approx(4 / 3),
    )


def test_every_axis_of_growth_names_a_number_of_the_base():
    for key, values, around in growth.AXES.values():
        assert {key, *around} <= set(growth.BASE)
        assert len(values) == len(set(values)) > 2


def test_growth_makes_a_table_and_a_plot(tmp_path, monkeypatch):
    tiny = {**growth.SMALL, "batch": 4, "images": 16}
    axes = {
        "callbacks": ("callbacks", (0, 2), tiny),
        "micro-batches": ("micro_batches", (1, 2), tiny),
    }
    monkeypatch.setattr(growth, "AXES", axes)
    monkeypatch.setattr(growth, "steps_of", lambda point, steps: steps)
    monkeypatch.setattr(growth, "apart", lambda task: {"memory_mb": 12.5})
    found = {name: growth.measure(name, rounds=1, steps=1) for name in axes}
    assert [row["value"] for row in found["callbacks"]] == [0, 2]
    assert [row["memory_mb"] for row in found["micro-batches"]] == [12.5, 12.5]
    lines = growth.table(found).splitlines()
    assert len(lines) == 2 + 4
    assert lines[-1].startswith("| micro-batches | 2 |")
    assert lines[-1].endswith("| 12 MB |")
    growth.plot(found, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_rounds_of_d_and_g_are_measured_whole():
    assert growth.steps_of({**growth.BASE, "d_steps": 5}, 6) == 10
    assert growth.steps_of(growth.BASE, 6) == 6


def test_memory_is_measured_in_a_process_of_its_own(capfd):
    point = {**growth.BASE, **growth.SMALL, "images": 64}
    growth.run_apart({"point": point})
    printed = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert -1 < printed["memory_mb"] < 1000  # the kernel counts to some pages


def test_the_second_pass_of_r1_is_the_same_term():
    torch.manual_seed(0)
    gan = toys.gan()
    x, z = toys.images()[:4], torch.randn(4, 3)
    step = AdversarialStep(
        Player.DISCRIMINATOR,
        real=x.requires_grad_(),
        y=None,
        fake=gan.generator(z).detach(),
        fake_y=None,
        z=z,
        generator=gan.generator,
        discriminator=gan.discriminator,
        augment=gan.augment,
        draw_latents=lambda n: torch.randn(n, 3),
    )
    ours, theirs = R1Regularizer().discriminator(step), ablation.SecondPassR1().discriminator(step)
    torch.testing.assert_close(ours, theirs)


def test_every_technique_has_its_row(monkeypatch):
    parts = {"generator": toys.generator, "discriminator": toys.discriminator}
    monkeypatch.setattr(
        ablation,
        "networks",
        lambda workload: {
            **{name: make() for name, make in parts.items()},
            "loss": toys.gan().loss,
        },
    )
    data = RandomImages(shape=toys.SHAPE, n=512, batch_size=8)
    data.setup("fit")
    monkeypatch.setattr(ablation, "images", lambda workload, root: data)
    monkeypatch.setattr("lightning_gan.training.session.compile_networks", lambda gan, device: None)
    rows = ablation.measure("W2", None, rounds=1, steps=1)
    assert len(rows) == 11
    assert rows["all"]["speed"] == (1.0, 1.0, 1.0)
    assert rows["logged every batch"]["against"] == "logged every 50 batches"
    assert all(row["ms"] > 0 for row in rows.values())
