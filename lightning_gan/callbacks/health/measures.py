"""What a check of a run's health looks at: few numbers from one real batch and one small sample.

Functions of tensors and networks, without a Trainer. Everything stays on the device; nothing that
training uses is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from lightning_gan.game import randomness
from lightning_gan.game.conditions import class_entry, classes_of
from lightning_gan.game.gan import GAN
from lightning_gan.game.preserving import preserved_state
from lightning_gan.game.sampling import generate
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player, rows

FEATURES = 1024  # coordinates at most; distances need no more
# Up to so many coordinates, distances come from differences. Products of vectors are twenty times
# as fast and put two copies at a distance of up to a thousandth of their length: too much in the
# plane, where a hundred samples are as near as that.
FEW = 64
NEAR = 0.1  # a copy is nearer to another sample than this times the median real sample is


def measure_health(gan: GAN, real: Tensor, y: Any, n: int, seed: int) -> dict[str, Tensor]:
    """Measure a module on one batch; random states and buffers are left as they were.

    Args:
        gan: The module as it trains: the trained generator is looked at, not the averaged one.
        real: Real samples, shape (N, *sample_shape).
        y: Their labels, or None.
        n: Number of samples to generate, at least N.
        seed: Seed of the latents.

    Returns:
        Scalars by name: those of :func:`compare_with_real`, left out where there is nothing to
        compare, those of :func:`contest`, and ``weights/generator`` and ``weights/discriminator``,
        the norms of the weights.
    """
    real, y = real[:n], rows(y, slice(n), len(real))
    index = torch.arange(n, device=real.device) % len(real)
    fake_y = rows(y, index, len(real))
    fake = generate(
        gan.generator, gan.prior, n, fake_y, seed, real.device, conditions=gan.conditions
    )
    entry = class_entry(gan.generator)
    groups = (classes_of(fake_y, entry), classes_of(y, entry))
    if getattr(gan.generator, "num_classes", None) is None or not isinstance(groups[0], Tensor):
        groups = (None, None)
    numbers = contest(*_heads(gan, real, y, fake[: len(real)]), gan.loss)
    if len(real) > 1 and gan.generator.latent_dim > 0:
        numbers.update(compare_with_real(_features(fake), _features(real), *groups))
    for name, network in (("generator", gan.generator), ("discriminator", gan.discriminator)):
        numbers[f"weights/{name}"] = get_total_norm([p.detach() for p in network.parameters()])
    return numbers


def compare_with_real(
    fake: Tensor, real: Tensor, fake_y: Tensor | None, real_y: Tensor | None
) -> dict[str, Tensor]:
    """Compare how far apart generated samples are with how far apart real ones are.

    Where there are classes, only samples of one class are compared: a generator that knows one
    image of each class has collapsed, however right its classes are.

    Args:
        fake: Generated samples, shape (M, F).
        real: Real samples, shape (N, F).
        fake_y: Classes, shape (M,), or None.
        real_y: Classes, shape (N,), or None.

    Returns:
        ``spread``, the mean distance of two generated samples over that of two real ones, 1 for
        samples like the real ones; and ``duplicates``, the share of generated samples that have
        another within a tenth of the median distance of a real sample to the nearest other.
    """
    of_fakes, of_reals = _distances(fake), _distances(real)
    fakes, reals, all_reals = _pairs(fake_y, fake), _pairs(real_y, real), _pairs(None, real)
    # A small batch of many classes has next to no two samples of one class.
    reals = torch.where(reals.sum() >= len(real), reals, all_reals)
    typical = _mean(of_reals, reals)
    spread = torch.where(typical > 0, _mean(of_fakes, fakes) / typical, 1.0)
    nearest_fake = of_fakes.masked_fill(~fakes, torch.inf).amin(dim=1)
    nearest_real = of_reals.masked_fill(~all_reals, torch.inf).amin(dim=1)
    duplicates = (nearest_fake < NEAR * nearest_real.median()).float().mean()
    return {"spread": spread, "duplicates": duplicates}


def contest(
    real_heads: Sequence[Tensor], fake_heads: Sequence[Tensor], loss: AdversarialLoss
) -> dict[str, Tensor]:
    """Measure who is ahead, in terms that do not depend on where a loss has its zero.

    Args:
        real_heads: Logits of real samples, shape (N, ...), of each head of the discriminator.
        fake_heads: Logits of fakes, the same shapes.
        loss: Both halves of the objective.

    Returns:
        ``d_accuracy``, the share of pairs of a real sample and a fake of which the real one has
        the higher logit, 0.5 by chance; ``d_signal`` and ``g_signal``, the mean size of the
        gradient of a player's loss with respect to the logits, over that at logits of 0: what a
        player has left to learn on these samples, 0 where its loss has saturated; and
        ``chance/discriminator`` and ``chance/generator``, the losses at logits of 0. Means over
        the heads.
    """
    each = [_contest(*pair, loss) for pair in zip(real_heads, fake_heads, strict=True)]
    if len(each) == 1:
        return each[0]
    return {name: torch.stack([numbers[name] for numbers in each]).mean() for name in each[0]}


@torch.enable_grad()
def _contest(real_logits: Tensor, fake_logits: Tensor, loss: AdversarialLoss) -> dict[str, Tensor]:
    now = [logits.detach().requires_grad_() for logits in (real_logits, fake_logits)]
    zero = [torch.zeros_like(logits).requires_grad_() for logits in now]
    per_sample = (x.reshape(len(x), -1).mean(1) for x in (real_logits, fake_logits))
    ahead = torch.sub(*torch.meshgrid(*per_sample, indexing="ij"))
    d_signal, d_chance = _signal(loss.discriminator, now, zero)
    real_first = loss.needs_real_logits_for_generator
    g_signal, g_chance = _signal(
        lambda real, fake: loss.generator(fake, real if real_first else None), now, zero
    )
    return {
        "d_accuracy": (ahead.sign().mean() + 1) / 2,
        "d_signal": d_signal,
        "g_signal": g_signal,
        "chance/discriminator": d_chance,
        "chance/generator": g_chance,
    }


def _signal(
    half: Callable[[Tensor, Tensor], Tensor], now: list[Tensor], zero: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """Return the gradient of half a loss over that at logits of 0, and the loss there."""
    losses = [half(*logits).mean() for logits in (now, zero)]
    sizes = []
    for loss, logits in zip(losses, (now, zero), strict=True):
        found = torch.autograd.grad(loss, logits, allow_unused=True)
        sizes.append(torch.stack([g.abs().sum() for g in found if g is not None]).sum())
    signal = torch.where(sizes[1] > 0, sizes[0] / sizes[1], 1.0)
    return signal, losses[1].detach()


def _heads(
    gan: GAN, real: Tensor, y: Any, fake: Tensor
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return what D says in training of real samples and of as many fakes with their labels."""
    step = AdversarialStep(
        Player.DISCRIMINATOR,
        real=real,
        y=y,
        fake=fake,
        fake_y=y,
        z=fake.new_empty(len(fake), 0),
        generator=gan.generator,
        discriminator=gan.discriminator,
        augment=gan.augment,
        draw_latents=lambda n: fake.new_empty(n, 0),
    )
    with (
        torch.no_grad(),
        randomness.preserved(real.device),
        preserved_state(gan.discriminator, gan.augment),
    ):
        return step.real_output.heads, step.fake_output.heads


def _features(x: Tensor) -> Tensor:
    """Return samples as vectors (N, F) of at most ``FEATURES`` coordinates, always the same."""
    x = x.detach().flatten(1).float()
    if x.shape[1] <= FEATURES:
        return x
    source = randomness.seeded(0, torch.device("cpu"))
    return x[:, torch.randperm(x.shape[1], generator=source)[:FEATURES].to(x.device)]


def _distances(x: Tensor) -> Tensor:
    """Return the distances (N, N) of rows (N, F), exact ones where F is small."""
    mode = "donot_use_mm_for_euclid_dist" if x.shape[1] <= FEW else "use_mm_for_euclid_dist"
    x = x - x.mean(0)  # products lose what all rows have in common
    distances: Tensor = torch.cdist(x, x, compute_mode=mode)
    return distances


def _mean(distances: Tensor, pairs: Tensor) -> Tensor:
    return (distances * pairs).sum() / pairs.sum().clamp(min=1)


def _pairs(y: Tensor | None, x: Tensor) -> Tensor:
    """Return which of the (N, N) pairs of x are two different samples of one class."""
    others = ~torch.eye(len(x), dtype=torch.bool, device=x.device)
    return others if y is None else others & (y.unsqueeze(1) == y.unsqueeze(0))
