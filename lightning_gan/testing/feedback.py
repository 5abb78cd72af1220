"""Feedback for parts that observe, of a made-up game."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from lightning_gan.components.part import Part
from lightning_gan.testing.expectations import expect, told
from lightning_gan.types import Feedback, Player, Progress


def check_observing(part: Part, reports: Mapping[str, float] | None = None) -> None:
    """Check what a part declares of its observing, and show it all that it may meet.

    Args:
        part: Any part.
        reports: What parts report, by ``part/name``.
    """
    expect(
        isinstance(part.observes, bool) and set(part.measures) <= set(Player),
        part,
        "must have observes, a bool, and measures, a set of Player, got "
        f"{part.observes!r} and {part.measures!r}",
    )
    progress = Progress()
    for phases in ((), tuple(Player), (Player.DISCRIMINATOR,), (Player.GENERATOR,)):
        for strong in (True, False):
            progress = progress.after_batch(1)
            observe(part, progress, phases, strong=strong, reports=reports)


def observe(
    part: Part,
    progress: Progress,
    phases: tuple[Player, ...],
    *,
    strong: bool = True,
    reports: Mapping[str, float] | None = None,
) -> None:
    """Show an observer a batch; statistics of players that it does not hear of are None.

    Args:
        part: Any part; nothing happens to one that does not observe.
        progress: The counts after the batch.
        phases: Who stepped.
        strong: Whether the discriminator tells real samples from fakes.
        reports: What parts reported in the updates, by ``part/name``.
    """
    if not part.observes:
        return
    heard = {*phases, *part.measures}
    mean, sign = (2.0, 1.0) if strong else (-0.1, -0.2)
    judged = dict.fromkeys(("real_logits", "fake_logits", "real_sign", "fake_sign"), None)
    values: dict[str, float | None] = {**judged, "discriminator_loss": None, "generator_loss": None}
    if heard:  # a generator's update computes logits of fakes, and of reals where it needs them
        values |= {"fake_logits": -mean, "fake_sign": -sign}
    if Player.DISCRIMINATOR in heard:
        values |= {"real_logits": mean, "real_sign": sign}
        values["discriminator_loss"] = 0.05 if strong else 3.0
    if Player.GENERATOR in heard:
        values["generator_loss"] = 3.0 if strong else 0.05
    scalars = {key: None if v is None else torch.tensor(v) for key, v in values.items()}
    said = {key: torch.tensor(float(v)) for key, v in (reports or {}).items() if phases}
    missing = ", ".join(key for key, value in scalars.items() if value is None)
    with told(
        part,
        "observe must accept statistics that are None, those of players that neither stepped nor "
        f"are in `measures`, and reports that are missing; it failed where {missing or 'none'} "
        f"was None and the reports were {', '.join(said) or 'none'}",
    ):
        part.observe(Feedback(progress, phases, reports=said, **scalars))  # type: ignore[arg-type]
