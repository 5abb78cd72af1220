"""Augmentations by hand, for the benchmark of parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from parts_loop import Case, Loop, Loss, g_non_saturating
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad, softplus

Change = Callable[[Loop, Tensor], Tensor]


def seen(change: Change) -> dict[str, Loss]:
    """Return both players' losses where D sees changed samples."""

    def d_loss(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        of_real = loop.discriminator(change(loop, real))
        return (softplus(-of_real) + softplus(loop.discriminator(change(loop, fake)))).mean()

    def g_loss(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        return g_non_saturating(loop, real, change(loop, fake), z)

    return {"d_loss": d_loss, "g_loss": g_loss}


def noisy(loop: Loop, x: Tensor) -> Tensor:
    return x + 0.1 * torch.randn_like(x)


# DiffAugment ------------------------------------------------------------------------------------


def diffaugment(loop: Loop, x: Tensor) -> Tensor:
    return cut(translated(colored(x)))


def colored(x: Tensor) -> Tensor:
    brightness, saturation, contrast = torch.rand(3, len(x), 1, 1, 1)
    x = x + (brightness - 0.5)
    gray = x.mean(1, keepdim=True)
    x = gray + 2 * saturation * (x - gray)
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (contrast + 0.5) * (x - mean)


def translated(x: Tensor) -> Tensor:
    n, height, width = len(x), *x.shape[2:]
    right, down = round(width / 8), round(height / 8)
    by_columns = torch.randint(-right, right + 1, (n, 1, 1))
    by_rows = torch.randint(-down, down + 1, (n, 1, 1))
    rows = torch.arange(height)[:, None] + down - by_rows
    columns = torch.arange(width) + right - by_columns
    x = pad(x, (right, right, down, down)).permute(0, 2, 3, 1)
    return x[torch.arange(n)[:, None, None], rows, columns].permute(0, 3, 1, 2)


def cut(x: Tensor) -> Tensor:
    n, _, *sizes = x.shape
    starts = [torch.randint(s + 1 - s // 2 % 2, (n, 1)) - s // 4 for s in sizes]
    rows, columns = (
        (torch.arange(s) - a).div(s // 2).floor() for s, a in zip(sizes, starts, strict=True)
    )
    inside = (rows == 0)[:, :, None] & (columns == 0)[:, None]
    return x * ~inside[:, None]


# ADA and APA: their controller, and one affine map of each image ----------------------------


def controlled(loop: Loop, of_real: Tensor) -> None:
    """Move p by the mean sign of the logits of real samples, once in four batches."""
    state = loop.state
    state["signs"] = state.get("signs", 0) + of_real.detach().sign().mean()
    state["batches"] = state.get("batches", 0) + 1
    if state["batches"] % 4 == 0:
        up = 1 if state["signs"].item() / 4 > 0.6 else -1
        state["p"] = min(max(state.get("p", P) + up * 4 * len(of_real) / 500_000, 0), 1)
        state["signs"] = 0


def d_ada(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    of_real = loop.discriminator(ada(loop, real))
    found = (softplus(-of_real) + softplus(loop.discriminator(ada(loop, fake)))).mean()
    loop.state["of_real"] = of_real
    return found


def g_ada(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    found = g_non_saturating(loop, real, ada(loop, fake), z)
    controlled(loop, loop.state["of_real"])
    return found


def ada(loop: Loop, x: Tensor) -> Tensor:
    p = loop.state.get("p", P)
    return recolored(resampled(x, p), p)


def some(n: int, p: float, values: Callable[[int], Tensor], otherwise: float) -> Tensor:
    """Draw for which images something happens, and how much."""
    return torch.where(torch.rand(n) < p, values(n), otherwise)


def uniform(n: int) -> Tensor:
    return torch.rand(n) * 2 - 1


def power(std: float) -> Callable[[int], Tensor]:
    return lambda n: torch.exp2(std * torch.randn(n))


def signs(n: int) -> Tensor:
    return 1.0 - 2 * torch.randint(2, (n,))


def affine(a: Any, b: Any, c: Any, d: Any, right: Any = 0.0, down: Any = 0.0) -> Tensor:
    """Return maps of places, (N, 3, 3), from their entries, numbers or (N,)."""
    entries = [a, b, right, c, d, down, 0.0, 0.0, 1.0]
    n = max(each.numel() for each in entries if isinstance(each, Tensor))
    made = torch.empty(n, 9)
    for place, entry in enumerate(entries):
        made[:, place] = entry
    return made.view(n, 3, 3)


def turned(angle: Tensor) -> Tensor:
    return affine(angle.cos(), angle.sin(), -angle.sin(), angle.cos())


def shifted(n: int, p: float, values: Callable[[int], Tensor]) -> Tensor:
    on = (torch.rand(n) < p).float()
    return affine(1.0, 0.0, 0.0, 1.0, -on * values(n), -on * values(n))


def resampled(x: Tensor, p: float) -> Tensor:
    n, side, once = len(x), x.shape[-1], 1 - math.sqrt(1 - p)
    maps = affine(some(n, p, signs, 1.0), 0.0, 0.0, 1.0)
    quarters = torch.randint(4, (n,)) * (torch.rand(n) < p)
    maps = maps @ turned(quarters * (math.pi / 2)).round()
    maps = maps @ shifted(n, p, lambda n: (uniform(n) * side / 8).round())
    maps[:, :, :2] /= some(n, p, power(0.2), 1.0)[:, None, None]
    maps = maps @ turned(some(n, once, uniform, 0.0) * math.pi)
    wider = some(n, p, power(0.2), 1.0)
    maps = maps @ affine(1 / wider, 0.0, 0.0, wider)
    maps = maps @ turned(some(n, once, uniform, 0.0) * math.pi)
    maps = maps @ shifted(n, p, lambda n: torch.randn(n) * side / 8)
    theta = maps[:, :2].clone()
    theta[:, :, 2] *= 2 / (side - 1)  # of a square image, from -1 to 1
    places = affine_grid(theta, x.shape, align_corners=True)
    return grid_sample(x, places, padding_mode="reflection", align_corners=True)


def recolored(x: Tensor, p: float) -> Tensor:
    n, brightness = len(x), some(len(x), p, lambda n: 0.2 * torch.randn(n), 0.0)
    contrast = some(n, p, power(0.5), 1.0)
    flip = some(n, p, signs, 1.0)
    saturation = some(n, p, power(1.0), 1.0)
    gray = x.mean(1, keepdim=True)
    of_gray, of_color = (f.view(-1, 1, 1, 1) for f in (flip * contrast, saturation * contrast))
    return of_gray * (gray + brightness.view(-1, 1, 1, 1)) + of_color * (x - gray)


def d_apa(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    with torch.no_grad():
        pseudo = loop.generator(loop.draw(len(real)))
    replaced = torch.rand(len(real)) < loop.state.get("p", P)
    of_real = loop.discriminator(torch.where(replaced.view(-1, 1, 1, 1), pseudo, real))
    loop.state["of_real"] = of_real
    return (softplus(-of_real) + softplus(loop.discriminator(fake))).mean()


def g_apa(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    controlled(loop, loop.state["of_real"])
    return g_non_saturating(loop, real, fake, z)


P = 0.5
CASES = {
    "instance_noise": Case({"augment": "instance_noise"}, **seen(noisy)),
    "diffaugment": Case({"augment": "diffaugment"}, **seen(diffaugment)),
    "ada": Case({"augment": ("ada", {"p": P})}, d_ada, g_ada),
    "apa": Case({"augment": ("apa", {"p": P})}, d_apa, g_apa),
}
