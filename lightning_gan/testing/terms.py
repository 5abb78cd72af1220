"""What a term of an objective owes, be it a loss's or a regularizer's: shape, graph, tidiness."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from lightning_gan.components.part import Part
from lightning_gan.step import AdversarialStep
from lightning_gan.testing.base import check_rebuilding
from lightning_gan.testing.computing import check_device, check_randomness
from lightning_gan.testing.expectations import close, expect, expect_tensor, told
from lightning_gan.testing.scene import Scene
from lightning_gan.types import Player

# In pretraining and validation the generator comes first; on a batch of the game, second.
FIRST_ASKED = (Player.GENERATOR, Player.DISCRIMINATOR)
ON_A_BATCH = (Player.DISCRIMINATOR, Player.GENERATOR)
Compute = Callable[[Any, AdversarialStep], Any]


def check_term(
    part: Part,
    scene: Scene,
    player: Player,
    compute: Compute,
    *,
    name: str,
    what: str,
    given: str = "",
) -> dict[str, float]:
    """Check what a part adds to a player's objective.

    Args:
        part: A loss or a regularizer.
        scene: What the update is made of.
        player: Whose objective.
        compute: What the game calls: returns tensors by name, of a part and an update.
        name: What the part is called in reports.
        what: What the term is called in sentences.
        given: What it was given, where it fails.

    Returns:
        What the part reported, by ``part/name``.
    """
    with scene.update(player, part, name) as step:
        check_preparing(part, step)
        with told(part, f"{what} failed{given}"):
            values = compute(part, step)
        expect(
            all(isinstance(key, str) for key in values),
            part,
            f"{what} must have names of its parts, got {', '.join(map(repr, values))}",
        )
        for key, value in values.items():
            called = f"{what}, part {key!r}," if key else what
            expect_tensor(part, value, _shape(value, step), torch.float32, called, wider=True)
        found = [v for v in values.values() if v.requires_grad or bool(v.any())]
        if found:  # zeros without a graph are no term: of one that has not begun
            _check_gradients(part, scene, player, found, what)
        expect(
            all(p.grad is None for network in scene.networks for p in network.parameters()),
            part,
            f"{what} must leave gradients to the game, but the networks have some after it: use "
            "torch.autograd.grad in place of backward",
        )
        reports = {key: float(value) for key, value in step.reports.items()}
    if values:
        check_randomness(part, lambda: _computed(part, scene, player, compute))
    return reports


def check_batch_on_meta(part: Part, scene: Scene, compute: Compute) -> None:
    """Check on the meta device that the tensors of both players' terms move with the part."""

    def batch(part: Part) -> list[Tensor]:
        moved = scene.on_meta()
        return [term for player in FIRST_ASKED for term in _computed(part, moved, player, compute)]

    check_device(part, batch)


def check_resuming(part: Part, scene: Scene, compute: Compute, *, portable: bool) -> None:
    """Check that a part that is rebuilt goes on as it would have.

    Args:
        part: A loss or a regularizer that has seen updates.
        scene: What they were made of.
        compute: What the game calls: returns tensors by name, of a part and an update.
        portable: Whether its arguments can be saved.
    """
    resumed = scene.rebuilt()
    twin = check_rebuilding(part, resumed.networks, portable=portable)
    resumed.load(scene)
    for player in ON_A_BATCH:
        values = []
        for each, place in ((part, scene), (twin, resumed)):
            torch.default_generator.manual_seed(0)
            values.append(_computed(each, place, player, compute))
        expect(
            len(values[0]) == len(values[1]) and all(map(close, *values)),
            part,
            "must go on after a resume as it would have, but one rebuilt from spec and state_dict "
            f"has another term for the {player.value}: keep what it remembers in buffers or in "
            "get_extra_state",
        )


def by_name(value: Any) -> Mapping[str, Any]:
    """Return a term, several, or none, by name; the name of a single one is empty."""
    if value is None:
        return {}
    return value if isinstance(value, Mapping) else {"": value}


def check_preparing(part: Part, step: AdversarialStep) -> None:
    """Let a part change the update, and check that it is still one."""
    before = step.real.shape[1:], step.fake.shape[1:]
    with told(part, f"prepare failed in an update of the {step.player.value}"):
        part.prepare(step)
    after = step.real.shape[1:], step.fake.shape[1:]
    equal = step.player is Player.GENERATOR or len(step.real) == len(step.fake)
    expect(
        before == after and equal,
        part,
        "prepare must put samples of the same shape in the place of others, as many fakes as real "
        f"ones in an update of the discriminator, got real {tuple(step.real.shape)} and fake "
        f"{tuple(step.fake.shape)}",
    )


def _check_gradients(
    part: Part, scene: Scene, player: Player, values: list[Tensor], what: str
) -> None:
    """Check that a term depends on what its player trains."""
    total = torch.stack([value.sum() for value in values if value.requires_grad] or [_nothing()])
    network = [p for p in scene.network(player).parameters() if p.requires_grad]
    own: dict[str, Tensor] = {}
    if part.trained_by is player:
        own = {name: p for name, p in part.named_parameters() if p.requires_grad}
    reached: list[Any] = []
    if total.requires_grad and (network or own):
        targets = [*network, *own.values()]
        with told(part, f"{what} must be differentiable"):
            reached = list(torch.autograd.grad(total.sum(), targets, allow_unused=True))
    expect(
        any(gradient is not None for gradient in reached),
        part,
        f"{what} must be differentiable with respect to the {player.value}'s parameters, but none "
        "gets a gradient: detach nothing on the way, or return None where there is no term",
    )
    unused = [name for name, g in zip(own, reached[len(network) :], strict=True) if g is None]
    expect(
        not unused,
        part,
        f"{what} must use every parameter that trained_by says the {player.value} trains, but "
        f"{', '.join(unused)} gets no gradient: freeze what is not trained",
    )


def _shape(value: Any, step: AdversarialStep) -> tuple[Any, ...]:
    """Return the shape that a term should have: one number, or some for each sample or fake."""
    if not isinstance(value, Tensor) or value.dim() == 0:
        return ()
    return (len(step.fake) if len(value) == len(step.fake) else len(step.real), ...)


def _nothing() -> Tensor:
    return torch.zeros(())


def _computed(part: Part, scene: Scene, player: Player, compute: Compute) -> list[Tensor]:
    with scene.update(player, part, "") as step:
        part.prepare(step)
        return list(compute(part, step).values())
