"""Updates as the game makes them, of tiny networks or given ones, for parts to be tried in."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.components.part import Part
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.generators.base import Generator
from lightning_gan.priors.base import Prior
from lightning_gan.step import AdversarialStep
from lightning_gan.testing.computing import on_meta
from lightning_gan.testing.expectations import expect, told
from lightning_gan.testing.inputs import (
    N,
    check_condition,
    described_condition,
    labels_for,
    samples_in,
)
from lightning_gan.testing.tiny import TinyDiscriminator, TinyGenerator
from lightning_gan.types import (
    DiscriminatorOutput,
    Player,
    SampleRange,
    as_generator_output,
    map_tensors,
)

SHAPE, LATENT = (1, 8, 8), 5  # of tiny networks
IMAGES = (0, 10**9)  # seen before updates, for what begins or ends with training


@dataclass
class Scene:
    """What an update is made of.

    Attributes:
        generator: The generator.
        discriminator: The discriminator.
        prior: Distribution of its latents.
        y: Condition of N samples, or None.
        extra: What the batch holds for terms alone.
        sample_range: Where real samples lie.
        given: Whether the networks were given.
        images_seen: Real samples seen before the update.
        device: Where all of it is.
    """

    generator: Generator
    discriminator: Discriminator
    prior: Prior
    y: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    sample_range: SampleRange = None
    given: bool = False
    images_seen: int = 0
    device: str = "cpu"

    @property
    def networks(self) -> tuple[Generator, Discriminator]:
        """Both networks, the generator first."""
        return self.generator, self.discriminator

    def network(self, player: Player) -> Generator | Discriminator:
        """Return the network of a player."""
        return self.generator if player is Player.GENERATOR else self.discriminator

    def latents(self, n: int) -> Tensor:
        """Draw latents."""
        return self.prior.sample(n, self.generator.latent_dim, generator=None, device=self.device)

    @contextmanager
    def update(self, player: Player, part: Part, name: str) -> Iterator[AdversarialStep]:
        """Yield an update in which the game asks a part; what it does not train is frozen.

        Args:
            player: Whose update.
            part: Who is asked.
            name: What it is called in reports.
        """
        owner = part.trained_by
        resting = [self.discriminator] if player is Player.GENERATOR else []
        frozen = [p for module in resting for p in module.parameters() if p.requires_grad]
        if owner is not None and owner is not player:
            frozen += [p for p in part.parameters() if p.requires_grad]
        for parameter in frozen:
            parameter.requires_grad = False
        try:
            yield self._step(player, part, name)
        finally:
            for parameter in frozen:
                parameter.requires_grad = True

    def _step(self, player: Player, part: Part, name: str) -> AdversarialStep:
        with told(
            self.generator,
            f"must generate from {N} latents and {described_condition(self.y)}, but failed",
        ):
            z = self.latents(N)
            output = as_generator_output(self.generator(z, self.y))
            real = samples_in(self.sample_range, output.samples.shape[1:]).to(self.device)
        step = AdversarialStep(
            player,
            real=real,
            y=self.y,
            fake=output,
            fake_y=self.y,
            z=z,
            generator=self.generator,
            discriminator=self.discriminator,
            augment=nn.Identity(),
            draw_latents=self.latents,
            extra=self.extra,
            images_seen=self.images_seen,
            differentiates=getattr(part, "differentiates", frozenset()),
            sample_range=self.sample_range,
        )
        step.part = name
        return step

    def on_meta(self) -> Scene:
        """Return the same on the meta device."""

        def move(tree: Any) -> Any:
            return map_tensors(lambda t: t.to("meta"), tree)

        return replace(
            self,
            generator=on_meta(self.generator),
            discriminator=on_meta(self.discriminator),
            prior=on_meta(self.prior),
            y=move(self.y),
            extra=move(self.extra),
            device="meta",
        )

    def rebuilt(self) -> Scene:
        """Return the same with networks as they would be built anew, with other weights."""
        networks = copy.deepcopy(self.networks)
        for network in networks:
            for parameter in network.parameters():
                if parameter.is_floating_point():
                    parameter.data = torch.rand_like(parameter)
        return replace(self, generator=networks[0], discriminator=networks[1])

    def load(self, other: Scene) -> None:
        """Take over the networks' weights."""
        for ours, theirs in zip(self.networks, other.networks, strict=True):
            ours.load_state_dict(theirs.state_dict())

    def check_requirements(self, part: Any) -> None:
        """Check that the networks provide what a loss or regularizer names in ``requires``."""
        needs = part.requires
        expect(
            isinstance(needs, (frozenset, set)) and all(isinstance(need, str) for need in needs),
            part,
            f"must have requires, a frozenset of names, got {needs!r}",
        )
        with self.update(Player.GENERATOR, part, "") as step:
            with told(part, "prepare failed in an update of the generator"):
                part.prepare(step)  # it may choose the condition
            with told(
                self.discriminator,
                f"must judge samples with {described_condition(step.fake_y)}, but failed",
            ):
                said, made = step.fake_output, step.generator_output
        for need in sorted(needs):
            if need in DiscriminatorOutput.__dataclass_fields__:
                there = getattr(said, need) is not None
            else:
                owners = (self.generator, self.discriminator)
                there = any(hasattr(owner, need) for owner in owners)
                there = there or need in said.extra or need in made.extra
            whose = "given" if self.given else "tiny"
            expect(
                there,
                part,
                f"requires {need!r}, which the {whose} networks do not provide: pass "
                "networks=(generator, discriminator) that do",
            )


def make_scene(
    component: Any,
    *,
    networks: tuple[Generator, Discriminator] | None = None,
    prior: Prior | None = None,
    y: Any = None,
    extra: Mapping[str, Any] | None = None,
    sample_shape: tuple[int, ...] | None = None,
    latent_dim: int | None = None,
    sample_range: SampleRange = None,
    logit_shapes: Sequence[tuple[int, ...]] = ((),),
) -> Scene:
    """Return a scene of copies of the given networks, or of tiny ones.

    Args:
        component: Who is to be tried, for the sentences.
        networks: Generator and discriminator; None: tiny ones, conditional on 3 classes, which have
            class logits, features and a ``mapping``.
        prior: Distribution of the latents; None: standard normal.
        y: Condition of N samples; None: classes where the generator takes them.
        extra: What the batch holds for terms alone.
        sample_shape: Shape of the tiny networks' samples.
        latent_dim: Size of the tiny generator's latents.
        sample_range: Range of the samples; None: the generator's.
        logit_shapes: Shapes of a sample's logits, one for each head of the tiny discriminator.
    """
    check_condition(component, extra, "extra")
    prior = Prior() if prior is None else prior
    if networks is None:
        generator: Generator = TinyGenerator(
            SHAPE if sample_shape is None else sample_shape,
            LATENT if latent_dim is None else latent_dim,
            sample_range,
        )
        discriminator: Discriminator = TinyDiscriminator(generator.sample_shape, logit_shapes)
    else:
        expect(
            sample_shape is None and latent_dim is None,
            component,
            "is checked on networks or on tiny ones of a shape, got both: leave out sample_shape "
            "and latent_dim where networks are given",
        )
        expect(
            isinstance(networks, (tuple, list)) and len(networks) == 2,
            component,
            f"is checked on networks=(generator, discriminator), got {networks!r}",
        )
        with told(component, "is checked on networks that can be copied"):
            generator, discriminator = copy.deepcopy((networks[0], networks[1]))
    y = labels_for(generator, y)
    check_condition(component, y)
    if sample_range is None:
        sample_range = getattr(generator, "sample_range", None)
    for network in (generator, discriminator):
        network.cpu().train().zero_grad()
    return Scene(
        generator, discriminator, prior, y, extra or {}, sample_range, networks is not None
    )
