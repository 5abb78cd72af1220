"""Values that cross the boundaries between rooms: players, outputs, updates and counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError


class Player(str, Enum):
    """One of the two networks that play the game."""

    GENERATOR = "generator"
    DISCRIMINATOR = "discriminator"

    @property
    def opponent(self) -> Player:
        """The other player."""
        return Player.DISCRIMINATOR if self is Player.GENERATOR else Player.GENERATOR


@dataclass(frozen=True)
class DiscriminatorOutput:
    """What a discriminator with more than one head returns.

    Attributes:
        logits: Raw real/fake logits, shape (N, ...), no sigmoid.
        class_logits: Class logits, shape (N, K), or None.
        features: Intermediate features, N first, or None.
        extra: Anything else a regularizer asks for, by name.
    """

    logits: Tensor
    class_logits: Tensor | None = None
    features: Tensor | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """Counts since the start of training, equal on all ranks.

    Attributes:
        batches: Batches seen by one process, which is ``trainer.global_step``.
        discriminator_steps: Optimizer steps of the discriminator.
        generator_steps: Optimizer steps of the generator.
        rounds: Turns of the discriminator that a turn of the generator followed.
        images: Real samples seen, over all ranks.
        last_player: Whose step was the last, or None before the first.
    """

    batches: int = 0
    discriminator_steps: int = 0
    generator_steps: int = 0
    rounds: int = 0
    images: int = 0
    last_player: Player | None = None

    def steps(self, player: Player) -> int:
        """Optimizer steps of one player."""
        return self.generator_steps if player is Player.GENERATOR else self.discriminator_steps

    def after_step(self, player: Player) -> Progress:
        """Return the counts after one more optimizer step of a player."""
        turn_ends = player is Player.GENERATOR and self.last_player is Player.DISCRIMINATOR
        return Progress(
            self.batches,
            self.discriminator_steps + (player is Player.DISCRIMINATOR),
            self.generator_steps + (player is Player.GENERATOR),
            self.rounds + turn_ends,
            self.images,
            last_player=player,
        )

    def after_batch(self, images: int) -> Progress:
        """Return the counts after one more batch of ``images`` samples over all ranks."""
        return replace(self, batches=self.batches + 1, images=self.images + images)

    def state_dict(self) -> dict[str, int | str | None]:
        """Return plain values for a checkpoint."""
        return {**vars(self), "last_player": self.last_player and self.last_player.value}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> Progress:
        """Return the counts that :meth:`state_dict` described."""
        last = state["last_player"]
        return cls(**{**state, "last_player": None if last is None else Player(last)})


@dataclass(frozen=True)
class Feedback:
    """What an observer sees once per batch: scalars on the device, averaged over ranks.

    A value is None where the player neither stepped in this batch nor was asked to be measured.

    Attributes:
        progress: The counts after this batch.
        phases: The players that stepped, in order.
        discriminator_loss: Adversarial part of D's loss, mean over samples.
        generator_loss: Adversarial part of G's loss, mean over samples.
        real_logits: Mean logit of real samples.
        fake_logits: Mean logit of fakes.
        real_sign: Mean sign of the logits of real samples, in [-1, 1].
        fake_sign: Mean sign of the logits of fakes, in [-1, 1].
    """

    progress: Progress
    phases: tuple[Player, ...]
    discriminator_loss: Tensor | None = None
    generator_loss: Tensor | None = None
    real_logits: Tensor | None = None
    fake_logits: Tensor | None = None
    real_sign: Tensor | None = None
    fake_sign: Tensor | None = None


class AdversarialStep:
    """One update as a regularizer sees it; outputs are computed on first use and once.

    In a discriminator update ``fake`` and whatever :meth:`generate` returns are detached, and
    ``real`` and ``fake`` have equal N. In a generator update ``real`` is there too.

    Attributes:
        player: Whose update this is.
        real: Real samples, shape (N, *sample_shape), images in [-1, 1], not augmented.
        y: Labels of the real samples, or None.
        fake: Generated samples, shape (M, *sample_shape), not augmented.
        fake_y: The labels the fakes were generated for, or None.
        z: The latents of the fakes, shape (M, Z).
        generator: The generator network.
        discriminator: The discriminator network.
        augment: The augmentation before the discriminator.
        full_precision: Whether the discriminator runs without autocast in this update, because a
            regularizer differentiates it.
    """

    def __init__(
        self,
        player: Player,
        *,
        real: Tensor,
        y: Any,
        fake: Tensor,
        fake_y: Any,
        z: Tensor,
        generator: nn.Module,
        discriminator: nn.Module,
        augment: nn.Module,
        draw_latents: Callable[[int], Tensor],
        images_seen: int | None = 0,
        full_precision: bool = False,
    ) -> None:
        self.player = player
        self.real, self.y = real, y
        self.fake, self.fake_y, self.z = fake, fake_y, z
        self.generator, self.discriminator, self.augment = generator, discriminator, augment
        self._images_seen = images_seen
        self._draw_latents = draw_latents
        self.full_precision = full_precision
        self._real_output: DiscriminatorOutput | None = None
        self._fake_output: DiscriminatorOutput | None = None

    @property
    def images_seen(self) -> int:
        """Real samples seen before this batch, over all ranks.

        Raises:
            InputError: The update is being captured as a CUDA graph, which would repeat it.
        """
        if self._images_seen is None:
            raise InputError(
                "graph repeats what was captured, and images_seen, which a part reads at every "
                "step, would stay what it was: set graph to false"
            )
        return self._images_seen

    @property
    def real_output(self) -> DiscriminatorOutput:
        """The discriminator's output on ``real``."""
        if self._real_output is None:
            self._real_output = self.discriminate(self.real, self.y)
        return self._real_output

    @property
    def fake_output(self) -> DiscriminatorOutput:
        """The discriminator's output on ``fake``."""
        if self._fake_output is None:
            self._fake_output = self.discriminate(self.fake, self.fake_y)
        return self._fake_output

    def discriminate(self, x: Tensor, y: Any = None, augment: bool = True) -> DiscriminatorOutput:
        """Run the discriminator, after the augmentation unless told otherwise.

        Args:
            x: Samples, shape (N, *sample_shape).
            y: Their labels, or None.
            augment: Whether to augment ``x`` first.

        Returns:
            The output, with logits and class logits in float32 or wider.
        """
        if not (self.full_precision and torch.is_autocast_enabled(x.device.type)):
            return self._discriminate(x, y, augment)
        with torch.autocast(x.device.type, enabled=False):
            return self._discriminate(x.float() if is_low_precision(x) else x, y, augment)

    def generate(self, z: Tensor, y: Any = None) -> Tensor:
        """Run the generator on latents (N, Z); detached in a discriminator update."""
        with torch.set_grad_enabled(self.player is Player.GENERATOR and torch.is_grad_enabled()):
            fake: Tensor = self.generator(z, y)
        return fake

    def latents(self, n: int) -> Tensor:
        """Draw n fresh latents, shape (n, Z)."""
        return self._draw_latents(n)

    def _discriminate(self, x: Tensor, y: Any, augment: bool) -> DiscriminatorOutput:
        output = self.discriminator(self.augment(x) if augment else x, y)
        if not isinstance(output, DiscriminatorOutput):
            return DiscriminatorOutput(_widen(output))
        class_logits = None if output.class_logits is None else _widen(output.class_logits)
        return DiscriminatorOutput(
            _widen(output.logits), class_logits, output.features, output.extra
        )


def is_low_precision(x: Tensor) -> bool:
    """Whether a tensor is float16 or bfloat16."""
    return x.dtype in (torch.float16, torch.bfloat16)


def _widen(x: Tensor) -> Tensor:
    return x.float() if is_low_precision(x) else x


def map_labels(function: Callable[[Tensor], Tensor], y: Any) -> Any:
    """Apply a function to every tensor of a label: a tensor, a dict, a tuple or list, or None."""
    if isinstance(y, Tensor):
        return function(y)
    if isinstance(y, dict):
        return {key: map_labels(function, value) for key, value in y.items()}
    if isinstance(y, (tuple, list)):
        items = [map_labels(function, value) for value in y]
        return type(y)(*items) if hasattr(y, "_fields") else type(y)(items)
    return y
