"""Components to begin with, one of each kind: what ``plugins new`` writes.

A source, in which CLASS stands for the name of the class, with the arguments that its case needs.
"""

from __future__ import annotations

GENERATOR = '''\
"""A generator."""

import math

from lightning_gan import Generator
from torch import Tensor, nn


class CLASS(Generator):
    """Two dense layers.

    Args:
        sample_shape: Shape of one sample.
        latent_dim: Size of a latent.
        width: Units of the hidden layer.
        num_classes: Classes; None: it takes no labels.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        latent_dim: int = 64,
        width: int = 128,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.sample_shape, self.latent_dim = tuple(sample_shape), latent_dim
        self.num_classes = num_classes
        self.embed = nn.Embedding(num_classes, width) if num_classes else None
        self.hidden = nn.Linear(latent_dim, width)
        self.draw = nn.Linear(width, math.prod(self.sample_shape))

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Return samples (N, *sample_shape) in [-1, 1] of latents (N, latent_dim)."""
        hidden = self.hidden(z)
        if self.embed is not None:
            hidden = hidden + self.embed(y)
        return self.draw(hidden.relu()).tanh().view(-1, *self.sample_shape)
'''
DISCRIMINATOR = '''\
"""A discriminator."""

import math

from lightning_gan import Discriminator
from torch import Tensor, nn


class CLASS(Discriminator):
    """Two dense layers.

    Args:
        sample_shape: Shape of one sample.
        width: Units of the hidden layer.
        num_classes: Classes; None: it takes no labels.
    """

    def __init__(
        self,
        sample_shape: tuple[int, ...],
        width: int = 128,
        num_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.sample_shape, self.num_classes = tuple(sample_shape), num_classes
        self.hidden = nn.Linear(math.prod(self.sample_shape), width)
        self.judge = nn.Linear(width, num_classes or 1)

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Return logits (N, 1) of samples (N, *sample_shape); high means real."""
        logits = self.judge(nn.functional.leaky_relu(self.hidden(x.flatten(1)), 0.2))
        return logits if self.num_classes is None else logits.gather(1, y[:, None])
'''
LOSS = '''\
"""A loss."""

from lightning_gan import AdversarialLoss
from torch import Tensor
from torch.nn.functional import softplus


class CLASS(AdversarialLoss):
    """Softplus of a logit and a margin.

    Args:
        margin: Added to every logit of the wrong sign.
    """

    def __init__(self, margin: float = 0.0) -> None:
        super().__init__()
        self.margin = margin

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return what the discriminator minimises, unreduced."""
        return softplus(self.margin - real_logits) + softplus(self.margin + fake_logits)

    def generator(
        self, fake_logits: Tensor, real_logits: Tensor | None = None
    ) -> Tensor:
        """Return what the generator minimises, unreduced."""
        return softplus(self.margin - fake_logits)
'''
REGULARIZER = '''\
"""A regularizer."""

import torch
from lightning_gan import AdversarialStep, Regularizer
from torch import Tensor


class CLASS(Regularizer):
    """Half the squared gradient of D at real samples.

    Args:
        weight: Factor of the term.
        interval: Use it in every so many-th update.
    """

    differentiates = frozenset({"real"})  # inputs of D that it takes gradients of

    def __init__(self, weight: float = 1.0, interval: int = 1) -> None:
        super().__init__(weight, interval)

    def discriminator(self, step: AdversarialStep) -> Tensor:
        """Return a term for each sample, (N,)."""
        total = step.real_output.total()
        (gradient,) = torch.autograd.grad(total, step.real, create_graph=True)
        return 0.5 * gradient.square().flatten(1).sum(1)
'''
ALTERNATION = '''\
"""An alternation."""

from lightning_gan import Alternation, Player, Progress


class CLASS(Alternation):
    """The discriminator steps on every batch, the generator on every n-th.

    Args:
        every: n.
    """

    def __init__(self, every: int = 2) -> None:
        super().__init__()
        self.every = every

    def phases(self, progress: Progress) -> tuple[Player, ...]:
        """Return who steps on the next batch, in order."""
        both = (progress.batches + 1) % self.every == 0
        return (
            (Player.DISCRIMINATOR, Player.GENERATOR)
            if both
            else (Player.DISCRIMINATOR,)
        )
'''
AUGMENT = '''\
"""An augmentation."""

import torch
from lightning_gan import Augment
from torch import Tensor


class CLASS(Augment):
    """A random sign for each sample.

    Args:
        p: Probability of minus.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return samples of the same shape, differentiable."""
        minus = torch.rand(len(x), *[1] * (x.dim() - 1), device=x.device) < self.p
        return torch.where(minus, -x, x)
'''
PRIOR = '''\
"""A prior."""

import torch
from lightning_gan import Prior
from torch import Tensor


class CLASS(Prior):
    """Latents on a sphere.

    Args:
        radius: Of the sphere.
    """

    def __init__(self, radius: float = 1.0) -> None:
        super().__init__()
        self.radius = radius

    def sample(
        self,
        n: int,
        latent_dim: int,
        *,
        generator: torch.Generator | None,
        device: torch.device | str,
    ) -> Tensor:
        """Return latents (n, latent_dim), drawn with the generator that is passed."""
        z = torch.randn(n, latent_dim, generator=generator, device=device)
        return self.radius * torch.nn.functional.normalize(z)
'''
AVERAGE = '''\
"""An average."""

import torch
from lightning_gan import Average
from torch import nn


class CLASS(Average):
    """An exponential average with a constant decay.

    Args:
        decay: How much of the average stays after a batch.
    """

    def __init__(self, decay: float = 0.99) -> None:
        super().__init__()
        self.decay = decay

    @torch.no_grad()
    def update(
        self, averaged: nn.Module, source: nn.Module, images: int, batch: int
    ) -> None:
        """Move the averaged generator towards the trained one."""
        for ours, theirs in zip(
            averaged.parameters(), source.parameters(), strict=True
        ):
            ours.lerp_(theirs, 1 - self.decay)
        for ours, theirs in zip(averaged.buffers(), source.buffers(), strict=True):
            ours.copy_(theirs)
'''
SCHEDULE = '''\
"""A schedule."""

from lightning_gan import Schedule


class CLASS(Schedule):
    """A number that is halved again and again.

    Args:
        start: The first value.
        half_kimg: Thousands of images after which it is halved.
    """

    def __init__(self, start: float = 1.0, half_kimg: float = 100.0) -> None:
        super().__init__()
        self.start, self.half_kimg = start, half_kimg

    def at(self, images: int) -> float:
        """Return the value after so many images."""
        return float(self.start * 0.5 ** (images / (1000 * self.half_kimg)))
'''
BALANCE = '''\
"""A balance."""

from collections.abc import Mapping

import torch
from lightning_gan import AdversarialStep, Balance, Player
from torch import Tensor


class CLASS(Balance):
    """Every term as large as the limit at most.

    Args:
        limit: Largest absolute value of a term.
    """

    def __init__(self, limit: float = 1.0) -> None:
        super().__init__()
        self.limit = limit

    def weights(
        self, player: Player, terms: Mapping[str, Tensor], step: AdversarialStep
    ) -> dict[str, Tensor]:
        """Return a factor for each term, without gradient."""
        factors = {}
        for name, term in terms.items():
            factor = self.limit / term.detach().abs().clamp(min=self.limit)
            factors[name] = torch.where(
                factor.isfinite(), factor, torch.ones_like(factor)
            )
        return factors
'''
OPTIMIZER = '''\
"""An optimizer."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim import Optimizer


class CLASS(Optimizer):
    """Steps by the sign of the gradient.

    Args:
        params: Parameters.
        lr: Length of a step in each coordinate.
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """Step once."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.sub_(parameter.grad.sign(), alpha=float(group["lr"]))
'''
LR_SCHEDULER = '''\
"""A learning-rate scheduler."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class CLASS(LRScheduler):
    """A rate that is divided by one plus the steps, times a number.

    Args:
        optimizer: Whose rate it is.
        slope: The number.
        last_epoch: Steps made before; -1: none.
    """

    def __init__(
        self, optimizer: Optimizer, slope: float = 0.01, last_epoch: int = -1
    ) -> None:
        self.slope = slope
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the rates of all groups."""
        return [rate / (1 + self.slope * self.last_epoch) for rate in self.base_lrs]
'''
SKELETONS = {
    "generator": (GENERATOR, '{"width": 8}'),
    "discriminator": (DISCRIMINATOR, '{"width": 8}'),
    "loss": (LOSS, '{"margin": 0.5}'),
    "regularizer": (REGULARIZER, '{"weight": 2.0}'),
    "alternation": (ALTERNATION, '{"every": 2}'),
    "augment": (AUGMENT, '{"p": 0.5}'),
    "prior": (PRIOR, '{"radius": 2.0}'),
    "average": (AVERAGE, '{"decay": 0.5}'),
    "schedule": (SCHEDULE, '{"half_kimg": 0.01}'),
    "balance": (BALANCE, '{"couples": "the size of a piece\'s term"}'),
    "optimizer": (OPTIMIZER, '{"lr": 0.01}'),
    "lr_scheduler": (LR_SCHEDULER, '{"slope": 0.5}'),
}
TESTS = {
    "component": '''\
"""It keeps the contract of its kind."""

from lightning_gan.testing import check_component

from {module}.{name} import CLASS


def test_contract():
    check_component("{kind}", CLASS)
''',
    "optimizer": '''\
"""Steps by hand."""

import torch

from {module}.{name} import CLASS


def test_one_step():
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    weight.grad = torch.tensor([3.0, -4.0])
    CLASS([weight], lr=0.5).step()
    assert weight.tolist() == [0.5, 2.5]
''',
    "lr_scheduler": '''\
"""Rates by hand."""

import torch

from {module}.{name} import CLASS


def test_rates():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = CLASS(optimizer, slope=1.0)
    rates = []
    for _ in range(3):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == [1.0, 1 / 2, 1 / 3]
''',
}
USES = {
    "regularizer": "lightning-gan fit regularizers=[{name}]",
    "average": "lightning-gan fit model.ema={name}",
    "schedule": "lightning-gan fit model.schedules.generator_weight={name}",
    "balance": "lightning-gan fit model.balance={name}",
    "optimizer": "lightning-gan fit model.generator_optimizer={name}",
    "lr_scheduler": "lightning-gan fit model.generator_lr_scheduler={name}",
}
