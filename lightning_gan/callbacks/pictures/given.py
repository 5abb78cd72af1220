"""What pictures are made from: the conditions and the latents that a module is asked with."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.game.conditions import Held
from lightning_gan.game.gan import GAN
from lightning_gan.game.sampling import draw_inputs
from lightning_gan.types import rows

MAX_CLASSES = 20  # more are too many to look at


def count_classes(module: Any) -> int:
    """Return the number of classes to show, MAX_CLASSES at most; 0 where a class is not all."""
    if isinstance(module, GAN):
        return min(module.conditions.classes or 0, MAX_CLASSES)
    return min(getattr(getattr(module, "generator", None), "num_classes", None) or 0, MAX_CLASSES)


def held_conditions(module: Any) -> Held | None:
    """Return held-out samples whose conditions are not classes; None where there are none."""
    held = module.conditions.held if isinstance(module, GAN) else None
    return held if held is not None and module.conditions.hands_on(held.y) else None


def conditions_of(module: Any, groups: Tensor) -> Any:
    """Return a condition for each sample, the same one for equal numbers; None where none is asked.

    Args:
        module: What is going to be sampled from.
        groups: Whole numbers from 0, shape (n,).
    """
    classes, held = count_classes(module), held_conditions(module)
    if classes:
        return (groups % classes).to(module.device)
    if held is None:
        return None
    index = groups % len(held.real)
    return rows(held.y, index, len(held.real))


def check_takes_latents(owner: str, module: Any) -> None:
    """Refuse a module that cannot generate from given latents.

    Raises:
        InputError: ``sample`` takes no latents, or nothing says what latents there are.
    """
    sample, generator = getattr(module, "sample", None), getattr(module, "generator", None)
    takes_z = callable(sample) and "z" in inspect.signature(sample).parameters
    if not takes_z or not hasattr(generator, "latent_dim") or not hasattr(module, "prior"):
        raise InputError(
            f"{owner} expects a module with sample(n, labels=None, seed=None, z=None), a prior and "
            f"generator.latent_dim, got {type(module).__name__}; use GANModule or leave this "
            f"callback out"
        )


def draw_latents(module: Any, n: int, seed: int) -> Tensor:
    """Draw latents of the module's prior, shape (n, Z), on the CPU; the same for the same seed."""
    source = torch.Generator().manual_seed(seed)
    return draw_inputs(module.generator, module.prior, module.conditions, n, source)[0]
