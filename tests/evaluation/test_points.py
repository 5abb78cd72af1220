"""Score cards of points of a known density, and of images whose channels are judged alone."""

from __future__ import annotations

import math

import pytest
import torch
import toys
from pixel_judge import Pixels
from torch import nn

from lightning_gan.data import Digits, ImageData, MixtureGrid
from lightning_gan.errors import InputError
from lightning_gan.evaluation import ScoreCard, evaluate
from lightning_gan.evaluation.processes import CHUNK
from lightning_gan.generators.base import Generator
from lightning_gan.metrics import judge

GRID = MixtureGrid(side=2, spacing=0.5, std=0.05)
QUICK = {"features": "judge", "n_fake": 40, "n_real": 40}


class Exact(Generator):
    """Turns normal latents (N, 3) into points of the grid, and a class into its mode."""

    def __init__(self, width=1.0, num_classes=None):
        super().__init__()
        self.latent_dim, self.sample_shape, self.num_classes = 3, (2,), num_classes
        self.width = nn.Parameter(torch.tensor(width))

    def forward(self, z, y=None):
        place = torch.special.ndtr(z[:, 2]).mul(4).long().clamp(max=3) if y is None else y
        return GRID.modes[place] + self.width * GRID.std * z[:, :2]


def module(generator):
    shape = generator.sample_shape
    return toys.gan(generator=generator, discriminator=toys.discriminator(sample_shape=shape))


def card(gan=None, data=GRID, **options):
    return evaluate(gan or module(Exact()), data, **{"n_fake": 4000, **options})


def test_a_generator_that_has_learned_the_mixture(tmp_path):
    found = card()
    assert found.scores["modes"] == 4
    assert found.scores["within_three_sigma"] == pytest.approx(1 - math.exp(-4.5), abs=0.007)
    assert found.scores["spread"] == pytest.approx(1, abs=0.04)
    assert found.protocol["data"]["std"] == 0.05
    assert found.summary() == (
        "4,000 samples (trained weights, seed 0) against the density of MixtureGrid"
    )
    assert "near 1" in found.table()
    assert ScoreCard.load(found.save(tmp_path / "card.json")) == found


def test_collapse_inside_modes():
    found = card(module(Exact(0.5))).scores
    assert found["within_three_sigma"] == 1.0
    assert found["spread"] < 0.6


def test_the_seed_decides_and_the_state_of_the_random_generators_stays():
    gan, before = module(Exact()), torch.get_rng_state()
    one, again, other = card(gan), card(gan), card(gan, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert one.scores == again.scores != other.scores
    n = CHUNK + 3
    assert card(gan, n_fake=n).protocol["n_fake"] == n


def test_classes_are_asked_for_in_turn():
    found = card(module(Exact(num_classes=4)), n_fake=400)
    assert found.scores["rarest_mode"] > 0.9
    assert found.protocol["generator"]["labels"] == "arange(n) % 4"


def test_what_is_refused():
    with pytest.raises(InputError, match="MixtureGrid asks for a module .* of shape \\(1, 4, 4\\)"):
        card(toys.gan())
    with pytest.raises(InputError, match=r"metrics are those of images, .* got \['fid'\]"):
        card(metrics=["fid"])


class Pairs(ImageData):
    """Two digits in two channels."""

    native_shape = (2, 8, 8)
    native_classes = 100
    channel_data = Digits()
    class_shares = torch.full((100,), 0.01, dtype=torch.float64)

    def load(self, split):
        images, labels = self.channel_data.load(split)
        other = torch.arange(len(images)).flip(0)
        return torch.cat([images, images[other]], 1), 10 * labels + labels[other]


def test_images_whose_channels_are_judged_alone(monkeypatch):
    asked = []

    def quick(*data):
        asked.append(data)
        return Pixels(data[-1])

    monkeypatch.setattr(judge, "judge_for", quick)
    gan = module(toys.generator(sample_shape=(2, 8, 8)))
    found = evaluate(gan, Pairs(labels=False), metrics=["modes", "class_balance"], **QUICK)
    assert [tuple(data[0].shape[1:]) for data in asked] == [(1, 8, 8)]
    assert asked[0][-1] == 10
    assert found.protocol["features"]["name"] == "channel judge"
    assert found.protocol["data"]["num_classes"] == 100
    assert 1 <= found.scores["modes"] <= 40
    assert found.scores["mode_kl"] == pytest.approx(found.scores["kl"])
