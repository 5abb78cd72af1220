"""Terms of D's slope and of weights by hand, for the benchmark of parts."""

from __future__ import annotations

from collections.abc import Callable

import torch
from parts_loop import Case, Loop, Loss, g_non_saturating
from torch import Tensor, nn
from torch.nn.functional import relu, softplus

from lightning_gan.layers.flip_and_shift import flip_and_shift

# Of D, real samples, fakes, logits that are there already, and latents
D = Callable[[Tensor], Tensor]
DTerm = Callable[[Loop, D, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def with_term(term: DTerm, on: str = "") -> Loss:
    """Return D's minimax loss with a term, whose inputs ``on`` are in the graph."""

    def loss(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
        d = loop.discriminator
        if "real" in on:
            real = real.detach().requires_grad_()
        if "fake" in on:
            fake = fake.detach().requires_grad_()
        of_real, of_fake = d(real), d(fake)
        adversarial = (softplus(-of_real) + softplus(of_fake)).mean()
        return adversarial + term(loop, d, real, fake, of_real, of_fake, z)

    return loss


def gradient(logits: Tensor, x: Tensor) -> Tensor:
    return torch.autograd.grad(logits.sum(), x, create_graph=True)[0].flatten(1)


def r1(loop, d, real, fake, of_real, of_fake, z) -> Tensor:
    return 0.5 * gradient(of_real, real).square().sum(1).mean()


def r1_and_r2(loop, d, real, fake, of_real, of_fake, z) -> Tensor:
    r2 = 0.5 * gradient(of_fake, fake).square().sum(1).mean()
    return r1(loop, d, real, fake, of_real, of_fake, z) + r2


def approximate_r1(loop, d, real, fake, of_real, of_fake, z) -> Tensor:
    moved = d(real + 0.01 * torch.randn_like(real))
    return 0.5 * ((moved - of_real) / 0.01).square().mean()


def approximate_r2(loop, d, real, fake, of_real, of_fake, z) -> Tensor:
    moved = d(fake + 0.01 * torch.randn_like(fake))
    return 0.5 * ((moved - of_fake) / 0.01).square().mean()


def between(real: Tensor, fake: Tensor) -> Tensor:
    epsilon = torch.rand(len(real), 1, 1, 1)
    return torch.lerp(fake.detach(), real.detach(), epsilon).requires_grad_()


def one_sided(loop, d, real, fake, of_real, of_fake, z) -> Tensor:
    x = between(real, fake)
    return 10 * relu(gradient(d(x), x).norm(dim=1) - 1).square().mean()


def sixth_power(loop, d, real, fake, of_real, of_fake, z) -> Tensor:
    x = between(real, fake)
    return 2 * gradient(d(x), x).norm(dim=1).pow(6).mean()


def dragan(loop, d, real, fake, of_real, of_fake, z) -> Tensor:
    alpha, real = torch.rand(len(real), 1, 1, 1), real.detach()
    x = real + alpha * 0.5 * real.std(correction=0) * torch.rand_like(real)
    x.requires_grad_()
    return 10 * (gradient(d(x), x).norm(dim=1) - 1).square().mean()


def lecam(loop, d, real, fake, of_real, of_fake, z) -> Tensor:
    state = loop.state
    said = {"real": of_real.detach().mean(), "fake": of_fake.detach().mean()}
    if not state:
        state.update(said)
        return 0 * of_real.sum()
    term = (of_real - state["fake"]).square() + (state["real"] - of_fake).square()
    for key, mean in said.items():
        state[key] = state[key].lerp(mean, 0.01)
    return 0.3 * term.mean()


def bcr(loop, d, real, fake, of_real, of_fake, z) -> Tensor:
    parts = ((of_real, real), (of_fake, fake))
    return 10 * sum((logits - d(flip_and_shift(x, 4))).square().mean() for logits, x in parts)


def zcr(loop, d, real, fake, of_real, of_fake, z) -> Tensor:
    with torch.no_grad():
        near = loop.generator(z + 0.03 * torch.randn_like(z))
    return 5 * (of_fake - d(near)).square().mean()


def g_zcr(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    near = loop.generator(z + 0.03 * torch.randn_like(z))
    return g_non_saturating(loop, real, fake, z) - 0.5 * (fake - near).square().mean()


def g_orthogonal(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    found = g_non_saturating(loop, real, fake, z)
    for weight in loop.generator.parameters():
        if weight.dim() > 1:  # |W W'|^2 is |W' W|^2, and the diagonal is that of W W'
            small = weight @ weight.T if len(weight) <= weight[0].numel() else weight.T @ weight
            norms = weight.square().sum(1)
            found = found + 1e-4 * (small.square().sum() - norms.square().sum())
    return found


def clipped(loop: Loop, network: nn.Module) -> None:
    if network is loop.discriminator:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.clamp_(-0.01, 0.01)


# Historical averaging -------------------------------------------------------------------------


def distance_from_past(loop: Loop, network: nn.Module) -> Tensor:
    if network not in loop.state:
        return torch.zeros(())
    _, means = loop.state[network]
    pairs = zip(network.parameters(), means, strict=True)
    return 1e-3 * sum((parameter - mean).square().sum() for parameter, mean in pairs)


def past(loop: Loop, network: nn.Module) -> None:
    parameters = [parameter.detach() for parameter in network.parameters()]
    if network not in loop.state:
        loop.state[network] = 1, [parameter.clone() for parameter in parameters]
        return
    updates, means = loop.state[network]
    loop.state[network] = updates + 1, means
    for parameter, mean in zip(parameters, means, strict=True):
        mean.lerp_(parameter, 1 / (updates + 1))


def g_historical(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return g_non_saturating(loop, real, fake, z) + distance_from_past(loop, loop.generator)


def d_historical(loop, d, real, fake, of_real, of_fake, z) -> Tensor:
    return distance_from_past(loop, d)


WGAN_DIV = {"center": 0.0, "power": 6.0, "weight": 2.0}
CASES = {
    "r1": Case({"r1": {}}, with_term(r1, "real")),
    "r1 and r2": Case({"r1": {}, "r2": {}}, with_term(r1_and_r2, "real fake")),
    "approximate_r1": Case({"approximate_r1": {}}, with_term(approximate_r1)),
    "approximate_r2": Case({"approximate_r2": {}}, with_term(approximate_r2)),
    "wgan_gp, one-sided": Case({"wgan_gp": {"one_sided": True}}, with_term(one_sided)),
    "gradient_penalty": Case({"gradient_penalty": WGAN_DIV}, with_term(sixth_power)),
    "dragan": Case({"dragan": {}}, with_term(dragan)),
    "lecam": Case({"lecam": {"start_kimg": 0.0}}, with_term(lecam)),
    "bCR": Case({"consistency": {"fake_weight": 10.0}}, with_term(bcr)),
    "zCR": Case({"latent_consistency": {}}, with_term(zcr), g_zcr),
    "orthogonal": Case({"orthogonal": {}}, g_loss=g_orthogonal),
    "weight_clipping": Case({"weight_clipping": {}}, after=clipped),
    "historical_averaging": Case(
        {"historical_averaging": {}}, with_term(d_historical), g_historical, past
    ),
}
