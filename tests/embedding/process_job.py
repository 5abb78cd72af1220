"""Run by test_embedded_processes.py in two processes: loops of one's own with torch.distributed."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import by_hand
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lightning_gan import EMA, GAN, Adversary, Game, Prior, Regularizer
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.r1 import R1Regularizer

DATA = by_hand.batches(4)  # of 6 samples each
sgd = partial(torch.optim.SGD, lr=0.3)


class Listed(Prior):
    def __init__(self, rows):
        super().__init__()
        self.rows = list(rows)

    def sample(self, n, latent_dim, *, generator, device):
        return self.rows.pop(0)


class Remembering(Regularizer):
    """A term that compares fakes with the mean of this rank's last real samples."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(by_hand.SHAPE, dtype=torch.float64))
        self.register_buffer("drawn", None)

    def bind(self, generator, discriminator):
        self.drawn = torch.full((5,), float(dist.get_rank()))  # each rank's own

    def generator(self, step):
        term = (step.fake - self.mean).square()
        self.mean.copy_(step.real.detach().mean(0))
        return term


class Normed(by_hand.Discriminator):
    def __init__(self):
        super().__init__()
        self.trunk.insert(2, nn.BatchNorm1d(10))


def share(x, rank, world):
    """This rank's samples of a batch."""
    return x.chunk(world)[rank]


def parts():
    return {
        "loss": NonSaturatingLoss(),
        "regularizers": {"r1": R1Regularizer(1.0, interval=2)},
        "discriminator_clip_norm": 0.05,
        "discriminator_optimizer": sgd,
    }


def play(rank, world):
    """A Game, each rank with its share of real samples and latents."""
    prior = Listed([share(z, rank, world) for _, z in DATA])
    gan = GAN(
        *by_hand.networks(seed=rank), **parts(), prior=prior, generator_optimizer=sgd, ema=EMA()
    )
    game = Game(gan)
    for real, _ in DATA:
        game.play(share(real, rank, world))
    return gan.state_dict()


def embed(rank, world):
    """An Adversary beside a generator that the loop has wrapped."""
    generator, discriminator = by_hand.networks(seed=rank)
    adversary = Adversary(discriminator, **parts())
    wrapped = generator if world == 1 else DistributedDataParallel(generator)
    optimizer = sgd(generator.parameters())
    for real, z in DATA:
        real, fake = share(real, rank, world), wrapped(share(z, rank, world))
        adversary.step(real, fake)
        optimizer.zero_grad()
        adversary.generator_loss(fake, real).backward()
        optimizer.step()
    state = {f"generator.{key}": value for key, value in generator.state_dict().items()}
    return {**state, **adversary.state_dict()}


def games(rank, world, folder):
    """A part with a buffer of each rank's own; saved by every rank, and gone on with."""

    def new():
        torch.manual_seed(rank)
        net, part = Normed().double(), Remembering()
        return Game(
            GAN(
                by_hand.networks()[0],
                net,
                loss=NonSaturatingLoss(),
                regularizers={"part": part},
            ),
            seed=3,
        )

    def run(game, data):
        for real, _ in data:
            game.play(share(real, rank, world))

    whole = new()
    run(whole, DATA[:2])
    path = folder / f"game-{rank}.pt"
    torch.save(whole.state_dict(), path)
    run(whole, DATA[2:])
    resumed = new()
    resumed.load_state_dict(torch.load(path, weights_only=True))
    run(resumed, DATA[2:])
    latents = whole.draw_latents(2)
    return {
        "whole": whole.state_dict()["gan"],
        "resumed": resumed.state_dict()["gan"],
        "latents": latents,
        "resumed latents": resumed.draw_latents(2),
    }


def statistics(rank, world):
    """Those of the discriminator after both of an Adversary's calls."""
    torch.manual_seed(rank)
    generator, found = by_hand.networks()[0], []
    part = Remembering()
    terms = {"part": part}
    adversary = Adversary(Normed().double(), NonSaturatingLoss(), terms, generator=generator)
    for real, z in DATA:
        real, fake = share(real, rank, world), generator(share(z, rank, world))
        adversary.step(real, fake)
        found.append(adversary.discriminator.trunk[2].running_mean.clone())
        adversary.generator_loss(fake, real).backward()  # the graph holds
        found.append(adversary.discriminator.trunk[2].running_mean.clone())
    return {"running": torch.stack(found), "drawn": part.drawn}


def main(rank, folder):
    dist.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=2)
    result = {
        "play": play(rank, 2),
        "embed": embed(rank, 2),
        "games": games(rank, 2, folder),
        "statistics": statistics(rank, 2),
    }
    torch.save(result, folder / f"rank{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]), Path(sys.argv[2]))
