"""What the hand-written loops can imitate, and what a module has to leave out for them."""

from __future__ import annotations

from collections.abc import Iterator

from lightning_gan.alternations.base import Alternation
from lightning_gan.components.part import Part
from lightning_gan.errors import InputError
from lightning_gan.training.module import GANModule
from lightning_gan.types import Player, Progress

LONGEST_ROUND = 100
PRECISIONS = ("32-true", "bf16-mixed", "64-true")


def check_imitable(gan: GANModule, precision: str) -> None:
    """Refuse what the hand-written loops cannot do.

    Args:
        gan: The module to be measured.
        precision: The Trainer's precision.

    Raises:
        InputError: The module does more than these loops, or the precision is another one.
    """
    changes = list(_changes(gan))
    if changes:
        raise InputError(
            "benchmark compares with short hand-written loops, which cannot do all that this "
            f"module does: leave it out with {' '.join(changes)}"
        )
    if precision not in PRECISIONS:
        raise InputError(
            f"benchmark: trainer.precision must be one of {', '.join(PRECISIONS)}, got {precision}"
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


def _changes(gan: GANModule) -> Iterator[str]:
    """Yield what to write on the command line so that nothing is left that cannot be imitated."""
    if len(gan.regularizers):
        yield "regularizers=[]"
    if d_steps(gan.alternation) is None:
        yield "alternation=alternating"
    if _does_more(gan.augment):
        yield "augment=identity"
    if gan.loss.needs_real_logits_for_generator or gan.loss.plays or _does_more(gan.loss):
        yield "loss=non_saturating"
    if _does_more(gan.prior):
        yield "prior=normal"
    if gan.balance is not None:
        yield "balance=null"
    networks = (gan.generator, gan.discriminator)
    if any(all(not p.requires_grad for p in network.parameters()) for network in networks):
        yield "model.freeze=null"
    if gan.generator_settings.rates:
        yield "model.rates=null"
    wanted = {"micro_batches": 1, "generator_batch": 1, "fake_labels": "real"}
    for name, value in wanted.items():
        if getattr(gan, name) != value:
            yield f"model.{name}={value}"
    for settings in (gan.generator_settings, gan.discriminator_settings):
        for name, found, value in (
            ("clip_norm", settings.clip_norm, None),
            ("clip_value", settings.clip_value, None),
            ("weight", settings.weight, 1.0),
        ):
            if found != value:
                yield f"model.{settings.named(name)}={'null' if value is None else value}"
    if gan.schedules:
        yield "model.schedules=null"
    for name in ("prepare_batch", "head_weights"):
        if getattr(gan, name) is not None:
            yield f"model.{name}=null"


def _does_more(part: Part) -> bool:
    """Whether a part takes a hand in training besides computing what it is called for."""
    return part.observes or part.prepares or part.trained_by is not None
