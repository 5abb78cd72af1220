"""What each technique is worth: GANModule with all of them against GANModule without one.

    python tests/benchmark/ablation.py W1 W2 --root DATA

The table of docs/performance.md. DATA holds MNIST; without it the images are noise,
which costs the same. All variants take turns; the ratio is taken round by round, by processor time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from pytorch_lightning.loggers import CSVLogger
from segments import CPU, in_turns, quiet, ratio, timed
from torch.utils.data import DataLoader

from lightning_gan import GANModule, create_discriminator, create_generator, create_loss
from lightning_gan.benchmark.feeding import ItemByItem
from lightning_gan.benchmark.machine import describe_machine
from lightning_gan.data import MNIST, ImageData, RandomImages
from lightning_gan.game.side import Side
from lightning_gan.regularizers.r1 import R1Regularizer

ADAM = {"lr": 2e-4, "betas": (0.5, 0.999)}


class Thawed(Side):
    """A side that computes its gradients in its opponent's update, too."""

    def frozen(self, parts_alone: bool = False) -> Any:
        return nullcontext()


class NotFrozen(GANModule):
    """Computes the gradients of D in the step of G, too, as most loops do."""

    def sides(self) -> Any:
        return tuple(Thawed(side.settings, side.network, side.parts) for side in super().sides())


class SecondPassR1(R1Regularizer):
    """R1 that runs D once more, as a function of its own would."""

    differentiates = frozenset()

    def discriminator(self, step: Any) -> torch.Tensor:
        real = step.real.detach().requires_grad_()
        logits = step.discriminate(real, step.y).logits
        (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
        return 0.5 * gradient.square().flatten(1).sum(1)


def networks(workload: str) -> dict[str, Any]:
    if workload == "W1":
        shape = (1, 28, 28)
        generator = create_generator(
            "mlp", sample_shape=shape, latent_dim=64, hidden=[256, 512, 1024]
        )
        discriminator = create_discriminator(
            "mlp", sample_shape=shape, hidden=[1024, 512, 256], dropout=0.2
        )
    else:
        shape = (1, 32, 32)
        generator = create_generator("dcgan", sample_shape=shape, latent_dim=100)
        discriminator = create_discriminator("dcgan", sample_shape=shape)
    return {
        "generator": generator,
        "discriminator": discriminator,
        "loss": create_loss("non_saturating"),
    }


def images(workload: str, root: str | None) -> ImageData:
    size, batch = (28, 128) if workload == "W1" else (32, 64)
    options: dict[str, Any] = {"batch_size": batch, "labels": False}
    data: ImageData
    if root is None:
        data = RandomImages(shape=(1, size, size), n=60_000, **options)
    else:
        data = MNIST(root=root, download=False, image_size=size, **options)
    data.setup("fit")
    return data


def measure(workload: str, root: str | None, rounds: int, steps: int) -> dict[str, Any]:
    data = images(workload, root)
    native = data.load("train")[0]
    items = ItemByItem(native, None, data.sample_shape[1:])
    loader = DataLoader(items, batch_size=data.batch_size, shuffle=True, drop_last=True)
    folder = tempfile.mkdtemp()
    plain_adam = partial(torch.optim.Adam, fused=False, foreach=False, **ADAM)
    adams = {f"{player}_optimizer": plain_adam for player in ("generator", "discriminator")}

    def contestant(gan: GANModule, data: Any = data, **trainer: Any) -> Any:
        return lambda: timed(gan, data, steps, **trainer)

    def logged(every: int) -> Any:
        logger = CSVLogger(folder, name=f"{workload}_{every}")
        return contestant(GANModule(**networks(workload)), logger=logger, log_every_n_steps=every)

    plain = GANModule(**networks(workload)).to(memory_format=torch.contiguous_format)
    compiled = GANModule(**networks(workload), generator_compile=True, discriminator_compile=True)
    penalties = {"r1": R1Regularizer(weight=1.0)}
    again = {"r1": SecondPassR1(weight=1.0)}
    rows = {
        "all": contestant(GANModule(**networks(workload))),
        "DataLoader and transforms in place of one uint8 tensor": contestant(
            GANModule(**networks(workload)), loader
        ),
        "logged every 50 batches": logged(50),
        "logged every batch": logged(1),
        "D not frozen in G's step": contestant(NotFrozen(**networks(workload))),
        "new fakes for G's step": contestant(GANModule(**networks(workload), share_fakes=False)),
        "Adam neither fused nor foreach": contestant(GANModule(**networks(workload), **adams)),
        "contiguous networks": contestant(plain),
        "both networks compiled": contestant(compiled),
        "with R1 at every step, its logits shared with the loss": contestant(
            GANModule(**networks(workload), regularizers=penalties)
        ),
        "with R1 at every step, in a pass of its own": contestant(
            GANModule(**networks(workload), regularizers=again)
        ),
    }
    if workload == "W1":
        del rows["contiguous networks"]
    costs = in_turns(rows, rounds)
    base = {
        "logged every batch": "logged every 50 batches",
        "with R1 at every step, in a pass of its own": (
            "with R1 at every step, its logits shared with the loss"
        ),
    }
    return {
        name: {
            "ms": 1e3 * sum(cost.cpu for cost in found) / len(found) / steps,
            "against": base.get(name, "all"),
            "speed": ratio(found, costs[base.get(name, "all")]),
        }
        for name, found in costs.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workloads", nargs="*", default=["W1", "W2"], choices=["W1", "W2"])
    parser.add_argument("--root", help="folder that holds MNIST")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", help="JSON file")
    words = parser.parse_args()
    quiet(words.threads)
    found = {w: measure(w, words.root, words.rounds, words.steps) for w in words.workloads}
    print(describe_machine(CPU))
    for workload, rows in found.items():
        print(f"\n| {workload} | ms a step | speed (least to most) | against |\n|---|---|---|---|")
        for name, row in rows.items():
            median, least, most = row["speed"]
            print(
                f"| {name} | {row['ms']:.1f} | {median:.2f} ({least:.2f} to {most:.2f}) "
                f"| {row['against']} |"
            )
    if words.out:
        with open(words.out, "w") as file:
            json.dump({"machine": describe_machine(CPU), "rows": found}, file, indent=1)


if __name__ == "__main__":
    main()
