"""The check of alternations."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping

from lightning_gan.alternations.base import Alternation
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.generators.base import Generator
from lightning_gan.testing.base import check_any, check_rebuilding
from lightning_gan.testing.expectations import conformance, expect, told
from lightning_gan.testing.feedback import check_observing, observe
from lightning_gan.testing.inputs import N
from lightning_gan.testing.scene import make_scene
from lightning_gan.types import Player, Progress

LEAPS = 34  # each twice as long as the one before: 10^10 batches in the end


@conformance
def check_alternation(
    alternation: Alternation,
    *,
    batches: int = 50,
    players: Collection[Player] = tuple(Player),
    reports: Mapping[str, float] | None = None,
    networks: tuple[Generator, Discriminator] | None = None,
    portable: bool = True,
) -> None:
    """Check an alternation over a made-up course of training.

    Batch by batch first. Where a player has not stepped by then, as in a pretraining of the other
    one, counts of batches, steps and images go on in leaps, each twice as long as the one before.

    Args:
        alternation: The alternation.
        batches: How many are played one by one; more where it counts batches itself.
        players: Who has to step sooner or later.
        reports: Numbers that parts report, by ``part/name``, for an alternation that observes them.
        networks: Generator and discriminator that it is bound to in place of tiny ones.
        portable: Whether its arguments can be saved; False: they are passed again to
            ``load_from_checkpoint``.

    Raises:
        ConformanceError: The alternation breaks its contract.
    """
    scene = make_scene(alternation, networks=networks)
    own = check_any(alternation, Alternation, scene.networks, portable=portable)
    check_observing(copy.deepcopy(own), reports)
    progress = Progress()
    twin: Alternation | None = None
    for batch in range(batches):
        if batch == batches // 2:
            twin = check_rebuilding(own, scene.networks, portable=portable)
        phases = _phases(own, progress)
        if twin is not None:
            _check_resumed(own, phases, twin.phases(progress))
        progress = _after(progress, phases, 1)
        for each in (own, twin):
            if each is not None:
                observe(each, progress, phases, strong=_is_strong(batch), reports=reports)
    for leap in range(LEAPS):
        if all(progress.steps(player) for player in players):
            break
        phases = _phases(own, progress)
        progress = _after(progress, phases, 2**leap)
        observe(own, progress, phases, strong=leap % 2 == 0, reports=reports)
    for player in players:
        expect(
            progress.steps(player) > 0,
            own,
            f"must let the {player.value} step within {batches} batches, or as the counts go on, "
            f"but lets it rest for {progress.batches:,}: raise batches=... where it counts by "
            "itself, or name those who step, players=[Player...]",
        )


def _phases(alternation: Alternation, progress: Progress) -> tuple[Player, ...]:
    """Return who steps on the next batch, after a look at the answer."""
    before = copy.copy(progress)
    with told(alternation, f"phases failed after {progress.batches:,} batches"):
        phases = alternation.phases(progress)
    expect(
        isinstance(phases, tuple) and all(isinstance(p, Player) for p in phases),
        alternation,
        f"phases must return a tuple of Player, got {phases!r}",
    )
    expect(
        vars(progress) == vars(before),
        alternation,
        "phases must not change the progress it reads, but does: keep counts of its own in "
        "get_extra_state",
    )
    expect(
        phases == alternation.phases(progress),
        alternation,
        "phases must give the same answer when asked twice about one batch, but gives another: "
        "count in observe, or read the progress",
    )
    expect(
        not alternation.simultaneous or len(set(phases)) == len(phases),
        alternation,
        "is simultaneous and must let a player step once on one batch, got "
        f"{', '.join(player.value for player in phases)}",
    )
    return phases


def _check_resumed(
    alternation: Alternation, ours: tuple[Player, ...], theirs: tuple[Player, ...]
) -> None:
    expect(
        ours == theirs,
        alternation,
        "must go on after a resume as it would have, but one rebuilt from spec and state_dict has "
        f"{theirs!r} in place of {ours!r}: keep what it counts in get_extra_state or in buffers",
    )


def _after(progress: Progress, phases: tuple[Player, ...], batches: int) -> Progress:
    """Return the counts after some batches with the same phases."""
    first = progress
    for player in phases:
        progress = progress.after_step(player)
    progress = progress.after_batch(N)
    if batches == 1:
        return progress
    gained = {
        name: getattr(first, name) + batches * (getattr(progress, name) - getattr(first, name))
        for name in ("batches", "discriminator_steps", "generator_steps", "rounds", "images")
    }
    return Progress(**gained, last_player=progress.last_player)


def _is_strong(batch: int) -> bool:
    """Whether the discriminator is strong on a batch: turns of 1, 1, 2, 2, 3, 3, ... batches."""
    length = 1
    while batch >= 2 * length:
        batch -= 2 * length
        length += 1
    return batch < length
