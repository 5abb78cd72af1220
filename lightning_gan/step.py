"""One update of one player, as losses, regularizers and balances see it."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import lru_cache
from numbers import Real
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.types import (
    DiscriminatorOutput,
    GeneratorOutput,
    Player,
    SampleRange,
    as_discriminator_output,
    as_generator_output,
    describe,
    map_tensors,
    rows,
    widened,
)

Join = Literal["mean", "sum"]
RESERVED = ("generator", "discriminator")


class AdversarialStep:
    """One update as its terms see it; outputs are computed on first use and once.

    In a discriminator update ``fake``, by-products and whatever :meth:`generate` returns are
    detached, and ``real`` and ``fake`` have equal N. In a generator update ``real`` is there too.

    Attributes:
        player: Whose update this is.
        real: Real samples, shape (N, *sample_shape), not augmented.
        y: Condition of the real samples, or None.
        fake: Generated samples, shape (M, *sample_shape), not augmented.
        fake_y: The condition the fakes were generated for, or None.
        z: The latents of the fakes, shape (M, Z).
        generator_output: What the generator returned with the fakes: its ``extra`` holds
            by-products.
        extra: What the batch holds for terms alone, by name.
        generator: The generator network; None in an Adversary that was given none.
        discriminator: The discriminator network.
        augment: The augmentation before the discriminator.
        full_precision: The players whose networks run without autocast in this update, because a
            term asks for it.
        head_weights: A factor for each head, or None.
        sample_range: Where samples lie, as generator or data declare; None where neither does.
        reports: What was reported so far, by ``part/name``.
    """

    def __init__(
        self,
        player: Player,
        *,
        real: Tensor,
        y: Any = None,
        fake: Tensor | GeneratorOutput,
        fake_y: Any = None,
        z: Tensor | None = None,
        generator: nn.Module | None,
        discriminator: nn.Module,
        augment: nn.Module | None = None,
        draw_latents: Callable[[int], Tensor] | None = None,
        extra: Mapping[str, Any] | None = None,
        images_seen: int | None = 0,
        differentiates: frozenset[str] = frozenset(),
        full_precision: frozenset[Player] = frozenset(),
        join: Join = "mean",
        head_weights: Sequence[float] | None = None,
        sample_range: SampleRange = None,
    ) -> None:
        self.player = player
        self.sample_range = sample_range
        self.differentiates = differentiates
        self.full_precision = full_precision
        output = as_generator_output(fake)
        if player is Player.DISCRIMINATOR and output.extra:
            output = map_tensors(Tensor.detach, output)
        self.generator_output = output
        self.real, self.y = self._input(real, "real"), y
        self.fake, self.fake_y = self._input(self.generator_output.samples, "fake"), fake_y
        self.z = self.fake.new_empty(self.fake.shape[0], 0) if z is None else z
        self.extra: Mapping[str, Any] = {} if extra is None else extra
        self.generator, self.discriminator, self.augment = generator, discriminator, augment
        self.reports: dict[str, Tensor] = {}
        self.part = ""  # which part is being asked, for its reports
        self._images_seen = images_seen
        self._draw_latents = draw_latents
        self._join, self.head_weights = join, head_weights
        self._real_output: DiscriminatorOutput | None = None
        self._fake_output: DiscriminatorOutput | None = None

    def _input(self, x: Tensor, name: str) -> Tensor:
        """Return samples as the terms need them: with or without a graph, gradients wanted."""
        if name == "real":
            return x.detach().requires_grad_() if name in self.differentiates else x
        if self.player is Player.DISCRIMINATOR:
            return x.detach().requires_grad_(name in self.differentiates)
        return x

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

    # What the discriminator says ----------------------------------------------------------------

    @property
    def real_output(self) -> DiscriminatorOutput:
        """The discriminator's output on ``real``."""
        if self._real_output is None:
            self._real_output = self.discriminate(self.real, self.y)
        return self._real_output

    @real_output.setter
    def real_output(self, output: Tensor | Sequence[Tensor] | DiscriminatorOutput) -> None:
        self._real_output = as_discriminator_output(output)

    @property
    def fake_output(self) -> DiscriminatorOutput:
        """The discriminator's output on ``fake``."""
        if self._fake_output is None:
            self._fake_output = self.discriminate(self.fake, self.fake_y)
        return self._fake_output

    @fake_output.setter
    def fake_output(self, output: Tensor | Sequence[Tensor] | DiscriminatorOutput) -> None:
        self._fake_output = as_discriminator_output(output)

    @property
    def computed(self) -> tuple[DiscriminatorOutput | None, DiscriminatorOutput | None]:
        """The outputs on ``real`` and on ``fake`` as far as they were computed, else None."""
        return self._real_output, self._fake_output

    def discriminate(self, x: Tensor, y: Any = None, augment: bool = True) -> DiscriminatorOutput:
        """Run the discriminator, after the augmentation unless told otherwise.

        Args:
            x: Samples, shape (N, *sample_shape).
            y: Their condition, or None.
            augment: Whether to augment ``x`` first.

        Returns:
            The output, all of it in float32 or wider.
        """
        if not self._is_uncast(Player.DISCRIMINATOR, x):
            return self._discriminate(x, y, augment)
        with torch.autocast(x.device.type, enabled=False):
            return self._discriminate(widened(x), y, augment)

    def generate(self, z: Tensor, y: Any = None) -> Tensor:
        """Run the generator on latents (N, Z); detached in a discriminator update."""
        return self.generate_output(z, y).samples

    def generate_output(self, z: Tensor, y: Any = None) -> GeneratorOutput:
        """Run the generator on latents (N, Z) and return its by-products as well.

        Raises:
            InputError: There is no generator here.
        """
        if self.generator is None:
            raise InputError(
                "a term runs the generator, which this Adversary does not have: pass it, "
                "Adversary(..., generator=net)"
            )
        graph = self.player is Player.GENERATOR and torch.is_grad_enabled()
        cast = not self._is_uncast(Player.GENERATOR, z)
        precision = nullcontext() if cast else torch.autocast(z.device.type, enabled=False)
        with torch.set_grad_enabled(graph), precision:
            return as_generator_output(called(self.generator, z, y))

    def latents(self, n: int) -> Tensor:
        """Draw n fresh latents, shape (n, Z).

        Raises:
            InputError: There is no prior here.
        """
        if self._draw_latents is None:
            raise InputError("a term draws latents, which an Adversary does not have; use Game")
        return self._draw_latents(n)

    # What a part may change, and say ------------------------------------------------------------

    def replace(
        self,
        *,
        real: Tensor | None = None,
        fake: Tensor | None = None,
        **conditions: Any,
    ) -> None:
        """Put other samples or conditions in the place of the batch's own, for this update.

        Before the discriminator has seen them: in ``prepare`` of a part, or at the beginning of
        ``play`` of a loss. Inputs that a due term differentiates are taken into the graph again;
        in a discriminator update fakes are detached. Their number stays what it was.

        Args:
            real: In place of ``real``, shape (N, *sample_shape); None keeps it.
            fake: In place of ``fake``; None keeps it.
            **conditions: ``y`` and ``fake_y``, in place of the conditions.

        Raises:
            InputError: The discriminator has seen what is to be replaced, or there are more or
                fewer samples than before.
        """
        unknown = conditions.keys() - {"y", "fake_y"}
        if unknown:
            raise InputError(f"replace takes real, y, fake and fake_y, got {sorted(unknown)[0]!r}")
        seen = [
            ("real", self._real_output, real is not None or "y" in conditions),
            ("fake", self._fake_output, fake is not None or "fake_y" in conditions),
        ]
        for name, output, changes in seen:
            if changes and output is not None:
                raise InputError(
                    f"{name} samples cannot be replaced any more: the discriminator has seen them "
                    "in this update; replace them in prepare(step)"
                )
        for name, new, old in (("real", real, self.real), ("fake", fake, self.fake)):
            if new is not None and len(new) != len(old):
                raise InputError(
                    f"replace puts as many samples in the place of others, got {len(new)} for "
                    f"{name}, where there are {len(old)}"
                )
        if real is not None:
            self.real = self._input(real, "real")
        if fake is not None:
            self.fake = self._input(fake, "fake")
        self.y = conditions.get("y", self.y)
        self.fake_y = conditions.get("fake_y", self.fake_y)

    def report(self, name: str, value: Tensor | float) -> None:
        """Note a number for the log and, averaged over ranks, for observers.

        It is logged as ``loss/<name>``, ``regularizer/<regularizer>/<name>`` and so on, by the part
        that says it; all ranks must report the same names. Where both players' updates on a batch
        report one name, the first update's number counts: put ``step.player.value`` into the name
        to have both.

        Args:
            name: What the number is.
            value: A scalar.

        Raises:
            InputError: The value is no scalar, or the name is that of a player.
        """
        if name in RESERVED:
            raise InputError(f"a report cannot be called {name!r}; choose another word")
        if isinstance(value, Real):
            value = torch.tensor(float(value), device=self.real.device)
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise InputError(f"report({name!r}, ...) takes a scalar, got {describe(value)}")
        self.reports[f"{self.part}/{name}" if self.part else name] = value.detach().reshape(())

    def mean(self, losses: Tensor | Sequence[Tensor]) -> Tensor:
        """Return the mean of a loss; of one for each head, their mean or sum.

        Args:
            losses: Unreduced, N first, or a scalar; or a sequence of such, one for each head, which
                are weighted and joined as the GAN says (``heads``, ``head_weights``).

        Raises:
            InputError: There are more or fewer heads than weights.
        """
        weights = self.head_weights
        if isinstance(losses, Tensor):
            if weights is None or losses.dim() == 0:  # of one head, or joined already
                return losses.mean()
            losses = [losses]
        if weights is not None and len(weights) != len(losses):
            heads = "one head" if len(losses) == 1 else f"{len(losses)} heads"
            raise InputError(
                f"head_weights has {len(weights)} numbers, and the discriminator {heads}: give one "
                "for each"
            )
        means = [each.mean() for each in losses]
        if weights is not None:
            means = [mean * weight for mean, weight in zip(means, weights, strict=True)]
        total, *others = means
        for each in others:
            total = total + each
        return total / len(means) if self._join == "mean" else total

    def seen_by(self, player: Player, outputs: bool = True) -> AdversarialStep:
        """Return this update as a player would see it.

        A discriminator sees as many fakes as real samples, however many the generator made.

        Args:
            player: Who looks.
            outputs: Whether the outputs that were computed are taken along.
        """
        n = len(self.real)
        more = player is Player.DISCRIMINATOR and len(self.fake) > n

        def part(tree: Any) -> Any:
            return rows(tree, slice(n), len(self.fake)) if more else tree

        other = AdversarialStep(
            player,
            real=self.real,
            y=self.y,
            fake=part(dataclasses.replace(self.generator_output, samples=self.fake)),
            fake_y=part(self.fake_y),
            z=part(self.z),
            generator=self.generator,
            discriminator=self.discriminator,
            augment=self.augment,
            draw_latents=self._draw_latents,
            extra=self.extra,
            images_seen=self._images_seen,
            full_precision=self.full_precision,
            join=self._join,
            head_weights=self.head_weights,
            sample_range=self.sample_range,
        )
        if outputs:
            other._real_output, other._fake_output = self._real_output, part(self._fake_output)
        return other

    def take_outputs(self, other: AdversarialStep) -> None:
        """Take over the outputs that another view of this update has and this one has not."""
        self._real_output = self._real_output or other._real_output
        self._fake_output = self._fake_output or other._fake_output

    def _is_uncast(self, player: Player, x: Tensor) -> bool:
        """Whether a term wants this player's network in full precision, under autocast."""
        return player in self.full_precision and torch.is_autocast_enabled(x.device.type)

    def _discriminate(self, x: Tensor, y: Any, augment: bool) -> DiscriminatorOutput:
        if augment and self.augment is not None:
            x = self.augment(x)
        said = called(self.discriminator, x, y) if y is None else self.discriminator(x, y)
        return as_discriminator_output(said)


def called(network: nn.Module, x: Tensor, y: Any) -> Any:
    """Return what a network makes of samples or latents, and of their condition.

    Without a condition, a network of somebody else's may take samples or latents alone.

    Args:
        network: The network.
        x: Samples, shape (N, *sample_shape), or latents, shape (N, Z).
        y: Their condition, or None.
    """
    kind: Any = type(network)
    return network(x, y) if y is not None or _asks_for_two(kind) else network(x)


@lru_cache
def _asks_for_two(kind: type[nn.Module]) -> bool:
    """Whether ``forward`` of a network cannot be called without a condition."""
    try:
        signature = inspect.signature(kind.forward)
    except (AttributeError, TypeError, ValueError):  # of a scripted module
        return False
    try:
        signature.bind(None, None)  # self and x
    except TypeError:
        return True
    return False
