"""No step reads a tensor's value into the host, which on a GPU would wait for it."""

from __future__ import annotations

import pytest
import torch
import toys
from replaying import READS
from torch.utils._python_dispatch import TorchDispatchMode

from lightning_gan import EMA
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.regularizers.wgan_gp import WGANGPRegularizer

ANOTHER_OPTIMIZER = {"discriminator_optimizer": torch.optim.RMSprop}  # not fused: asked once a step


class Reads(TorchDispatchMode):
    """Counts the operations that bring a value to the host."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function in READS
        return function(*args, **(kwargs or {}))


def reads_of_steps(folder, steps=4, log_every_n_steps=1000, **parts):
    gan = toys.gan(**parts)
    counts, step = [], gan.training_step

    def counted(*args):
        with Reads() as reads:
            step(*args)
        counts.append(reads.count)

    gan.training_step = counted
    toys.fit(folder, gan, steps=steps, log_every_n_steps=log_every_n_steps)
    return counts[1:]  # the first batch is looked at before anything is done with it


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"ema": EMA(buffers="average"), "generator_clip_norm": 1.0},
        {"regularizers": {"r1": R1Regularizer(interval=2)}, "discriminator_clip_value": 0.1},
        {"regularizers": {"wgan_gp": WGANGPRegularizer()}, "micro_batches": 2},
        {"generator_batch": 2, "share_fakes": False},
    ],
    ids=["plain", "ema and clipping", "r1", "penalty in pieces", "more fakes"],
)
def test_a_step_reads_nothing(tmp_path, parts):
    assert reads_of_steps(tmp_path, **parts) == [0, 0, 0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("graph", [False, True], ids=["eager", "graph"])
def test_a_step_on_a_gpu_waits_for_nothing(tmp_path, graph):
    """As torch sees it: it ends a step that waits with an error."""
    gan = toys.gan(graph=graph, ema=EMA())
    step, batches = gan.training_step, 0

    def watched(*args):
        nonlocal batches
        batches += 1
        torch.cuda.set_sync_debug_mode("error" if batches > 5 else "default")
        try:
            step(*args)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    gan.training_step = watched
    toys.fit(tmp_path, gan, steps=20, log_every_n_steps=1000, accelerator="gpu")
    assert batches == 20


def test_reads_are_seen(tmp_path):
    assert all(reads_of_steps(tmp_path / "rmsprop", **ANOTHER_OPTIMIZER))
    logging = reads_of_steps(tmp_path / "log", log_every_n_steps=2)
    assert logging[0] > 0
    assert logging[1] == 0
