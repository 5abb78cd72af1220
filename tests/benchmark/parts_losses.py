"""Losses by hand, for the benchmark of parts: of the loop, real samples, fakes and latents."""

from __future__ import annotations

import math
from functools import partial

import parts_loop
import torch
from parts_loop import SHAPE, Case, Loop, d_minimax, mlps
from torch import Tensor
from torch.nn.functional import logsigmoid, mse_loss, normalize, relu, softplus

from lightning_gan import create_discriminator, create_loss


def d_wasserstein(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return (loop.discriminator(fake) - loop.discriminator(real)).mean()


def g_wasserstein(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return -loop.discriminator(fake).mean()


def d_paired(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return softplus(loop.discriminator(fake) - loop.discriminator(real)).mean()


def g_paired(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return softplus(loop.discriminator(real) - loop.discriminator(fake)).mean()


def d_least_squares(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    of_real, of_fake = loop.discriminator(real), loop.discriminator(fake)
    return 0.5 * ((of_real - 1).square().mean() + of_fake.square().mean())


def g_least_squares(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return 0.5 * (loop.discriminator(fake) - 1).square().mean()


def d_hinge(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return relu(1 - loop.discriminator(real)).mean() + relu(1 + loop.discriminator(fake)).mean()


def g_minimax(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return -softplus(loop.discriminator(fake)).mean()


def d_average(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    r, f = loop.discriminator(real), loop.discriminator(fake)
    return softplus(f.mean() - r).mean() + softplus(f - r.mean()).mean()


def g_average(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    r, f = loop.discriminator(real), loop.discriminator(fake)
    return softplus(r.mean() - f).mean() + softplus(r - f.mean()).mean()


def d_jensen_shannon(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    of_real, of_fake = logsigmoid(loop.discriminator(real)), softplus(loop.discriminator(fake))
    return of_fake.mean() - of_real.mean() - 2 * math.log(2)


def g_jensen_shannon(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return math.log(2) - softplus(loop.discriminator(fake)).mean()


def g_top_half(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    best = loop.discriminator(fake).topk(len(fake) // 2).values
    return softplus(-best).mean()


# Slicing: the last layer by hand --------------------------------------------------------------


def d_sliced_hinge(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    head, found = loop.discriminator.head, torch.zeros(())
    omega = normalize(head.weight, dim=1).T
    for x, sign in ((real, -1), (fake, 1)):
        h = loop.discriminator.layers(x.flatten(1)) + head.bias
        function = (h @ omega.detach()).squeeze(1) * head.scale
        direction = (h.detach() @ omega).squeeze(1) * head.scale.detach()
        found = found + relu(1 + sign * function).mean() + sign * direction.mean()
    return found


def g_sliced_hinge(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    head = loop.discriminator.head
    h = loop.discriminator.layers(fake.flatten(1)) + head.bias
    return -((h @ normalize(head.weight, dim=1).T).squeeze(1) * head.scale).mean()


# MMD ------------------------------------------------------------------------------------------


def kernels(x: Tensor, y: Tensor) -> Tensor:
    """Return the sum of rational quadratic kernels of all pairs."""
    products = torch.addmm(y.square().sum(1), x, y.T, alpha=-2)
    d2 = (products + x.square().sum(1, keepdim=True)).clamp(min=0)
    return sum((1 + d2 / (2 * alpha)) ** -alpha for alpha in (0.2, 0.5, 1.0, 2.0, 5.0))


def apart(kernel: Tensor) -> Tensor:
    n = len(kernel)
    return (kernel.sum() - kernel.trace()) / (n * (n - 1))


def mmd2(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    x, y = loop.discriminator(real), loop.discriminator(fake)
    return apart(kernels(x, x)) + apart(kernels(y, y)) - 2 * kernels(x, y).mean()


def d_mmd(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return -mmd2(loop, real, fake, z)


# Autoencoders ---------------------------------------------------------------------------------


def error(loop: Loop, x: Tensor) -> Tensor:
    """Return each sample's error of reconstruction."""
    x = x.flatten(1)
    made = loop.discriminator.decoder(loop.discriminator.encoder(x))
    return (x - made).square().mean(1)


def d_energy(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return error(loop, real).mean() + relu(1 - error(loop, fake)).mean()


def g_energy(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    x = fake.flatten(1)
    return mse_loss(loop.discriminator.decoder(loop.discriminator.encoder(x)), x)


def d_equilibrium(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    of_real, of_fake = error(loop, real).mean(), error(loop, fake).mean()
    k = loop.state.get("k", torch.zeros(()))
    moved = k + 0.001 * (0.5 * of_real.detach() - of_fake.detach())
    loop.state["k"] = moved.clamp(0, 1)
    return of_real - k * of_fake


def autoencoders() -> dict[str, object]:
    hidden = parts_loop.WIDTHS["discriminator"][-2:]
    autoencoder = create_discriminator("mlp_autoencoder", sample_shape=SHAPE, hidden=hidden)
    return {**mlps(), "discriminator": autoencoder}


def slicing() -> tuple[str, dict[str, object]]:
    return "slicing", {"loss": create_loss("hinge")}


def top_k() -> tuple[str, dict[str, object]]:
    return "top_k", {"loss": create_loss("non_saturating")}


CASES = {
    "non_saturating": Case({}),
    "least_squares": Case({"loss": "least_squares"}, d_least_squares, g_least_squares),
    "hinge": Case({"loss": "hinge"}, d_hinge, g_wasserstein),
    "minimax": Case({"loss": "minimax"}, d_minimax, g_minimax),
    "relativistic_paired": Case({"loss": "relativistic_paired"}, d_paired, g_paired),
    "relativistic_average": Case({"loss": "relativistic_average"}, d_average, g_average),
    "wasserstein": Case({"loss": "wasserstein"}, d_wasserstein, g_wasserstein),
    "f_divergence": Case({"loss": "f_divergence"}, d_jensen_shannon, g_jensen_shannon),
    "slicing": Case(
        {"loss": slicing}, d_sliced_hinge, g_sliced_hinge, networks=partial(mlps, sliced=True)
    ),
    "mmd": Case({"loss": "mmd"}, d_mmd, mmd2, networks=partial(mlps, outputs=16)),
    "top_k": Case({"loss": top_k}, g_loss=g_top_half),
    "energy_based": Case({"loss": "energy_based"}, d_energy, g_energy, networks=autoencoders),
    "boundary_equilibrium": Case(
        {"loss": "boundary_equilibrium"}, d_equilibrium, g_energy, networks=autoencoders
    ),
}
