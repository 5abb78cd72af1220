"""What one update tells the log and the observers: detached scalars on the device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.training.seams.strategy import average
from lightning_gan.types import AdversarialStep, Feedback, Player, Progress


def readings(step: AdversarialStep, signs: bool) -> dict[str, Tensor]:
    """Return the mean logits of an update's outputs, and their mean signs where asked for.

    A generator update has looked at fakes only, unless the loss needed more.
    """
    logits = {"fake": step.fake_output.logits.detach()}
    if step.player is Player.DISCRIMINATOR:
        logits["real"] = step.real_output.logits.detach()
    found = {f"logits/{name}": value.mean() for name, value in logits.items()}
    if signs:
        found.update({f"sign/{name}": value.sign().mean() for name, value in logits.items()})
    return found


@torch.no_grad()
def measure_opponent(step: AdversarialStep, loss: AdversarialLoss) -> dict[str, Tensor]:
    """Measure the player that does not step, on the same samples, touching no buffer."""
    with preserved_buffers(step.discriminator), preserved_buffers(step.augment):
        real = step.real_output.logits
        fake = step.fake_output.logits[: len(real)]
    if step.player is Player.DISCRIMINATOR:
        needs_real = loss.needs_real_logits_for_generator
        return {"loss/generator": loss.generator(fake, real if needs_real else None).mean()}
    return {
        "loss/discriminator": loss.discriminator(real, fake).mean(),
        "logits/real": real.mean(),
        "sign/real": real.sign().mean(),
    }


def collect(
    seen: dict[str, Tensor], progress: Progress, phases: tuple[Player, ...]
) -> Feedback | None:
    """Average a batch's scalars over all ranks, in one all-reduce, and name them.

    Returns:
        What observers see; None where something is not finite, which no state of theirs shall take.
    """
    keys = [key for key in seen if key.partition("/")[0] in ("loss", "logits", "sign")]
    found: dict[str, Tensor] = {}
    if keys:
        values = torch.stack([seen[key].float() for key in keys])
        average([values])
        if not values.isfinite().all():
            return None
        found = dict(zip(keys, values.unbind(), strict=True))
    return Feedback(
        progress=progress,
        phases=phases,
        discriminator_loss=found.get("loss/discriminator"),
        generator_loss=found.get("loss/generator"),
        real_logits=found.get("logits/real"),
        fake_logits=found.get("logits/fake"),
        real_sign=found.get("sign/real"),
        fake_sign=found.get("sign/fake"),
    )


@contextmanager
def preserved_buffers(network: nn.Module) -> Iterator[None]:
    """Put back every buffer of a network afterwards (batch-norm statistics, spectral norm)."""
    saved = [(buffer, buffer.clone()) for buffer in network.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in saved:
                buffer.copy_(value)
