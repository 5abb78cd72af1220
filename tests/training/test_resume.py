"""A run that was stopped goes on as if it never had been; random streams depend on (seed, rank)."""

from __future__ import annotations

import pytest
import torch
import toys

from lightning_gan import EMA, Prior
from lightning_gan.alternations.alternating import Alternating
from lightning_gan.data import RandomImages
from lightning_gan.game import randomness
from lightning_gan.regularizers.r1 import R1Regularizer


def make():
    torch.manual_seed(7)
    return toys.gan(
        generator=toys.generator(num_classes=3),
        discriminator=toys.discriminator(num_classes=3, dropout=0.2),
        regularizers={"r1": R1Regularizer(interval=3)},
        alternation=Alternating(d_steps=2),
        ema=EMA(half_life_kimg=0.05),
        fake_labels="uniform",
        share_fakes=False,
    )


def data():
    return RandomImages(shape=[1, 4, 4], n=40, num_classes=3, batch_size=8)


@pytest.mark.parametrize("stop", [3, 5, 7])  # mid-epoch, epoch end, mid-epoch of the second
def test_resume_is_bit_equal(tmp_path, stop):
    options = {"log_every_n_steps": 4}
    whole = make()
    run = toys.trainer(tmp_path, max_steps=12, **options)
    run.fit(whole, data())

    first = make()
    part = toys.trainer(tmp_path, max_steps=stop, **options)
    part.fit(first, data())
    path = tmp_path / "stopped.ckpt"
    part.save_checkpoint(path, weights_only=False)
    torch.manual_seed(999)
    resumed = make()
    torch.manual_seed(1000)
    rest = toys.trainer(tmp_path, max_steps=12, **options)
    rest.fit(resumed, data(), ckpt_path=path)

    assert rest.global_step == 12
    assert resumed.progress == whole.progress
    for network in ("generator", "discriminator", "generator_ema"):
        ours, theirs = getattr(whole, network), getattr(resumed, network)
        assert toys.same(toys.weights(ours), toys.weights(theirs)), network
    for key, value in whole.latest_metrics.items():
        assert torch.equal(value, resumed.latest_metrics[key]), key
    for ours, theirs in zip(run.optimizers, rest.optimizers, strict=True):
        for key, state in ours.state_dict()["state"].items():
            assert all(torch.equal(state[k], theirs.state_dict()["state"][key][k]) for k in state)


def test_another_number_of_processes_draws_noise_anew(tmp_path):
    part = toys.trainer(tmp_path, max_steps=2)
    part.fit(make(), data())
    path = tmp_path / "stopped.ckpt"
    part.save_checkpoint(path, weights_only=False)
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["lightning_gan"]["ranks"] *= 2
    torch.save(checkpoint, path)
    with pytest.warns(
        UserWarning, match="training goes on with processes 2 -> 1: noise is drawn anew"
    ):
        toys.trainer(tmp_path, max_steps=3).fit(make(), data(), ckpt_path=path)


def test_a_second_fit_draws_other_noise(tmp_path, monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    prior = Latents()
    gan = toys.gan(prior=prior)
    for _ in range(2):
        toys.fit(tmp_path, gan, steps=1)
    assert not torch.equal(*prior.drawn)


def test_another_seed_takes_effect(tmp_path, monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    part = toys.trainer(tmp_path, max_steps=2)
    part.fit(make(), data())
    part.save_checkpoint(tmp_path / "a.ckpt", weights_only=False)
    monkeypatch.setenv("PL_GLOBAL_SEED", "6")
    with pytest.warns(UserWarning, match="seed_everything 5 -> 6: noise is drawn anew"):
        toys.trainer(tmp_path, max_steps=3).fit(make(), data(), ckpt_path=tmp_path / "a.ckpt")


class Latents(Prior):
    def __init__(self):
        super().__init__()
        self.drawn = []

    def sample(self, n, latent_dim, *, generator, device):
        self.drawn.append(super().sample(n, latent_dim, generator=generator, device=device))
        return self.drawn[-1]


def test_streams_differ_by_seed_rank_and_purpose():
    seeds = {randomness.derive(*parts) for parts in [(0, 0), (0, 1), (1, 0), (1, 1), (0, 0, 1)]}
    assert len(seeds) == 5
    assert randomness.derive(0, 1) == randomness.derive(0, 1)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_noise_follows_seed_everything(tmp_path, monkeypatch):
    monkeypatch.setenv("PL_GLOBAL_SEED", "5")
    trained = []
    for _ in range(2):
        torch.seed()
        gan = make()
        toys.trainer(tmp_path, max_steps=3).fit(gan, data())
        trained.append(toys.weights(gan.generator))
    assert toys.same(*trained)
