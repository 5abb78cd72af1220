"""The check of regularizers, and the tiny networks that it is made on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.generators.base import Generator
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.testing.base import N, check_any, check_rebuilding, observe
from lightning_gan.testing.expectations import expect, expect_tensor, failure, own_randomness
from lightning_gan.testing.network import labels_for
from lightning_gan.types import AdversarialStep, DiscriminatorOutput, Player, Progress


def check_regularizer(
    regularizer: Regularizer, *, networks: tuple[Generator, Discriminator] | None = None
) -> None:
    """Check a regularizer.

    Args:
        regularizer: The term.
        networks: Generator and discriminator to use in place of tiny ones, which are conditional
            on 3 classes and have class logits, features and a ``mapping``.

    Raises:
        ConformanceError: The regularizer breaks its contract.
    """
    with own_randomness():
        check_any(regularizer, Regularizer)
        _check_regularizer_declarations(regularizer)
        generator, discriminator = networks or (_TinyGenerator(), _TinyDiscriminator())
        for player in Player:
            network = generator if player is Player.GENERATOR else discriminator
            for phases in ((), tuple(Player)):
                step = _step(player, regularizer, generator, discriminator)
                _check_term(regularizer, player, step, network)
                observe(regularizer, Progress(), phases)
            with torch.no_grad():  # as the module calls it
                regularizer.after_update(player, network)
            expect(
                all(bool(p.isfinite().all()) and p.requires_grad for p in network.parameters()),
                regularizer,
                "after_update must leave the parameters finite and trainable",
            )
        check_rebuilding(regularizer)


class _TinyGenerator(Generator):
    """Linear layers, with a mapping of latents."""

    latent_dim, sample_shape, num_classes = 5, (1, 8, 8), 3

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(5, 6)
        self.draw = nn.Linear(6, 64)

    def mapping(self, z: Tensor, y: Any = None) -> Tensor:
        hidden: Tensor = self.map(z).tanh()
        return hidden

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        samples: Tensor = self.draw(self.mapping(z, y)).tanh()
        return samples.reshape(-1, *self.sample_shape)


class _TinyDiscriminator(Discriminator):
    """Linear layers, with class logits and features."""

    sample_shape, num_classes = (1, 8, 8), 3

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Linear(64, 6)
        self.heads = nn.Linear(6, 4)

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        features = self.look(x.flatten(1)).tanh()
        heads = self.heads(features)
        return DiscriminatorOutput(heads[:, 0], heads[:, 1:], features)


def _check_regularizer_declarations(regularizer: Regularizer) -> None:
    expect(
        isinstance(regularizer.interval, int) and regularizer.interval >= 1,
        regularizer,
        f"must have an interval, an int of 1 or more, got {regularizer.interval!r}",
    )
    expect(
        isinstance(regularizer.weight, (int, float)),
        regularizer,
        f"must have a weight, a number, got {regularizer.weight!r}",
    )
    expect(
        regularizer.differentiates <= {"real", "fake"},
        regularizer,
        f"may differentiate 'real' and 'fake', got {sorted(regularizer.differentiates)}",
    )
    acts = any(regularizer.acts_on(player) for player in Player)
    updates = type(regularizer).after_update is not Regularizer.after_update
    expect(acts or updates, regularizer, "must define discriminator, generator or after_update")


def _step(
    player: Player, regularizer: Regularizer, generator: Generator, discriminator: Discriminator
) -> AdversarialStep:
    """Return one update as the module would hand it to the regularizer."""
    z = torch.randn(N, generator.latent_dim)
    y = labels_for(generator, None)
    real = torch.rand(N, *generator.sample_shape) * 2 - 1
    fake = generator(z, y)
    if player is Player.DISCRIMINATOR:
        fake = fake.detach()
    return AdversarialStep(
        player,
        real=real.requires_grad_("real" in regularizer.differentiates),
        y=y,
        fake=fake.requires_grad_() if "fake" in regularizer.differentiates else fake,
        fake_y=y,
        z=z,
        generator=generator,
        discriminator=discriminator,
        augment=nn.Identity(),
        draw_latents=lambda n: torch.randn(n, generator.latent_dim),
    )


def _check_term(
    regularizer: Regularizer, player: Player, step: AdversarialStep, network: nn.Module
) -> None:
    """Check shape, dtype and differentiability of one player's term."""
    what = f"the {player.value}'s term"
    try:
        term = getattr(regularizer, player.value)(step)
    except RuntimeError as error:
        raise failure(
            regularizer,
            f"{what} failed, with gradients for the inputs {sorted(regularizer.differentiates)} "
            f"that `differentiates` names: {error}",
        ) from error
    if term is None:
        return
    expect_tensor(regularizer, term, () if term.ndim == 0 else (N, ...), torch.float32, what)
    parameters = list(network.parameters())
    gradients = (
        torch.autograd.grad(term.sum(), parameters, allow_unused=True)
        if term.requires_grad
        else [None]
    )
    expect(
        any(gradient is not None for gradient in gradients),
        regularizer,
        f"{what} must be differentiable with respect to the {player.value}'s parameters",
    )
