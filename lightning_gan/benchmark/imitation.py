"""What the hand-written loops can imitate, and what a module has to leave out for them."""

from __future__ import annotations

from typing import Any

from lightning_gan.alternations.base import Alternation
from lightning_gan.components.part import Part
from lightning_gan.errors import InputError
from lightning_gan.training.module import GANModule
from lightning_gan.types import Player, Progress

LONGEST_ROUND = 100
PRECISIONS = ("32-true", "bf16-mixed", "64-true")
DOES_MORE = (
    "benchmark compares with short hand-written loops, which cannot do all that this module does: "
    "leave it out with"
)


def check_imitable(gan: GANModule, precision: str) -> None:
    """Refuse what the hand-written loops cannot do.

    Args:
        gan: The module to be measured.
        precision: The Trainer's precision.

    Raises:
        InputError: The module does more than these loops, or the precision is another one.
    """
    changes = imitable(gan)
    if changes:
        written = ", ".join(f"{name}={value!r}" for name, value in changes.items())
        raise InputError(f"{DOES_MORE} {written}")
    if precision not in PRECISIONS:
        raise InputError(
            f"benchmark: the Trainer's precision must be one of {', '.join(PRECISIONS)}, "
            f"got {precision}"
        )


def d_steps(alternation: Alternation) -> int | None:
    """Return how many batches D steps on until G steps too, once; None where it is otherwise."""
    if alternation.simultaneous or alternation.observes:
        return None
    for batches in range(LONGEST_ROUND):
        phases = alternation.phases(Progress(batches=batches))
        if phases == (Player.DISCRIMINATOR, Player.GENERATOR):
            return batches + 1
        if phases != (Player.DISCRIMINATOR,):
            break
    return None


def imitable(gan: GANModule) -> dict[str, Any]:
    """Return the arguments of a module with which nothing is left that cannot be imitated.

    Args:
        gan: The module to be measured.

    Returns:
        For each argument that has to change a plain value; a part by its registered name.
    """
    changes: dict[str, Any] = {}
    if len(gan.regularizers):
        changes["regularizers"] = []
    if d_steps(gan.alternation) is None:
        changes["alternation"] = "alternating"
    if _does_more(gan.augment):
        changes["augment"] = "identity"
    if gan.loss.needs_real_logits_for_generator or gan.loss.plays or _does_more(gan.loss):
        changes["loss"] = "non_saturating"
    if _does_more(gan.prior):
        changes["prior"] = "normal"
    if gan.balance is not None:
        changes["balance"] = None
    networks = (gan.generator, gan.discriminator)
    if any(all(not p.requires_grad for p in network.parameters()) for network in networks):
        changes["freeze"] = None
    if gan.generator_settings.rates:
        changes["rates"] = None
    wanted = {"micro_batches": 1, "generator_batch": 1, "fake_labels": "real"}
    changes |= {name: value for name, value in wanted.items() if getattr(gan, name) != value}
    for settings in (gan.generator_settings, gan.discriminator_settings):
        for name, found, value in (
            ("clip_norm", settings.clip_norm, None),
            ("clip_value", settings.clip_value, None),
            ("weight", settings.weight, 1.0),
        ):
            if found != value:
                changes[settings.named(name)] = value
    if gan.schedules:
        changes["schedules"] = None
    for name in ("prepare_batch", "head_weights"):
        if getattr(gan, name) is not None:
            changes[name] = None
    return changes


def _does_more(part: Part) -> bool:
    """Whether a part takes a hand in training besides computing what it is called for."""
    return part.observes or part.prepares or part.trained_by is not None
