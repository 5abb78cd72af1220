"""Both sides of each case of the benchmark of parts train alike."""

from __future__ import annotations

from functools import partial
from importlib.metadata import distribution

import parts
import parts_loop
import pytest
import torch
import toys

from lightning_gan import Game

# Logarithms of magnitudes near 0 have slopes that rounding changes.
ROUGH = {"multi_resolution_stft": 2e-4}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(parts_loop, "WIDTHS", {"generator": [8], "discriminator": [8]})
    # Or Adam would step by the sign of gradients that are nothing but rounding.
    monkeypatch.setattr(parts_loop, "ADAM", partial(parts_loop.ADAM, eps=1e-4))


def same_loop(case, gan):
    """Return the loop by hand, with the GAN's weights and latents."""
    loop = case.loop()
    loop.generator.load_state_dict(gan.generator.state_dict())
    loop.discriminator.load_state_dict(gan.discriminator.state_dict())
    for term in gan.regularizers.values():
        for name, parameter in term.named_parameters():
            if parameter.requires_grad:
                loop.own[name].data.copy_(parameter)
    other = Game(case.gan(), seed=0)
    other.begin(torch.device("cpu"))
    loop.draw = other.draw_latents
    return loop


@pytest.mark.parametrize("name", parts.CASES)
def test_both_sides_train_to_the_same_weights(name):
    torch.manual_seed(0)
    case = parts.CASES[name]
    gan, real = case.gan(), case.real(8)
    first, y, loop = toys.weights(gan.discriminator), case.condition(real), same_loop(case, gan)
    game = Game(gan, seed=0)
    for batch in range(3):
        for step in (game.play, loop.step):
            torch.manual_seed(batch)
            step(real, y)
    near = {"rtol": 1e-3, "atol": ROUGH.get(name, 2e-5)}
    for ours, theirs in (
        (gan.generator, loop.generator),
        (gan.discriminator, loop.discriminator),
    ):
        torch.testing.assert_close(toys.weights(ours), toys.weights(theirs), **near)
    assert not toys.same(first, toys.weights(gan.discriminator))


def names_in(case):
    """Return the registered names of the parts that a case measures."""
    names = set(case.library) - {"loss", "augment", "prior"}
    for key in {"loss", "augment"} & set(case.library):
        given = case.library[key]
        given = given() if callable(given) else given
        names.add(given if isinstance(given, str) else given[0])
    return names


def test_every_loss_term_and_augmentation_has_a_case():
    measured = set().union({"non_saturating"}, *(names_in(case) for case in parts.CASES.values()))
    groups = {f"lightning_gan.{kind}" for kind in ("losses", "regularizers", "augments")}
    ours = distribution("lightning-gan").entry_points
    names = {entry.name for entry in ours if entry.group in groups}
    assert names - measured == {"identity", "sequence"}  # which compute nothing themselves


def test_a_row_of_the_table():
    row = parts.measure("lecam", batch=4, rounds=1, steps=1)
    assert row.startswith("| lecam | ")
    assert row.count("|") == 5


def test_operators_are_counted_where_they_differ():
    found = parts.operations("wasserstein", batch=4, steps=1)
    assert "aten::addmm" not in found  # passes of the networks
    assert found["aten::_amp_foreach_non_finite_check_and_unscale_"] == (2, 0)
