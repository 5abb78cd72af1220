"""Both sides of a case of the benchmark of parts: the GAN of the library, and a loop by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from lightning_gan import (
    GANModule,
    GeneratorOutput,
    create_augment,
    create_discriminator,
    create_generator,
    create_loss,
    create_prior,
    create_regularizer,
)

SHAPE, LATENT, CLASSES = (1, 28, 28), 64, 10
WIDTHS = {"generator": [256, 512, 1024], "discriminator": [1024, 512, 256]}
ADAM = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999), fused=True)
Draw = Callable[[int], Tensor]


class Loop:
    """One step of D and one of G on a batch, as fast as a hand-written eager loop makes them.

    D is frozen in G's step, which uses the fakes of D's; optimizers are fused; nothing is read.

    Args:
        generator: G.
        discriminator: D.
        case: What both minimise.
        draw: Draws latents; None: as the case says.

    Attributes:
        own: What D trains besides itself.
        state: What a part remembers.
        y: The condition of the batch.
        made: What G returned with the fakes.
    """

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, case: Case, draw: Draw | None = None
    ) -> None:
        self.generator, self.discriminator, self.case = generator, discriminator, case
        self.own = {name: nn.Parameter(torch.randn(shape)) for name, shape in case.own.items()}
        self.optimizers = [
            ADAM(generator.parameters()),
            ADAM([*discriminator.parameters(), *self.own.values()]),
        ]
        self.draw = draw or case.draw
        self.state: dict[str, Any] = {}
        self.y: Any = None
        self.made: Any = None

    def step(self, real: Tensor, y: Any = None) -> None:
        """Train on one batch."""
        update_g, update_d = self.optimizers
        z, self.y = self.draw(len(real)), y
        self.made = self.generator(z, y)
        fake = self.made.samples if isinstance(self.made, GeneratorOutput) else self.made
        update_d.zero_grad()
        self.case.d_loss(self, real, fake.detach(), z).backward()
        update_d.step()
        self.case.after(self, self.discriminator)
        self._freeze(True)
        update_g.zero_grad()
        self.case.g_loss(self, real, fake, z).backward()
        update_g.step()
        self.case.after(self, self.generator)
        self._freeze(False)

    def _freeze(self, frozen: bool) -> None:
        self.discriminator.requires_grad_(not frozen)
        for parameter in self.own.values():
            parameter.requires_grad_(not frozen)


Loss = Callable[[Loop, Tensor, Tensor, Tensor], Tensor]


def d_minimax(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return (softplus(-loop.discriminator(real)) + softplus(loop.discriminator(fake))).mean()


def g_non_saturating(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return softplus(-loop.discriminator(fake)).mean()


def normal(n: int) -> Tensor:
    return torch.randn(n, LATENT)


def labels(real: Tensor) -> Tensor:
    return torch.arange(len(real)) % CLASSES


def mlps(shape: tuple[int, ...] = SHAPE, classes: int | None = None, **of_d: Any) -> dict[str, Any]:
    """Return two MLPs: the generator has classes, the discriminator what further arguments say."""
    generator = create_generator(
        "mlp",
        sample_shape=shape,
        latent_dim=LATENT,
        hidden=WIDTHS["generator"],
        num_classes=classes,
    )
    discriminator = create_discriminator(
        "mlp", sample_shape=shape, hidden=WIDTHS["discriminator"], dropout=0.0, **of_d
    )
    return {"generator": generator, "discriminator": discriminator}


@dataclass(frozen=True)
class Case:
    """A part in the library and by hand.

    Attributes:
        library: The names of loss, augmentation, prior and regularizers with their arguments; a
            function among these returns them.
        d_loss: What D minimises, by hand.
        g_loss: What G minimises, by hand.
        after: Called by hand after a network's step.
        networks: Makes both networks.
        own: Shapes of what D trains besides itself.
        draw: Draws latents.
        condition: Makes the condition of real samples.
        batch: Samples in a batch; None: as the command says.
    """

    library: Mapping[str, Any]
    d_loss: Loss = d_minimax
    g_loss: Loss = g_non_saturating
    after: Callable[[Loop, nn.Module], None] = lambda loop, network: None
    networks: Callable[[], dict[str, Any]] = mlps
    own: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    draw: Draw = normal
    condition: Callable[[Tensor], Any] = lambda real: None
    batch: int | None = None

    def gan(self) -> GANModule:
        """Return the GAN of the library."""
        terms = {
            name: given() if callable(given) else given for name, given in self.library.items()
        }
        loss = _made(create_loss, terms.pop("loss", "non_saturating"))
        parts = {"augment": create_augment, "prior": create_prior}
        parts = {
            name: _made(make, terms.pop(name)) for name, make in parts.items() if name in terms
        }
        terms = {name: create_regularizer(name, **given) for name, given in terms.items()}
        optimizers = {f"{player}_optimizer": ADAM for player in ("generator", "discriminator")}
        return GANModule(**self.networks(), loss=loss, regularizers=terms, **parts, **optimizers)

    def loop(self) -> Loop:
        """Return the loop by hand."""
        return Loop(**self.networks(), case=self)

    def real(self, n: int) -> Tensor:
        """Return real samples, in [-1, 1]."""
        return torch.rand(n, *self.networks()["generator"].sample_shape) * 2 - 1


def _made(create: Callable[..., Any], given: str | tuple[str, Mapping[str, Any]]) -> Any:
    name, arguments = (given, {}) if isinstance(given, str) else given
    return create(name, **arguments)
