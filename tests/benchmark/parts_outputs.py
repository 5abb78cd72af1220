"""Terms of what networks say besides logits and samples, by hand, for the benchmark of parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import parts_loop
import torch
from parts_loop import CLASSES, LATENT, SHAPE, Case, Loop, Loss, g_non_saturating, labels, mlps
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, normalize, relu, softplus

from lightning_gan import DiscriminatorOutput, Generator, GeneratorOutput, create_discriminator

DIM, CODES = 64, (10, 2)  # of an embedding; discrete and continuous ones
Term = Callable[[Loop, DiscriminatorOutput, DiscriminatorOutput, Tensor], Tensor]
GTerm = Callable[[Loop, DiscriminatorOutput, Tensor], Tensor]


def d_with(term: Term | None = None) -> Loss:
    """Return D's minimax loss, with a term of its outputs on real samples and fakes."""

    def loss(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        r, f = loop.discriminator(real), loop.discriminator(fake)
        adversarial = (softplus(-r.logits) + softplus(f.logits)).mean()
        return adversarial if term is None else adversarial + term(loop, r, f, z)

    return loss


def g_with(term: GTerm) -> Loss:
    """Return G's loss with a term of D's output on fakes."""

    def loss(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        f = loop.discriminator(fake)
        return softplus(-f.logits).mean() + term(loop, f, z)

    return loss


# Classes --------------------------------------------------------------------------------------


def d_classes(loop, r, f, z) -> Tensor:
    return cross_entropy(r.class_logits, loop.y) + cross_entropy(f.class_logits, loop.y)


def g_classes(loop, f, z) -> Tensor:
    return cross_entropy(f.class_logits, loop.y)


def d_twin(loop, r, f, z) -> Tensor:
    return cross_entropy(f.extra["twin_class_logits"], loop.y)


def g_twin(loop, f, z) -> Tensor:
    return -cross_entropy(f.extra["twin_class_logits"], loop.y)


def multi_hinge(said: DiscriminatorOutput, y: Tensor) -> Tensor:
    logits, own = said.class_logits, torch.nn.functional.one_hot(y, CLASSES).bool()
    rival = logits.masked_fill(own, -math.inf).amax(1)
    return relu(1 + rival - logits[own]).mean()


def d_hinge(loop, r, f, z) -> Tensor:
    return multi_hinge(r, loop.y)


def g_hinge(loop, f, z) -> Tensor:
    return multi_hinge(f, loop.y)


def data_to_data(loop: Loop, said: DiscriminatorOutput) -> Tensor:
    f, proxies = normalize(said.extra["embedding"]), normalize(loop.own["proxies"])
    near = (f * proxies[loop.y]).sum(1, keepdim=True)
    positive = (near - 0.98).clamp(max=0) / 0.5
    negative = (f @ f.T - 0.02).clamp(min=0) / 0.5
    negative = negative.masked_fill(loop.y[:, None] == loop.y, -math.inf)
    return (torch.cat([positive, negative], 1).logsumexp(1) - positive[:, 0]).mean()


def d_data_to_data(loop, r, f, z) -> Tensor:
    return data_to_data(loop, r)


def g_data_to_data(loop, f, z) -> Tensor:
    return data_to_data(loop, f)


# Codes and features ---------------------------------------------------------------------------


def codes(n: int) -> Tensor:
    """Draw latents whose last numbers are codes."""
    one_hot = torch.eye(CODES[0])[torch.randint(CODES[0], (n,))]
    return torch.cat([torch.randn(n, LATENT - sum(CODES)), one_hot, torch.rand(n, 2) * 2 - 1], 1)


def information(said: DiscriminatorOutput, z: Tensor) -> Tensor:
    logits, mean = said.extra["codes"].split(CODES, 1)
    digits, slants = z[:, -sum(CODES) :].split(CODES, 1)
    surprise = 0.5 * (slants - mean).square() + 0.5 * math.log(2 * math.pi)
    return cross_entropy(logits, digits) + 0.1 * surprise.sum(1).mean()


def d_information(loop, r, f, z) -> Tensor:
    return information(f, z)


def g_information(loop, f, z) -> Tensor:
    return information(f, z)


def g_features(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    f = loop.discriminator(fake)
    with torch.no_grad():
        wanted = [layer.mean(0) for layer in loop.discriminator(real).features]
    found = softplus(-f.logits).mean()
    for layer, mean in zip(f.features, wanted, strict=True):
        found = found + (layer.mean(0) - mean).square().sum()
    return found


def rebuilt(loop, r, f, z) -> Tensor:
    return sum((made - target).abs().mean() for made, target in r.extra["reconstructions"])


def d_rebuilt(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    r, f = loop.discriminator(real), loop.discriminator(fake)
    heads = zip(r.logits, f.logits, strict=True)
    adversarial = [softplus(-a).mean() + softplus(b).mean() for a, b in heads]
    return sum(adversarial) / len(adversarial) + rebuilt(loop, r, f, z)


def g_heads(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    heads = loop.discriminator(fake).logits
    return sum(softplus(-logits).mean() for logits in heads) / len(heads)


def fastgan() -> dict[str, Any]:
    shape, channels = (1, 32, 32), parts_loop.WIDTHS["discriminator"][-1] // 64
    fast = create_discriminator("fastgan", sample_shape=shape, base_channels=max(1, channels))
    return {**mlps(shape), "discriminator": fast}


# Generators -----------------------------------------------------------------------------------


class Mapped(Generator):
    """A generator of two halves."""

    def __init__(self, latent_dim: int, sample_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.latent_dim, self.sample_shape = latent_dim, sample_shape
        self.map = nn.Sequential(nn.Linear(latent_dim, 256), nn.LeakyReLU(0.2))
        self.body = mlps()["generator"].layers
        self.body[0] = nn.Linear(256, self.body[0].out_features)

    def mapping(self, z: Tensor, y: Any = None) -> Tensor:
        return self.map(z)

    def synthesis(self, w: Tensor) -> Tensor:
        return self.body(w).reshape(-1, *self.sample_shape)

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        return self.synthesis(self.map(z))


def g_path_length(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    g, state = loop.generator, loop.state
    w = g.mapping(z[: len(z) // 2])
    x = g.synthesis(w)
    y = torch.randn_like(x) / math.sqrt(x[0, 0].numel())
    lengths = torch.autograd.grad((x * y).sum(), w, create_graph=True)[0].norm(dim=1)
    state["mean"] = state.get("mean", torch.zeros(())).lerp(lengths.detach().mean(), 0.01)
    return g_non_saturating(loop, real, fake, z) + 2 * (lengths - state["mean"]).square().mean()


def g_diverse(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    others = loop.draw(len(z))
    samples = (fake - loop.generator(others, loop.y)).abs().flatten(1).mean(1)
    ratios = samples / (z - others).abs().mean(1)
    return g_non_saturating(loop, real, fake, z) - ratios.clamp(max=10).mean()


class Encoding(Generator):
    """A generator that encodes its condition, and returns what the code was made of."""

    def __init__(self, latent_dim: int, sample_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.latent_dim, self.sample_shape = latent_dim, sample_shape
        self.encoder = nn.Linear(math.prod(sample_shape), 2 * latent_dim)
        self.body = mlps()["generator"].layers

    def forward(self, z: Tensor, y: Tensor) -> GeneratorOutput:
        mean, log_variance = self.encoder(y.flatten(1)).chunk(2, 1)
        made = self.body(mean + (0.5 * log_variance).exp() * z)
        extra = {"mean": mean, "log_variance": log_variance}
        return GeneratorOutput(made.reshape(-1, *self.sample_shape), extra)


class Quantizing(Encoding):
    """One whose code is the nearest vector of a book."""

    def __init__(self, latent_dim: int, sample_shape: tuple[int, ...]) -> None:
        super().__init__(latent_dim, sample_shape)
        self.book = nn.Parameter(torch.randn(32, latent_dim))

    def forward(self, z: Tensor, y: Tensor) -> GeneratorOutput:
        encoded = self.encoder(y.flatten(1))[:, : self.latent_dim]
        quantized = self.book[torch.cdist(encoded.detach(), self.book.detach()).argmin(1)]
        made = self.body(encoded + (quantized - encoded).detach() + 0.1 * z)
        extra = {"encoded": encoded, "quantized": quantized}
        return GeneratorOutput(made.reshape(-1, *self.sample_shape), extra)


def g_kl(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    mean, log_variance = loop.made.extra["mean"], loop.made.extra["log_variance"]
    kl = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean()
    return g_non_saturating(loop, real, fake, z) + kl


def g_commitment(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    encoded, quantized = loop.made.extra["encoded"], loop.made.extra["quantized"]
    codebook = mse_loss(quantized, encoded.detach())
    commitment = 0.25 * mse_loss(encoded, quantized.detach())
    return g_non_saturating(loop, real, fake, z) + codebook + commitment


def with_generator(kind: type[Generator]) -> dict[str, Any]:
    return {**mlps(), "generator": kind(LATENT, SHAPE)}


def itself(real: Tensor) -> Tensor:
    return real


def _with_classes(library: dict[str, Any], d: Term, g: GTerm, head: str, **more: Any) -> Case:
    networks = partial(mlps, classes=CLASSES, heads={head: DIM if head == "embedding" else CLASSES})
    return Case(library, d_with(d), g_with(g), networks=networks, condition=labels, **more)


_CODES = {"discrete": [CODES[0]], "continuous": CODES[1]}
CASES = {
    "auxiliary_classifier": _with_classes(
        {"auxiliary_classifier": {}}, d_classes, g_classes, "class_logits"
    ),
    "twin_auxiliary_classifier": _with_classes(
        {"twin_auxiliary_classifier": {}}, d_twin, g_twin, "twin_class_logits"
    ),
    "multi_hinge": _with_classes({"multi_hinge": {}}, d_hinge, g_hinge, "class_logits"),
    "data_to_data_cross_entropy": _with_classes(
        {"data_to_data_cross_entropy": {"dim": DIM}},
        d_data_to_data,
        g_data_to_data,
        "embedding",
        own={"proxies": (CLASSES, DIM)},
    ),
    "mutual_information": Case(
        {"mutual_information": _CODES, "prior": ("codes", _CODES)},
        d_with(d_information),
        g_with(g_information),
        networks=partial(mlps, heads={"codes": sum(CODES)}),
        draw=codes,
    ),
    "feature_matching": Case(
        {"feature_matching": {}}, d_with(), g_features, networks=partial(mlps, return_features=True)
    ),
    "self_supervised_reconstruction": Case(
        {"self_supervised_reconstruction": {}}, d_rebuilt, g_heads, networks=fastgan, batch=32
    ),
    "path_length": Case(
        {"path_length": {"interval": 1}},
        g_loss=g_path_length,
        networks=partial(with_generator, Mapped),
    ),
    "diversity_sensitive": Case({"diversity_sensitive": {}}, g_loss=g_diverse),
    "gaussian_kl": Case(
        {"gaussian_kl": {}},
        g_loss=g_kl,
        networks=partial(with_generator, Encoding),
        condition=itself,
    ),
    "commitment": Case(
        {"commitment": {}},
        g_loss=g_commitment,
        networks=partial(with_generator, Quantizing),
        condition=itself,
    ),
}
