"""Run by test_distributed.py in two processes: 24 small trainings and what each rank saw.

Every training notes the local gradients before a step and the gradients that the optimizer used.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import warnings
from pathlib import Path

import torch

warnings.simplefilter("ignore")
sys.path.insert(0, str(Path(__file__).parents[1]))

import toys  # noqa: E402
from pytorch_lightning import Callback  # noqa: E402
from torch import nn  # noqa: E402

from lightning_gan import EMA, Augment, Prior, Regularizer  # noqa: E402
from lightning_gan.alternations.alternating import Alternating  # noqa: E402
from lightning_gan.data import RandomImages  # noqa: E402
from lightning_gan.game.ranks import gather_objects  # noqa: E402
from lightning_gan.regularizers.r1 import R1Regularizer  # noqa: E402
from lightning_gan.regularizers.wgan_gp import WGANGPRegularizer  # noqa: E402

REGULARIZERS = {
    "none": lambda: {},
    "r1": lambda: {"r1": R1Regularizer(weight=0.5, interval=2)},
    "wgan_gp": lambda: {"wgan_gp": WGANGPRegularizer()},
}
CASES = list(itertools.product((1, 5), REGULARIZERS, ("batch", "spectral"), (1, 2)))
BATCHES = 10  # two turns of five D steps and a G step


class Used(Regularizer):
    """Notes the gradients that an optimizer used."""

    def __init__(self):
        super().__init__()
        self.gradients = []

    def after_update(self, player, network):
        gradients = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
        self.gradients.append(torch.cat(gradients).clone())


class Local(Callback):
    """Notes the local gradients, before they are averaged."""

    def __init__(self):
        self.gradients = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step > 0:
            return
        engine = pl_module.session.game.engine
        average = engine.average

        def noting(gradients):
            self.gradients.append(torch.cat([g.flatten() for g in gradients]))
            average(gradients)

        engine.average = noting


def networks(norm):
    torch.manual_seed(0)
    generator, discriminator = toys.generator(), toys.discriminator()
    for network in (generator, discriminator):
        linear = next(i for i, m in enumerate(network.layers) if isinstance(m, nn.Linear))
        if norm == "batch":
            network.layers.insert(linear + 1, nn.BatchNorm1d(8))
        else:
            nn.utils.parametrizations.spectral_norm(network.layers[linear])
    return generator, discriminator


def train(folder, d_steps, regularizer, norm, micro_batches):
    """Return what is wrong with one training of both ranks, or nothing."""
    generator, discriminator = networks(norm)
    used, local = Used(), Local()
    gan = toys.gan(
        generator=generator,
        discriminator=discriminator,
        regularizers={**REGULARIZERS[regularizer](), "used": used},
        alternation=Alternating(d_steps=d_steps),
        micro_batches=micro_batches,
        ema=EMA(),
    )
    options = {"devices": 2, "strategy": "gan_ddp", "callbacks": [local]}
    run = toys.trainer(folder, max_steps=BATCHES, **options)
    run.fit(gan, RandomImages(shape=[1, 4, 4], n=64, batch_size=8))
    state = {k: v for k, v in gan.state_dict().items() if isinstance(v, torch.Tensor)}
    zero, one = gather_objects((local.gradients, used.gradients, state))
    steps = BATCHES + BATCHES // d_steps
    wrong = [f"{len(zero[1])} steps, not {steps}"] if len(zero[1]) != steps else []
    for step, (ours, theirs, mean) in enumerate(zip(zero[0], one[0], zero[1], strict=True)):
        error = ((ours + theirs) / 2 - mean).abs().max() / mean.abs().max()
        wrong += [f"step {step}: gradient off by {error:.1e}"] if error > 1e-6 else []
        wrong += [f"step {step}: both ranks had one gradient"] if ours.equal(theirs) else []
    different = [name for name in zero[2] if not torch.equal(zero[2][name], one[2][name])]
    wrong += [f"{', '.join(different)} differ"] if different else []
    return wrong + [f"{n} is not finite" for n, v in zero[2].items() if not v.isfinite().all()]


# Half a batch each is one batch -----------------------------------------------------------------


class Dealt(Prior):
    """Deals out the same latents to any number of processes, as the data are dealt out."""

    def __init__(self, rank=0, world_size=1):
        super().__init__()
        self.rank, self.world_size, self.calls = rank, world_size, 0

    def sample(self, n, latent_dim, *, generator, device):
        self.calls += 1
        source = torch.Generator().manual_seed(self.calls)
        return torch.randn(n * self.world_size, latent_dim, generator=source)[
            self.rank :: self.world_size
        ]


def halves(folder, world_size, rank=0):
    """Train with a whole batch of 16 over all processes; return the weights."""
    torch.manual_seed(0)
    gan = toys.gan(
        prior=Dealt(rank, world_size),
        regularizers={"r1": R1Regularizer(weight=0.5, interval=2)},
        alternation=Alternating(d_steps=2),
        ema=EMA(half_life_kimg=0.05),
    )
    strategy = "gan_ddp" if world_size > 1 else "auto"
    run = toys.trainer(folder, max_steps=12, devices=world_size, strategy=strategy)
    run.fit(gan, RandomImages(shape=[1, 4, 4], n=64, batch_size=16 // world_size))
    assert gan.progress.images == 12 * 16
    return {k: v for k, v in gan.state_dict().items() if isinstance(v, torch.Tensor)}


# Noise ------------------------------------------------------------------------------------------


class Noted(Regularizer):
    """Notes the latents and labels of fakes."""

    def __init__(self):
        super().__init__()
        self.latents, self.labels = [], []

    def discriminator(self, step):
        self.latents.append(step.z.clone())
        self.labels.append(step.fake_y.clone())


class Flips(Augment):
    """Changes signs at random, and notes which."""

    def __init__(self):
        super().__init__()
        self.signs = []

    def forward(self, x):
        signs = torch.rand(len(x), 1, 1, 1).round() * 2 - 1
        self.signs.append(signs)
        return x * signs


def noise(folder):
    """Return each rank's latents, labels, augmentations and dropped-out fakes."""
    torch.manual_seed(0)
    noted, flips = Noted(), Flips()
    gan = toys.gan(
        generator=toys.generator(num_classes=10),
        discriminator=toys.discriminator(num_classes=10, dropout=0.5),
        regularizers={"noted": noted},
        augment=flips,
        fake_labels="uniform",
    )
    run = toys.trainer(folder, max_steps=3, devices=2, strategy="gan_ddp")
    run.fit(gan, RandomImages(shape=[1, 4, 4], n=64, num_classes=10, batch_size=8))
    return gather_objects(
        {name: torch.cat(x) for name, x in (("latents", noted.latents), ("labels", noted.labels))}
        | {"augmentations": torch.cat(flips.signs)}
    )


def compare_noise(folder):
    """Return what is wrong with the noise of two trainings from one seed and one of another."""
    first, second = noise(folder), noise(folder)
    os.environ["PL_GLOBAL_SEED"] = "8"
    other, wrong = noise(folder), []
    for name in first[0]:
        wrong += [f"{name} are alike on both ranks"] if first[0][name].equal(first[1][name]) else []
        for rank in (0, 1):
            if not first[rank][name].equal(second[rank][name]):
                wrong.append(f"{name} are not those of the seed on rank {rank}")
            if first[rank][name].equal(other[rank][name]):
                wrong.append(f"{name} do not depend on the seed on rank {rank}")
    return wrong


def main(folder):
    os.environ["PL_GLOBAL_SEED"] = "7"
    found = {"/".join(map(str, case)): train(folder, *case) for case in CASES}
    rank = int(os.environ.get("LOCAL_RANK", 0))
    weights = halves(folder, 2, rank)
    noises = compare_noise(folder)
    if rank == 0:
        torch.save(weights, Path(folder) / "halves.pt")
        (Path(folder) / "found.json").write_text(json.dumps({"cases": found, "noise": noises}))


if __name__ == "__main__":
    main(sys.argv[1])
