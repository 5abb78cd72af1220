"""Small networks, data and trainers for tests."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

from lightning_gan import GANModule, Prior
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.generators.mlp import MLPGenerator
from lightning_gan.losses.non_saturating import NonSaturatingLoss

SHAPE = (1, 4, 4)


def generator(**arguments):
    return MLPGenerator(**{"sample_shape": SHAPE, "latent_dim": 3, "hidden": (8,), **arguments})


def discriminator(**arguments):
    defaults = {"sample_shape": SHAPE, "hidden": (8,), "dropout": 0.0}
    return MLPDiscriminator(**{**defaults, **arguments})


def gan(**parts):
    parts.setdefault("generator", generator())
    parts.setdefault("discriminator", discriminator())
    parts.setdefault("loss", NonSaturatingLoss())
    return GANModule(**parts)


def images(n=32, shape=SHAPE, seed=0):
    source = torch.Generator().manual_seed(seed)
    return torch.rand(n, *shape, generator=source) * 2 - 1


def loader(x=None, y=None, batch_size=8):
    x = images() if x is None else x
    dataset = TensorDataset(x) if y is None else TensorDataset(x, y)
    return DataLoader(dataset, batch_size=batch_size)


def trainer(tmp_path, **options):
    quiet = {
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": tmp_path,
        "log_every_n_steps": 1,
        "max_epochs": -1,
    }
    return pl.Trainer(**{**quiet, **options})


def fit(tmp_path, module, steps=4, data=None, **options):
    run = trainer(tmp_path, max_steps=steps, **options)
    run.fit(module, loader() if data is None else data)
    return run


def weights(network):
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def same(ours, theirs):
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


class CountingPrior(Prior):
    """Latents 0, 1, 2, ... so that every draw can be told from every other."""

    def __init__(self):
        super().__init__()
        self.drawn = 0
        self.calls = []

    def sample(self, n, latent_dim, *, generator, device):
        start = self.drawn
        self.drawn += n
        self.calls.append(n)
        numbers = torch.arange(start, start + n, device=device).to(torch.get_default_dtype())
        return (numbers / 100).unsqueeze(1).repeat(1, latent_dim)
