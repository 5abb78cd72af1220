"""Layers of networks and balances by hand, for the benchmark of parts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import parts_loop
import torch
from parts_loop import CLASSES, LATENT, SHAPE, Case, Loop, g_non_saturating, labels, mlps
from torch import Tensor, nn
from torch.nn.functional import (
    batch_norm,
    conv2d,
    conv_transpose2d,
    l1_loss,
    leaky_relu_,
    linear,
    normalize,
    softplus,
)

from lightning_gan import create_balance, create_discriminator, create_generator

Held = Mapping[str, Tensor]
SHARES = {"adversarial": 1.0, "l1": 1.0}


@dataclass(frozen=True)
class Layered(Case):
    """A case whose loop has networks of its own; ``networks`` may make a balance beside them.

    Attributes:
        by_hand: By player, what makes a network by hand out of the parameters of the library's.
    """

    by_hand: Mapping[str, Callable[[Any], nn.Module]] = field(default_factory=dict)

    def loop(self) -> Loop:
        networks = self.networks()
        networks.pop("balance", None)
        networks |= {player: make(networks[player]) for player, make in self.by_hand.items()}
        return Loop(**networks, case=self)


def held(layer: nn.Module) -> dict[str, Tensor]:
    """Return a layer's parameters and buffers by the last part of their names."""
    tensors = [*layer.named_parameters(), *layer.named_buffers()]
    return {name.rpartition(".")[2]: tensor for name, tensor in tensors}


# Computed weights -------------------------------------------------------------------------------


def spectral(of: Held) -> Tensor:
    """Return W / sigma after one power iteration (Miyato et al. 2018, algorithm 1)."""
    weight, u = of["original"], of["u"]
    matrix = weight.flatten(1)
    with torch.no_grad():
        v = normalize(matrix.T @ u, dim=0)
    product = matrix @ v
    sigma = product.norm()  # u^T W v with the new u
    with torch.no_grad():
        torch.div(product, sigma, out=u)
    return weight / sigma


def salimans(of: Held) -> Tensor:
    """Return g v / |v| by the operator of torch, a third cheaper than the same out of others."""
    return torch._weight_norm(of["original1"], of["original0"], 0)


def equalized(of: Held) -> Tensor:
    weight = of["original"]
    return weight * math.sqrt(2 / weight[0].numel())


class Reweighted(nn.Module):
    """A discriminator of linear layers, or convolutions and a last linear one.

    Args:
        network: Whose parameters it takes.
        weigh: Computes a layer's weight from what the layer holds.
    """

    def __init__(self, network: Any, weigh: Callable[[Held], Tensor]) -> None:
        super().__init__()
        self.layers, self.head, self.weigh = network.layers, network.head, weigh
        self.body = [held(layer) for layer in self.layers if held(layer)]
        self.last = held(self.head)
        self.convolves = isinstance(self.layers[0], nn.Conv2d)

    def forward(self, x: Tensor, y: Any = None) -> Tensor:
        x = x if self.convolves else x.flatten(1)
        for of in self.body:
            weight, bias = self.weigh(of), of["bias"]
            x = conv2d(x, weight, bias, 2, 1) if self.convolves else linear(x, weight, bias)
            x = leaky_relu_(x, 0.2)
        return linear(x.flatten(1), self.weigh(self.last), self.last["bias"]).squeeze(1)


def convolutions(**of_d: Any) -> dict[str, Any]:
    channels = max(1, parts_loop.WIDTHS["discriminator"][-1] // 16)
    d = create_discriminator("dcgan", sample_shape=SHAPE, base_channels=channels, **of_d)
    return {**mlps(), "discriminator": d}


def reweighted(weight_norm: str, weigh: Callable[[Held], Tensor], networks=mlps, **more) -> Layered:
    return Layered(
        {},
        networks=partial(networks, weight_norm=weight_norm, **more),
        by_hand={"discriminator": partial(Reweighted, weigh=weigh)},
    )


# Conditions -------------------------------------------------------------------------------------


class NormedByClass(nn.Module):
    """A DCGAN generator with conditional batch norm (Dumoulin et al. 2017)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.project, self.layers, self.smallest = network.project, network.layers, network.smallest
        self.norms, self.convs = list(self.layers[:-1:3]), list(self.layers[2::3])

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        x = linear(z, self.project.weight).reshape(-1, *self.smallest)
        for each, conv in zip(self.norms, self.convs, strict=True):
            norm, gains, biases = each.norm, each.gain.weight, each.bias.weight
            norm.num_batches_tracked.add_(1)
            x = batch_norm(x, norm.running_mean, norm.running_var, training=True)
            x = x * (1 + gains[y][:, :, None, None]) + biases[y][:, :, None, None]
            x = conv_transpose2d(x.relu_(), conv.weight, conv.bias, 2, 1)
        return x.tanh()


def dcgan_by_class() -> dict[str, Any]:
    g = create_generator(
        "dcgan",
        sample_shape=SHAPE,
        latent_dim=LATENT,
        base_channels=max(1, parts_loop.WIDTHS["generator"][0] // 16),
        num_classes=CLASSES,
        conditioning="batch_norm",
    )
    return {**mlps(), "generator": g}


class Projecting(nn.Module):
    """An MLP whose logit has the class projected on it (Miyato & Koyama 2018)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.layers, self.head, self.classes = network.layers, network.head, network.classes

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        features = self.layers(x.flatten(1))
        return self.head(features).squeeze(1) + (features * self.classes.weight[y]).sum(1)


def d_conditional(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    r, f = loop.discriminator(real, loop.y), loop.discriminator(fake, loop.y)
    return (softplus(-r) + softplus(f)).mean()


def g_conditional(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return softplus(-loop.discriminator(fake, loop.y)).mean()


# Packs ------------------------------------------------------------------------------------------


class Pairs(nn.Module):
    """A discriminator of two samples at once (Lin et al. 2018)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.discriminator = network.discriminator

    def forward(self, x: Tensor) -> Tensor:
        return self.discriminator(x.reshape(len(x) // 2, 2 * x.shape[1], *x.shape[2:]))


def packs() -> dict[str, Any]:
    channels, *size = SHAPE
    pair = mlps((2 * channels, *size))["discriminator"]
    packed = create_discriminator("packed", discriminator=pair, packing=2)
    return {**mlps(), "discriminator": packed}


# Balances ---------------------------------------------------------------------------------------


def norm_at(term: Tensor, at: Tensor) -> Tensor:
    return torch.autograd.grad(term, at, retain_graph=True)[0].norm()


def balanced(name: str, **arguments: Any) -> dict[str, Any]:
    if name == "adaptive_weight":
        arguments["layer"] = f"layers.{2 * len(parts_loop.WIDTHS['generator'])}"
    return {**mlps(), "balance": create_balance(name, **arguments)}


def g_adaptive(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    adversarial, distance = g_non_saturating(loop, real, fake, z), l1_loss(fake, real)
    last = loop.generator.layers[-2].weight
    factor = norm_at(distance, last) / (norm_at(adversarial, last) + 1e-4)
    return factor.clamp(max=1e4) * adversarial + distance


def g_shares(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    terms = [g_non_saturating(loop, real, fake, z), l1_loss(fake, real)]
    norms = torch.stack([norm_at(term, fake) for term in terms])
    loop.state["batches"] = loop.state.get("batches", 0) + 1
    loop.state["total"] = 0.999 * loop.state.get("total", 0) + 0.001 * norms
    average = loop.state["total"] / (1 - 0.999 ** loop.state["batches"])
    return torch.stack(terms) @ (0.5 / average).clamp(max=1e6)


def g_paced(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    each = [g_non_saturating(loop, real, fake, z), l1_loss(fake, real)]
    norms = torch.stack([norm_at(term, fake) for term in each])
    terms = torch.stack(each)
    losses = terms.detach().abs()
    weights = loop.state.get("weights", torch.ones(2))
    progress = losses / loop.state.setdefault("first", losses)
    weighted = weights * norms
    gap = weighted - weighted.mean() * (progress / progress.mean()) ** 1.5
    stepped = (weights - 0.025 * gap.sign() * norms / norms.mean()).clamp(min=0)
    loop.state["weights"] = 2 * stepped / stepped.sum()
    return terms @ weights


CASES = {
    "spectral norm": reweighted("spectral", spectral),
    "spectral norm, convolutions": reweighted("spectral", spectral, convolutions, norm="none"),
    "weight norm": reweighted("weight", salimans),
    "equalized rate": reweighted("equalized", equalized),
    "conditional batch norm": Layered(
        {}, networks=dcgan_by_class, condition=labels, by_hand={"generator": NormedByClass}
    ),
    "projection": Layered(
        {},
        d_conditional,
        g_conditional,
        networks=partial(mlps, classes=CLASSES, num_classes=CLASSES),
        condition=labels,
        by_hand={"discriminator": Projecting},
    ),
    "packed": Layered({}, networks=packs, by_hand={"discriminator": Pairs}),
    "adaptive_weight": Layered(
        {"l1": {}}, g_loss=g_adaptive, networks=partial(balanced, "adaptive_weight")
    ),
    "gradient_balance": Layered(
        {"l1": {}}, g_loss=g_shares, networks=partial(balanced, "gradient_balance", shares=SHARES)
    ),
    "gradnorm": Layered(
        {"l1": {}}, g_loss=g_paced, networks=partial(balanced, "gradnorm", terms=list(SHARES))
    ),
}
