"""The check of regularizers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.generators.base import Generator
from lightning_gan.priors.base import Prior
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.testing.base import check_any
from lightning_gan.testing.expectations import conformance, expect, told
from lightning_gan.testing.feedback import check_observing
from lightning_gan.testing.scene import IMAGES, Scene, make_scene
from lightning_gan.testing.terms import (
    FIRST_ASKED,
    by_name,
    check_batch_on_meta,
    check_resuming,
    check_term,
)
from lightning_gan.types import Player, SampleRange, describe

NAME = "regularizer/checked"


@conformance
def check_regularizer(
    regularizer: Regularizer,
    *,
    networks: tuple[Generator, Discriminator] | None = None,
    prior: Prior | None = None,
    y: Any = None,
    extra: Mapping[str, Any] | None = None,
    sample_shape: tuple[int, ...] | None = None,
    latent_dim: int | None = None,
    sample_range: SampleRange = None,
    reports: Mapping[str, float] | None = None,
    portable: bool = True,
) -> None:
    """Check a regularizer in two updates of each player.

    Args:
        regularizer: The term.
        networks: Generator and discriminator to use in place of tiny ones, which are conditional
            on 3 classes and have class logits, features and a ``mapping``.
        prior: Distribution of the latents; None: standard normal.
        y: Condition of 4 samples, where it is no class.
        extra: Further entries of a batch that the term asks for, ``step.extra``, of 4 samples.
        sample_shape: Shape of the tiny networks' samples; None: (1, 8, 8).
        latent_dim: Size of the tiny generator's latents; None: 5.
        sample_range: Range of the samples; None: the generator's.
        reports: Numbers that other parts report, by ``part/name``, for a term that observes them.
        portable: Whether its arguments can be saved; False: they are passed again to
            ``load_from_checkpoint``.

    Raises:
        ConformanceError: The regularizer breaks its contract.
    """
    scene = make_scene(
        regularizer,
        networks=networks,
        prior=prior,
        y=y,
        extra=extra,
        sample_shape=sample_shape,
        latent_dim=latent_dim,
        sample_range=sample_range,
    )
    own = check_any(regularizer, Regularizer, scene.networks, portable=portable)
    _check_declarations(own)
    scene.check_requirements(own)
    check_batch_on_meta(own, scene, _terms)
    said = dict(reports or {})
    for scene.images_seen in IMAGES:
        for player in FIRST_ASKED:
            said |= _check_term(own, scene, player)
            _check_after_update(own, scene, player)
    check_observing(own, said)
    check_resuming(own, scene, _terms, portable=portable)
    for player in FIRST_ASKED:
        _check_term(own, scene, player)


def _check_declarations(regularizer: Regularizer) -> None:
    interval, weight = regularizer.interval, regularizer.weight
    expect(
        isinstance(interval, int) and interval >= 1,
        regularizer,
        f"must have an interval, an int of 1 or more, got {interval!r}: call "
        "super().__init__(weight, interval)",
    )
    expect(
        isinstance(weight, (int, float)),
        regularizer,
        f"must have a weight, a number, got {weight!r}: call super().__init__(weight, interval)",
    )
    expect(
        set(regularizer.differentiates) <= {"real", "fake", "points"},
        regularizer,
        f"may differentiate 'real', 'fake' and 'points', got {sorted(regularizer.differentiates)}",
    )
    full = regularizer.full_precision
    expect(
        full is None or (isinstance(full, (set, frozenset)) and full <= set(Player)),
        regularizer,
        f"must have full_precision None or a frozenset of Player, got {full!r}",
    )
    acts = any(regularizer.acts_on(player) for player in Player)
    updates = type(regularizer).after_update is not Regularizer.after_update
    expect(
        acts or updates or regularizer.prepares or regularizer.observes,
        regularizer,
        "must define discriminator, generator or after_update, or change updates in prepare, but "
        "does nothing: override one of them",
    )
    owner, trained = regularizer.trained_by, any(p.requires_grad for p in regularizer.parameters())
    if owner is not None and trained:
        expect(
            regularizer.acts_on(owner),
            regularizer,
            f"has parameters that the {owner.value} trains, and no term in its objective: define "
            f"the method {owner.value}, or set trained_by to the other player",
        )


def _check_term(regularizer: Regularizer, scene: Scene, player: Player) -> dict[str, float]:
    """Check one player's term, and that what a part prepares is taken by the discriminator."""
    inputs = sorted(regularizer.differentiates & {"real", "fake"})
    return check_term(
        regularizer,
        scene,
        player,
        _terms,
        name=NAME,
        what=f"the {player.value}'s term",
        given=f", with gradients for the inputs {inputs} that `differentiates` names",
    )


def _terms(regularizer: Regularizer, step: AdversarialStep) -> Mapping[str, Any]:
    """Return the terms of an update by name, and let the discriminator see what was prepared."""
    values = by_name(regularizer.term(step))
    if regularizer.prepares and not values:
        step.real_output, step.fake_output  # noqa: B018 - computed when they are read
    return values


def _check_after_update(regularizer: Regularizer, scene: Scene, player: Player) -> None:
    network = scene.network(player)
    before = [parameter.requires_grad for parameter in network.parameters()]
    with told(regularizer, f"after_update failed for the {player.value}"), torch.no_grad():
        regularizer.after_update(player, network)  # without gradient, as the game calls it
    after = list(network.parameters())
    expect(
        before == [parameter.requires_grad for parameter in after]
        and all(bool(parameter.isfinite().all()) for parameter in after),
        regularizer,
        "after_update must leave the parameters finite and trainable as they were, but those of "
        f"{describe(network)} are not: change values alone",
    )
