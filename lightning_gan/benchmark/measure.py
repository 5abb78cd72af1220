"""A benchmark from beginning to end: one fit, with the hand-written loops in between."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl

from lightning_gan.benchmark import machine
from lightning_gan.benchmark.benchmark_plan import BenchmarkPlan
from lightning_gan.benchmark.feeding import plain_batches, tuned_batches
from lightning_gan.benchmark.imitation import check_imitable
from lightning_gan.benchmark.plain import PlainLoop
from lightning_gan.benchmark.result import PLAIN, TUNED, Result
from lightning_gan.benchmark.rounds import Rounds
from lightning_gan.benchmark.tuned import TunedLoop
from lightning_gan.data import ImageData
from lightning_gan.errors import InputError
from lightning_gan.training.module import GANModule


def measure(trainer: pl.Trainer, gan: GANModule, data: Any, plan: BenchmarkPlan) -> Result:
    """Train a module and, in turns with it, hand-written loops over copies of its networks.

    Args:
        trainer: Trains the module; its ``max_steps`` is ``plan.batches``.
        gan: The module. It has not been trained by a Trainer yet.
        data: One of lightning_gan.data whose samples are images.
        plan: How many rounds of how many batches.

    Returns:
        What was measured; of fewer rounds where training ended early.

    Raises:
        InputError: The loops cannot imitate the module, there are several processes, the data are
            no images, or training ended before the first round.
    """
    check_imitable(gan, str(trainer.precision))
    if trainer.world_size > 1:
        raise InputError(
            f"benchmark measures one process, got {trainer.world_size}: set devices to 1"
        )
    if not isinstance(data, ImageData) or len(data.sample_shape) != 3:
        raise InputError(
            "benchmark expects images [C, H, W] of a class of lightning_gan.data, got "
            f"{type(data).__name__}: take MNIST or RandomImages"
        )
    device = trainer.strategy.root_device
    data.prepare_data()
    data.setup("fit")
    images, labels = data.images("train")
    # The plain loop resizes when it reads, as a transform of torchvision's does.
    native, size = (data.load("train")[0], labels), data.sample_shape[1:]
    precision = str(trainer.precision)
    source = (images, labels, data.batch_size, device)
    loops = {
        TUNED: TunedLoop(gan, tuned_batches(*source), device, precision),
        PLAIN: PlainLoop(gan, plain_batches(*native, *source[2:], size), device, precision),
    }
    rounds = Rounds(plan, loops, device)
    trainer.callbacks.insert(0, rounds)  # type: ignore[attr-defined]
    trainer.fit(gan, datamodule=data)
    return Result(
        costs=rounds.costs,
        steps=plan.steps,
        batch_size=data.batch_size,
        clock="cpu" if device.type == "cpu" else "wall",
        setting={
            "generator": type(gan.generator).__name__,
            "discriminator": type(gan.discriminator).__name__,
            "data": f"{type(data).__name__} {'x'.join(map(str, data.sample_shape))}",
            "precision": precision,
        },
        machine=machine.describe_machine(device),
        memory=machine.peak_memory(device),
    )
