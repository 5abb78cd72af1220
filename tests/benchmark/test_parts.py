"""Both sides of each case of the benchmark of parts train alike."""

from __future__ import annotations

import copy

import parts
import pytest
import torch
import toys

from lightning_gan import Game


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(parts, "SHAPE", (1, 8, 8))
    monkeypatch.setattr(parts, "LATENT", 3)
    small = {"sample_shape": (1, 8, 8)}
    monkeypatch.setattr(
        parts,
        "networks",
        lambda: {
            "generator": toys.generator(**small),
            "discriminator": toys.discriminator(**small),
        },
    )


@pytest.mark.parametrize("name", parts.CASES)
def test_both_sides_train_to_the_same_weights(name):
    torch.manual_seed(0)
    gan, real = parts.CASES[name].gan(), toys.images(8, shape=(1, 8, 8))
    first = toys.weights(gan.discriminator)
    loop = parts.Loop(*copy.deepcopy((gan.generator, gan.discriminator)), parts.CASES[name])
    game, other = Game(gan, seed=0), Game(parts.CASES[name].gan(), seed=0)
    other.begin(real.device)
    loop.draw = other.draw_latents  # the same latents
    for batch in range(3):
        for step in (game.play, loop.step):
            torch.manual_seed(batch)
            step(real)
    for ours, theirs in (
        (gan.generator, loop.generator),
        (gan.discriminator, loop.discriminator),
    ):
        torch.testing.assert_close(toys.weights(ours), toys.weights(theirs), rtol=1e-3, atol=2e-5)
    assert not toys.same(first, toys.weights(gan.discriminator))


def test_a_row_of_the_table():
    row = parts.measure("lecam", batch=4, rounds=1, steps=1)
    assert row.startswith("| lecam | ")
    assert row.count("|") == 5
