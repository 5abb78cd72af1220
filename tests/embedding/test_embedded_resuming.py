"""A loop of one's own goes on, bit for bit, from what it saved."""

from __future__ import annotations

import warnings
from functools import partial

import by_hand
import pytest
import torch
from torch import nn

from lightning_gan import (
    EMA,
    GAN,
    AdversarialLoss,
    Adversary,
    Augment,
    Game,
    InputError,
    Regularizer,
)
from lightning_gan.alternations.loss_threshold import LossThreshold
from lightning_gan.balances.gradient_balance import GradientBalance
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.schedules.linear import Linear

HALF = 4
DATA = by_hand.batches(2 * HALF)


class Steered(AdversarialLoss):
    """A loss with a buffer and a count that follow what observers are told."""

    observes = True

    def __init__(self):
        super().__init__()
        self.register_buffer("level", torch.zeros(()))
        self.batches = 0

    def discriminator(self, real_logits, fake_logits):
        return (real_logits - fake_logits - 1 - self.level).square()

    def generator(self, fake_logits, real_logits=None):
        return -fake_logits

    def observe(self, feedback):
        self.batches += 1
        if feedback.generator_loss is not None:
            self.level += 0.1 * feedback.generator_loss

    def get_extra_state(self):
        return {"batches": self.batches}

    def set_extra_state(self, state):
        self.batches = state["batches"]


class Noise(Augment):
    def forward(self, x):
        return x + 0.1 * torch.randn_like(x)


class Normed(by_hand.Discriminator):
    def __init__(self):
        super().__init__()
        self.trunk.insert(2, nn.BatchNorm1d(10))


def parts():
    return {
        "loss": Steered(),
        "regularizers": {"r1": R1Regularizer(1.0, interval=3)},
        "augment": Noise(),
        "balance": GradientBalance({"adversarial": 1.0}),
        "schedules": {"regularizers.r1.weight": Linear(2.0, 1.0, kimg=0.03)},
        "discriminator_lr_scheduler": partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=9),
        "discriminator_clip_norm": 0.5,
    }


def networks(seed):
    torch.manual_seed(seed)
    return by_hand.Generator().double(), Normed().double()


def saved(state, folder):
    torch.save({**state, "random": torch.get_rng_state()}, folder / "state.pt")
    return torch.load(folder / "state.pt", weights_only=True)


def flat(tree):
    """All numbers of a state, by their places."""
    if isinstance(tree, torch.Tensor):
        return {"": tree.clone()}
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    found = {}
    for key, value in items:
        if isinstance(value, (dict, list, tuple, torch.Tensor)):
            found.update({f"{key}.{rest}": each for rest, each in flat(value).items()})
        else:
            found[str(key)] = value
    return found


def equal(ours, theirs):
    ours, theirs = flat(ours), flat(theirs)
    assert ours.keys() == theirs.keys()
    different = [
        key
        for key, value in ours.items()
        if not (torch.equal(value, theirs[key]) if torch.is_tensor(value) else value == theirs[key])
    ]
    return not different


# An Adversary -------------------------------------------------------------------------------------


class Loop:
    """A loop with a generator and an optimizer of its own."""

    def __init__(self, seed, first):
        self.generator, discriminator = networks(seed)
        self.adversary = Adversary(discriminator, **parts(), generator=self.generator)
        self.optimizer = by_hand.adam(self.generator, 1e-3)
        self.first = first

    def run(self, data):
        for real, z in data:
            fake = self.generator(z)
            if self.first is not None:
                self.adversary.step(real, fake)
            self.optimizer.zero_grad()
            self.adversary.generator_loss(fake, real).backward()
            self.optimizer.step()
            if self.first is None:
                self.adversary.step(real, fake)

    def state_dict(self):
        own = {"generator": self.generator.state_dict(), "optimizer": self.optimizer.state_dict()}
        return {**own, "adversary": self.adversary.state_dict()}

    def load_state_dict(self, state):
        self.generator.load_state_dict(state["generator"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.adversary.load_state_dict(state["adversary"])
        torch.set_rng_state(state["random"])


@pytest.mark.parametrize("first", ["discriminator", None])
def test_an_adversary_resumes(tmp_path, first):
    whole = Loop(0, first)
    whole.run(DATA[:HALF])
    state = saved(whole.state_dict(), tmp_path)
    whole.run(DATA[HALF:])

    resumed = Loop(1, first)
    resumed.load_state_dict(state)
    resumed.run(DATA[HALF:])
    assert equal(whole.state_dict(), resumed.state_dict())
    assert whole.adversary.loss.batches == 2 * HALF
    assert whole.adversary.loss.level != 0
    assert resumed.adversary.progress.images == 6 * 2 * HALF

    forgetful = Loop(1, first)
    state["adversary"]["_extra_state"]["side"]["optimizer"]["state"] = {}
    forgetful.load_state_dict(state)
    forgetful.run(DATA[HALF:])
    assert not equal(whole.state_dict(), forgetful.state_dict())


def test_an_update_that_was_begun_is_forgotten(tmp_path):
    loop = Loop(0, "discriminator")
    loop.run(DATA[:HALF])
    state = saved(loop.state_dict(), tmp_path)
    real, fake = DATA[HALF][0], loop.generator(DATA[HALF][1])
    loop.adversary.step(10 * real, fake, accumulate=True)
    loop.adversary.generator_loss(fake, 10 * real, accumulate=True)
    loop.load_state_dict(state)
    loop.run(DATA[HALF:])

    other = Loop(1, "discriminator")
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    other.run(DATA[HALF:])
    assert equal(loop.state_dict(), other.state_dict())


# A Game -------------------------------------------------------------------------------------------


def game(seed):
    gan = GAN(
        *networks(seed),
        **parts(),
        ema=EMA(),
        alternation=LossThreshold(max_d_steps=2, max_g_steps=2),
        generator_lr_scheduler=partial(torch.optim.lr_scheduler.StepLR, step_size=3),
    )
    return Game(gan, seed=seed)


def test_a_game_resumes_with_its_latents(tmp_path):
    whole = game(0)
    for real, _ in DATA[:HALF]:
        whole.play(real)
    state = saved(whole.state_dict(), tmp_path)
    for real, _ in DATA[HALF:]:
        whole.play(real)
    for started in (False, True):  # with and without batches before
        resumed = game(1)
        if started:
            resumed.play(DATA[0][0])
        resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
        torch.set_rng_state(state["random"])
        for real, _ in DATA[HALF:]:
            resumed.play(real)
        assert equal(whole.state_dict(), resumed.state_dict())
    assert resumed.gan.progress.images == 6 * 2 * HALF


def test_states_before_the_first_batch():
    new, other = game(0), game(1)
    other.load_state_dict(new.state_dict())
    assert equal(new.gan.state_dict(), other.gan.state_dict())
    other.play(DATA[0][0])


def test_a_state_of_another_rank_draws_other_latents():
    first = game(0)
    first.play(DATA[0][0])
    state = first.state_dict()
    own = first.draw_latents(2)
    for loading in (game(0), first):
        with pytest.warns(UserWarning, match="rank 0 loads was saved by rank 1: latents are drawn"):
            loading.load_state_dict({**state, "rank": 1})
        loading.play(DATA[1][0])
        assert not torch.equal(loading.draw_latents(2), own)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first.load_state_dict(state)
    assert torch.equal(first.draw_latents(2), own)


def test_a_generator_of_another_kind_of_device_is_seeded_anew():
    """A GPU's source of randomness has a state of another size."""
    first, other = game(0), game(0)
    first.play(DATA[0][0])
    other.load_state_dict({**first.state_dict(), "noise": torch.zeros(16, dtype=torch.uint8)})
    other.play(DATA[1][0])
    assert other.gan.progress.batches == 2


def test_losses_of_ours_can_be_saved_without_trust(tmp_path):
    trained = Adversary(by_hand.networks()[1], NonSaturatingLoss())
    real, z = DATA[0]
    trained.step(real, by_hand.networks()[0](z))
    trained.generator_loss(by_hand.networks()[0](z), real)
    torch.save(trained.state_dict(), tmp_path / "adversary.pt")
    other = Adversary(by_hand.networks(seed=3)[1], NonSaturatingLoss())
    other.load_state_dict(torch.load(tmp_path / "adversary.pt", weights_only=True))
    assert equal(trained.state_dict(), other.state_dict())


class Perceptual(Regularizer):
    """Frozen features that come from a file."""

    weights_from = "features.pt"

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.features = nn.Linear(2, 2).double().requires_grad_(False)

    def generator(self, step):
        return self.features(step.fake.flatten(1)[:, :2]).square()


def test_weights_that_come_from_a_file_are_left_out_and_compared():
    def adversary(seed=0):
        return Adversary(by_hand.networks()[1], NonSaturatingLoss(), {"p": Perceptual(seed)})

    state = adversary().state_dict()
    assert not [key for key in state if "features" in key]
    assert equal(adversary().state_dict(), state)
    adversary().load_state_dict(state)
    with pytest.raises(InputError, match="regularizer/p .Perceptual. was saved with weights from"):
        adversary(seed=1).load_state_dict(state)


def test_two_games_share_nothing_that_one_saved_and_the_other_loaded():
    first, second = [
        Game(GAN(*by_hand.networks(1, seed), loss=NonSaturatingLoss())) for seed in (0, 1)
    ]
    first.play(DATA[0][0])
    second.load_state_dict(first.state_dict())
    for one, other in zip(first.sides, second.sides, strict=True):
        state = one.optimizer.state_dict()["state"]
        before = {key: {k: v.clone() for k, v in entry.items()} for key, entry in state.items()}
        assert before
        for entry in other.optimizer.state_dict()["state"].values():
            for value in entry.values():
                value.add_(1)
        for key, entry in one.optimizer.state_dict()["state"].items():
            assert all(torch.equal(entry[k], v) for k, v in before[key].items())
