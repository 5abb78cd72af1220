"""One update put together from a batch, fakes and the terms that are due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from lightning_gan.game.objective import Due
from lightning_gan.step import AdversarialStep, Join
from lightning_gan.types import Batch, GeneratorOutput, Player, SampleRange


class Members(Protocol):
    """Whatever has the networks: a GAN, or an Adversary, which may lack the generator."""

    @property
    def generator(self) -> nn.Module | None:
        """The generator network."""

    @property
    def discriminator(self) -> nn.Module:
        """The discriminator network."""

    @property
    def augment(self) -> nn.Module:
        """The augmentation before the discriminator."""

    @property
    def heads(self) -> Join:
        """How the losses of several heads are joined."""

    @property
    def head_weights(self) -> Sequence[float] | None:
        """A factor for each head, or None."""

    @property
    def sample_range(self) -> SampleRange:
        """Where samples lie, as far as it is declared."""


class Fakes(NamedTuple):
    """What a generator made, and the conditions and latents that it made it from."""

    output: GeneratorOutput
    y: Any
    z: Tensor | None = None


def assemble(
    members: Members,
    player: Player,
    batch: Batch,
    fakes: Fakes,
    due: Due,
    draw_latents: Callable[[int], Tensor] | None,
    images_seen: int | None,
) -> AdversarialStep:
    """Return one update of a player, inputs in the graph where a due term differentiates them.

    Args:
        members: Whose networks these are.
        player: Whose update.
        batch: Real samples.
        fakes: Generated ones.
        due: The regularizers that take part.
        draw_latents: Draws n more latents; None where there is no prior.
        images_seen: Real samples seen before the batch; None where nobody may ask.
    """
    return AdversarialStep(
        player,
        real=batch.real,
        y=batch.y,
        fake=fakes.output,
        fake_y=fakes.y,
        z=fakes.z,
        generator=members.generator,
        discriminator=members.discriminator,
        augment=members.augment,
        draw_latents=draw_latents,
        extra=batch.extra,
        images_seen=images_seen,
        differentiates=frozenset[str]().union(*(each.differentiates for _, each in due)),
        full_precision=uncast_players(due),
        join=members.heads,
        head_weights=members.head_weights,
        sample_range=members.sample_range,
    )


def uncast_players(due: Due) -> frozenset[Player]:
    """Return the players whose networks run without autocast because a due term asks for it."""
    return frozenset[Player]().union(*(each.uncast() for _, each in due))
