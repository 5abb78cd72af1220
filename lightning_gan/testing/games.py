"""Checks of a component in a tiny game: repetition, resume, micro-batches, bfloat16, heads.

Each takes a :class:`~lightning_gan.testing.cases.Case` and says what was expected, what was found
and how to mend it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from lightning_gan.errors import InputError
from lightning_gan.game.game import Game
from lightning_gan.testing.cases import Case
from lightning_gan.testing.expectations import expect, told
from lightning_gan.testing.playing import (
    APART,
    BATCHES,
    EXACT,
    NATIVE,
    State,
    make_game,
    play_pieces,
    play_whole,
    state_of,
)

SIZES = (1, 3, 5)  # of batches
SEPARATE = (
    "take means over samples and nothing else of the batch; where samples must depend on each "
    'other, set couples_samples = True, or declare couples="why" in its case'
)


class NothingToCheck(Exception):
    """A check that has nothing to look at, with the reason."""


def check_repeatable(case: Case) -> None:
    """Check that two games from one seed come to the same weights."""
    found = []
    for _ in range(2):
        gan, look = make_game(case)
        with told(case.component, "must be played in a game of three batches"):
            go_on(Game(gan, seed=1), look.batches(BATCHES), 0)
        found.append(state_of(gan))
    where, gap = difference(case, *found)
    expect(
        gap == 0 and alike(*found),
        case.component,
        f"must do the same again from the same seed, but {where} differs by {gap:.3g}: draw from "
        "torch's generators alone, and keep nothing outside of the object",
    )


def check_resume(case: Case) -> None:
    """Check that a game that is saved and loaded goes on exactly as one that was not."""
    component = case.component
    gan, look = make_game(case)
    data = look.batches(BATCHES + NATIVE)
    unbroken = Game(gan, seed=1)
    file = io.BytesIO()
    with told(component, "must be played in a game of four batches, saved after three"):
        go_on(unbroken, data[:BATCHES], 0)
        torch.save(unbroken.state_dict(), file)
        go_on(unbroken, data, BATCHES)
    resumed = Game(make_game(case, seed=7)[0], seed=2)
    file.seek(0)
    with told(component, "must be loaded from what was saved, with weights_only=True"):
        resumed.load_state_dict(torch.load(file, weights_only=True))
        go_on(resumed, data, BATCHES)
    ours, theirs = (state_of(game.gan) for game in (unbroken, resumed))
    where, gap = difference(case, ours, theirs)
    expect(
        gap == 0 and alike(ours, theirs),
        component,
        f"must go on after a resume as it would have, but {where or 'a plain value'} differs by "
        f"{gap:.3g}: keep what it remembers in buffers or in get_extra_state",
    )
    moved = difference(case, state_of(make_game(case)[0]), ours)[1]
    expect(moved > APART, component, "must let a game change weights, but nothing changes")


def check_micro_batches(case: Case) -> None:
    """Check that a batch in two micro-batches gives the update of the whole one."""
    with told(case.component, "must be played in a game of three batches"):
        begun, expected = play_whole(case)
    with told(
        case.component,
        "must draw for each sample of a micro-batch what it draws for it in the whole batch",
        SEPARATE,
    ):
        found, reason = play_pieces(case, begun)
    check_same(case, found, expected, reason, "micro-batches")


def check_same(case: Case, ours: State, theirs: State, reason: str | None, what: str) -> None:
    """Check that games came to the same; of what couples samples, that they did not.

    Args:
        case: The component.
        ours: State after the pieces.
        theirs: State after the whole batches.
        reason: Why they may differ.
        what: What the pieces are.
    """
    where, gap = difference(case, ours, theirs)
    where = where or "a value"
    if reason is not None:
        expect(
            gap > APART,
            case.component,
            f"declares that samples depend on each other ({reason}), but {what} come to the same "
            "as whole batches: leave the declaration out, or declare couples=None in its case",
        )
        return
    expect(
        gap < EXACT and alike(ours, theirs),
        case.component,
        f"must come to the same weights with {what} as with whole batches, but {where} "
        f"differs by {gap:.3g}: {SEPARATE}",
    )


def check_bfloat16(case: Case) -> None:
    """Check that everything stays finite, and of its type, under bfloat16 autocast."""
    gan, look = make_game(case, dtype=torch.float32)
    before, game = state_of(gan), Game(gan, seed=1)
    component = case.component
    with (
        told(
            component,
            "must be played under torch.autocast(..., torch.bfloat16)",
            "cast what meets a tensor of autocast to its dtype",
        ),
        torch.autocast("cpu", torch.bfloat16),
    ):
        for batch in look.batches(BATCHES, torch.float32):
            readings = game.play(*batch)
    expect(
        not any(side.skipped.count() for side in game.sides)
        and all(bool(value.isfinite().all()) for value in values_of(readings)),
        component,
        "must stay finite under bfloat16 autocast, but a loss or a gradient is NaN or infinite: "
        "compute what is sensitive in x.float()",
    )
    moved = difference(case, state_of(gan), before)[1]
    expect(moved > 0, component, "must let a game change weights, but nothing changes")


def check_batch_sizes(case: Case) -> None:
    """Check batches of 1, 3 and 5 samples; what cannot take one refuses it with an InputError."""
    for size in SIZES:
        gan, look = make_game(case)
        game = Game(gan, seed=1)
        with told(
            case.component,
            f"must be played with batches of {size}, or refuse them with an InputError",
        ):
            try:
                readings = game.play(*look.batches(1, n=size)[0])
            except InputError:
                continue
        expect(
            all(bool(value.isfinite().all()) for value in values_of(readings)),
            case.component,
            f"must stay finite for a batch of {size}, but a term is NaN or infinite: guard what "
            f"divides by {size} - 1 and the like, or raise an InputError",
        )


def check_heads(case: Case) -> None:
    """Check a part against a discriminator that returns a list of logits."""
    if case.tried().keywords.get("networks") is not None:
        raise NothingToCheck("it is tried on networks of its own")
    gan, look = make_game(case, heads=2)
    with told(
        case.component,
        "must be played with a discriminator of two heads, or refuse it with an InputError",
        "logits are a list then: step.real_output.heads, step.fake_output.heads",
    ):
        try:
            game = Game(gan, seed=1)
            readings = [game.play(*batch) for batch in look.batches(BATCHES)]
        except InputError:
            return
    expect(
        all(bool(value.isfinite().all()) for each in readings for value in values_of(each)),
        case.component,
        "must stay finite with a discriminator of two heads, but a term is NaN or infinite",
    )


def go_on(game: Game, data: Any, first: int) -> None:
    """Play the batches from a number on, each from a seed of its own."""
    for index, batch in enumerate(data[first:], start=first):
        torch.manual_seed(index)
        game.play(*batch)


def difference(case: Case, ours: State, theirs: State) -> tuple[str, float]:
    """Return where two states differ most, and by how much, relative where they are large.

    Raises:
        ConformanceError: They have other entries, or an entry is not finite.
    """
    component, found = case.component, ("", 0.0)
    expect(ours.keys() == theirs.keys(), component, "must have the same entries in every state")
    for key, value in ours.items():
        if not torch.is_tensor(value):
            continue
        other = theirs[key]
        expect(
            (value.shape, value.dtype) == (other.shape, other.dtype),
            component,
            f"must keep shape and dtype of its state, but {key} is {value.dtype} of shape "
            f"{tuple(value.shape)} and {other.dtype} of {tuple(other.shape)}",
        )
        expect(
            bool(value.isfinite().all()), component, f"must keep its state finite, but {key} is not"
        )
        if value.numel():
            gap = (value.double() - other.double()).abs() / other.double().abs().clamp(min=1)
            found = max(found, (key, float(gap.max())), key=lambda pair: pair[1])
    return found


def alike(ours: State, theirs: State) -> bool:
    """Whether what is no tensor in two states is the same, up to rounding."""
    (mine, form), (yours, other) = (
        tree_flatten({k: v for k, v in state.items() if not torch.is_tensor(v)})
        for state in (ours, theirs)
    )
    return form == other and all(map(_same, mine, yours))


def _same(one: Any, other: Any) -> bool:
    if type(one) is float and type(other) is float:
        return math.isclose(one, other, rel_tol=0.0, abs_tol=EXACT)
    if torch.is_tensor(one):
        return bool(torch.equal(one, other))
    return bool(one == other)


def values_of(readings: Any) -> Iterator[Any]:
    """Yield the losses, terms, reports and factors of readings."""
    for each in (readings.generator, readings.discriminator):
        if each is not None:
            yield from (*each.terms.values(), *each.reports.values(), *each.factors.values())
            if each.loss is not None:
                yield each.loss
