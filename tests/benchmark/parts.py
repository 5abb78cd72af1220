"""What each part costs beside the same mathematics written by hand.

    python tests/benchmark/parts.py r1 lecam --rounds 9 --steps 20

Prints a Markdown table: processor time of a step of ``Game`` and of a loop without the library, on
the same networks, by one thread, in turns; and their ratio round by round, median, least and most.
Without names, all cases. A part joins with a line or two in ``CASES``; ``test_parts.py`` checks
that both sides of a case train to the same weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from segments import CPU, in_turns, quiet, ratio
from torch import Tensor, nn
from torch.nn.functional import relu, softplus

from lightning_gan import (
    Game,
    GANModule,
    create_discriminator,
    create_generator,
    create_loss,
    create_regularizer,
)
from lightning_gan.benchmark.machine import describe_machine
from lightning_gan.benchmark.timers import Cost, Stopwatch
from lightning_gan.layers.flip_and_shift import flip_and_shift

SHAPE, LATENT, WARMUP = (1, 28, 28), 64, 3
ADAM = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999), fused=True)
Draw = Callable[[int], Tensor]


class Loop:
    """One step of D and one of G on a batch, as fast as a hand-written eager loop makes them.

    D is frozen in G's step, which uses the fakes of D's; optimizers are fused; nothing is read.

    Args:
        generator: G.
        discriminator: D.
        case: What both minimise.
        draw: Draws latents; None: standard normal ones.
    """

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, case: Case, draw: Draw | None = None
    ) -> None:
        self.generator, self.discriminator, self.case = generator, discriminator, case
        self.optimizers = [ADAM(net.parameters()) for net in (generator, discriminator)]
        self.draw = draw or (lambda n: torch.randn(n, LATENT))
        self.state: dict[str, Tensor] = {}

    def step(self, real: Tensor) -> None:
        """Train on one batch."""
        update_g, update_d = self.optimizers
        z = self.draw(len(real))
        fake = self.generator(z)
        update_d.zero_grad()
        self.case.d_loss(self, real, fake.detach(), z).backward()
        update_d.step()
        self.discriminator.requires_grad_(False)
        update_g.zero_grad()
        self.case.g_loss(self, real, fake, z).backward()
        update_g.step()
        self.discriminator.requires_grad_(True)


Loss = Callable[[Loop, Tensor, Tensor, Tensor], Tensor]


# Losses by hand: of the loop, real samples, fakes, latents ------------------------------------


def d_minimax(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return (softplus(-loop.discriminator(real)) + softplus(loop.discriminator(fake))).mean()


def g_non_saturating(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return softplus(-loop.discriminator(fake)).mean()


def d_wasserstein(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return (loop.discriminator(fake) - loop.discriminator(real)).mean()


def g_wasserstein(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return -loop.discriminator(fake).mean()


def d_paired(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return softplus(loop.discriminator(fake) - loop.discriminator(real)).mean()


def g_paired(loop: Loop, real: Tensor, fake: Tensor, z: Tensor) -> Tensor:
    return softplus(loop.discriminator(real) - loop.discriminator(fake)).mean()


# Terms by hand: of D, real samples, fakes, and logits that are there already -------------------

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


def one_sided(loop, d, real, fake, of_real, of_fake, z) -> Tensor:
    epsilon = torch.rand(len(real), 1, 1, 1)
    x = torch.lerp(fake.detach(), real.detach(), epsilon).requires_grad_()
    return 10 * relu(gradient(d(x), x).norm(dim=1) - 1).square().mean()


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


# Both sides of each part ------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A part in the library and by hand.

    Attributes:
        library: The loss's name and the regularizers' with their arguments.
        d_loss: What D minimises, by hand.
        g_loss: What G minimises, by hand.
    """

    library: Mapping[str, Any]
    d_loss: Loss = d_minimax
    g_loss: Loss = g_non_saturating

    def gan(self) -> GANModule:
        """Return the GAN of the library."""
        terms = {k: create_regularizer(k, **v) for k, v in self.library.items() if k != "loss"}
        loss = create_loss(self.library.get("loss", "non_saturating"))
        optimizers = {f"{player}_optimizer": ADAM for player in ("generator", "discriminator")}
        return GANModule(**networks(), loss=loss, regularizers=terms, **optimizers)


def networks() -> dict[str, Any]:
    generator = create_generator(
        "mlp", sample_shape=SHAPE, latent_dim=LATENT, hidden=[256, 512, 1024]
    )
    discriminator = create_discriminator(
        "mlp", sample_shape=SHAPE, hidden=[1024, 512, 256], dropout=0.0
    )
    return {"generator": generator, "discriminator": discriminator}


CASES = {
    "non_saturating": Case({}),
    "relativistic_paired": Case({"loss": "relativistic_paired"}, d_paired, g_paired),
    "wasserstein": Case({"loss": "wasserstein"}, d_wasserstein, g_wasserstein),
    "r1": Case({"r1": {}}, with_term(r1, "real")),
    "r1 and r2": Case({"r1": {}, "r2": {}}, with_term(r1_and_r2, "real fake")),
    "approximate_r1": Case({"approximate_r1": {}}, with_term(approximate_r1)),
    "wgan_gp, one-sided": Case({"wgan_gp": {"one_sided": True}}, with_term(one_sided)),
    "dragan": Case({"dragan": {}}, with_term(dragan)),
    "lecam": Case({"lecam": {"start_kimg": 0.0}}, with_term(lecam)),
    "bCR": Case({"consistency": {"fake_weight": 10.0}}, with_term(bcr)),
    "zCR": Case({"latent_consistency": {}}, with_term(zcr), g_zcr),
    "orthogonal": Case({"orthogonal": {}}, g_loss=g_orthogonal),
}


def contestants(case: Case, batch: int, steps: int) -> dict[str, Callable[[], Cost]]:
    """Return both sides, each of which trains for some steps and returns what one cost."""
    real = torch.rand(batch, *SHAPE) * 2 - 1
    game, loop = Game(case.gan(), seed=0), Loop(**networks(), case=case)
    watch = Stopwatch(CPU)

    def timed(step: Callable[[Tensor], Any]) -> Callable[[], Cost]:
        def run() -> Cost:
            for _ in range(WARMUP):
                step(real)
            watch.start()
            for _ in range(steps):
                step(real)
            lap = watch.lap()
            return Cost(lap.cpu / steps, lap.wall / steps)

        return run

    return {"library": timed(game.play), "by hand": timed(loop.step)}


def measure(name: str, batch: int, rounds: int, steps: int) -> str:
    """Return a case's row of the table."""
    costs = in_turns(contestants(CASES[name], batch, steps), rounds)
    ours, theirs = costs["library"], costs["by hand"]
    median, least, most = ratio(theirs, ours)
    ms = [1000 * min(cost.cpu for cost in each) for each in (ours, theirs)]
    return f"| {name} | {ms[0]:.1f} | {ms[1]:.1f} | {median:.2f} ({least:.2f} to {most:.2f}) |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=20, help="in a turn")
    parser.add_argument("--batch", type=int, default=128)
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in CASES]
    if unknown:
        parser.error(f"there is no case {unknown[0]!r}; there are {', '.join(CASES)}")
    quiet(threads=1)
    print(json.dumps(describe_machine(CPU)), end="\n\n")
    print("| part | lightning-gan, ms a step | by hand | ratio |\n|---|---|---|---|")
    for name in options.names or CASES:
        print(measure(name, options.batch, options.rounds, options.steps), flush=True)


if __name__ == "__main__":
    main()
