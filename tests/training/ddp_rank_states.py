"""Run by test_rank_states.py in two processes: trainings whole, stopped and resumed.

Their parts keep what they saw of their own rank's batches, in buffers and in extra state.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch

warnings.simplefilter("ignore")
sys.path.insert(0, str(Path(__file__).parents[1]))

import toys  # noqa: E402

from lightning_gan import EMA, Player, Regularizer  # noqa: E402
from lightning_gan.data import RandomImages  # noqa: E402
from lightning_gan.losses.non_saturating import NonSaturatingLoss  # noqa: E402

STRATEGIES = ("gan_ddp", "ddp_find_unused_parameters_true")
STEPS, STOP = 9, 5


class Pooled(NonSaturatingLoss):
    """Shows the discriminator some fakes of before (Shrivastava et al. 2017, section 2.3)."""

    def __init__(self):
        super().__init__()
        self.register_buffer("pool", torch.zeros(6, *toys.SHAPE))
        self.register_buffer("shown", torch.zeros((), dtype=torch.int64))

    def play(self, step):
        if step.player is Player.DISCRIMINATOR:
            fake, n = step.fake.clone(), len(step.fake) // 2
            chosen = torch.randperm(len(self.pool))[:n]
            old = self.pool[chosen].clone()
            self.pool[chosen] = fake[:n]
            fake[:n] = old
            self.shown += int((old > 0).sum())
            step.replace(fake=fake)
        return super().play(step)


class Distance(Regularizer):
    """Pulls fakes towards their running mean, and counts how often they lie below it."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(toys.SHAPE))
        self.below = 0

    def generator(self, step):
        self.mean = 0.8 * self.mean + 0.2 * step.fake.detach().mean(0)
        self.below += int((step.fake < self.mean).sum())
        return (step.fake - self.mean).square() * (1 + self.below % 3)

    def get_extra_state(self):
        return {"below": self.below}

    def set_extra_state(self, state):
        self.below = state["below"]


class Alike(Regularizer):
    """Keeps what is equal on all ranks: the observers' kind of state."""

    observes = True

    def __init__(self):
        super().__init__()
        self.register_buffer("sign", torch.zeros(()))

    def observe(self, feedback):
        self.sign.lerp_(feedback.real_sign, 0.5)

    def discriminator(self, step):
        return step.real_output.logits.square() * self.sign.abs()


def kept(distance, pooled=True):
    parts = {"alike": Alike(), **({"distance": Distance()} if distance else {})}
    return {"loss": Pooled() if pooled else NonSaturatingLoss(), "regularizers": parts}


def train(folder, strategy, steps, path=None, seed=0, **parts):
    """Train and return the module, and what its checkpoint holds of the ranks."""
    torch.manual_seed(7)
    gan = toys.gan(ema=EMA(half_life_kimg=0.05), **parts)
    torch.manual_seed(seed)
    run = toys.trainer(folder, max_steps=steps, devices=2, strategy=strategy)
    run.fit(gan, RandomImages(shape=[1, 4, 4], n=80, batch_size=8), ckpt_path=path)
    run.save_checkpoint(folder / f"{steps}.ckpt", weights_only=False)
    saved = torch.load(folder / f"{steps}.ckpt", weights_only=True)
    return gan, run.global_rank, [each["parts"] for each in saved["lightning_gan"]["ranks"]]


def state(gan):
    """Return tensors and extra states, flat."""
    tensors = {k: v for k, v in gan.state_dict().items() if isinstance(v, torch.Tensor)}
    return {**tensors, "below": torch.tensor(gan.regularizers["distance"].below)}


def main(folder):
    found, rank = {}, 0
    for strategy in STRATEGIES:
        here = Path(folder) / strategy
        whole, rank, parts = train(here, strategy, STEPS, **kept(distance=True))
        train(here, strategy, STOP, **kept(distance=True))
        path = here / f"{STOP}.ckpt"
        resumed, _, _ = train(here, strategy, STEPS, path, seed=1000, **kept(distance=True))
        found[strategy] = {"whole": state(whole), "resumed": state(resumed), "saved": parts}
    _, _, parts = train(here, "gan_ddp", 2, **kept(distance=False, pooled=False))
    found["alike"] = parts
    torch.save(found, Path(folder) / f"rank{rank}.pt")


if __name__ == "__main__":
    main(sys.argv[1])
