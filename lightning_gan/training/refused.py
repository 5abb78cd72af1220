"""What a Trainer offers to modules of one optimizer, each refused with what a GAN has instead."""

from __future__ import annotations

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.compile import to_uncompiled
from torch.nn import SyncBatchNorm

from lightning_gan.errors import InputError

AVERAGE = (
    "averages all weights of one network as they are; to average those of the generator, leave it "
    "out and set ema=EMA(half_life_kimg=10)"
)
# Callbacks of Lightning's, by the names of their classes: some are younger than the rest of it.
CALLBACKS = {
    "StochasticWeightAveraging": AVERAGE,
    "WeightAveraging": AVERAGE,
    "GradientAccumulationScheduler": (
        "accumulates gradients over batches, and each player steps on every batch it plays; leave "
        "it out, choose a larger batch_size, and set micro_batches, which computes a batch in "
        "pieces"
    ),
    "BatchSizeFinder": (
        "trains an optimizer on batches of growing size, and here there are two; leave it out, set "
        "the batch_size that you want, and where memory is short set micro_batches, which computes "
        "a batch in pieces"
    ),
    "LearningRateFinder": (
        "reads one learning rate from how a loss falls, and here there are two rates and losses "
        "that oppose each other; leave it out, and compare short runs with other rates of "
        "generator_optimizer and discriminator_optimizer"
    ),
    "BackboneFinetuning": (
        "thaws a part called backbone; leave it out, and set freeze, which names the parameters "
        "that are not trained"
    ),
    "SpikeDetection": (
        "looks at the one loss that a training step returns; leave it out, and add HealthMonitor "
        "of lightning_gan.callbacks"
    ),
}


def check_offers(trainer: Trainer, module: LightningModule) -> None:
    """Refuse what cannot be had for two players, before anything is set up.

    Raises:
        InputError: An option, a callback or a compiled module is one of those.
    """
    if trainer.state.fn != TrainerFn.FITTING:
        return
    pieces = trainer.accumulate_grad_batches
    if pieces != 1:
        raise InputError(
            f"Trainer(accumulate_grad_batches={pieces}) accumulates the gradients of one "
            "optimizer, and here there are two; leave it out, choose a batch_size "
            f"{pieces} times as large, and set micro_batches={pieces}, which computes a batch in "
            "pieces"
        )
    bound, algorithm = trainer.gradient_clip_val, trainer.gradient_clip_algorithm
    if bound is not None and bound > 0:
        how = "value" if algorithm == "value" else "norm"
        raise InputError(
            f"Trainer(gradient_clip_val={bound:g}) clips the gradients of one optimizer, and here "
            f"there are two; leave it out, and set generator_clip_{how}={bound:g} and "
            f"discriminator_clip_{how}={bound:g}"
        )
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        for cls in type(callback).__mro__:
            if cls.__name__ in CALLBACKS and cls.__module__.startswith("pytorch_lightning."):
                raise InputError(f"{type(callback).__name__} {CALLBACKS[cls.__name__]}")
    if _was_compiled(module):
        raise InputError(
            "torch.compile(module) compiles the whole game, whose numbers change with every batch; "
            "give the Trainer the module itself, and set generator_compile=True and "
            "discriminator_compile=True, which compile the networks"
        )


def check_synchronised(module: LightningModule, world_size: int) -> None:
    """Refuse batch norm over several processes of a CPU, as ``sync_batchnorm`` asks for.

    Raises:
        InputError: torch has none.
    """
    layers = (layer for layer in module.modules() if isinstance(layer, SyncBatchNorm))
    if world_size > 1 and module.device.type == "cpu" and next(layers, None) is not None:
        raise InputError(
            "Trainer(sync_batchnorm=True) takes batch norm over all processes, which torch can on "
            "GPUs alone; leave it out, or train on GPUs"
        )


def _was_compiled(module: LightningModule) -> bool:
    """Whether the Trainer was given ``torch.compile(module)``; its steps are as before, then."""
    try:
        to_uncompiled(module)
    except ValueError:  # it was not
        return False
    return True
