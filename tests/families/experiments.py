"""Three whole experiments in Python: a tokenizer, a vocoder, a paired translation."""

from __future__ import annotations

from functools import partial

import pytorch_lightning as pl
import torch
import toys
from by_products import Codes, EMAVQAutoencoder, Slices, Vocoder
from classic_terms import Hinge, LeCam
from lists_of_heads import FeatureMatching, Periods, Resolutions, Scales, Several
from owned_weights import PatchNCE, Translator
from stepping_losses import ImagePool, Reconstruction
from torch import nn
from torch.utils.data import DataLoader
from torchmetrics.image import PeakSignalNoiseRatio

from lightning_gan import EMA, BatchKeys, GANModule, Regularizer
from lightning_gan.balances.adaptive_weight import AdaptiveWeight
from lightning_gan.data import Digits, EpochPermutation
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.schedules.burn_in import BurnIn

adam = partial(torch.optim.Adam, lr=1e-2)
average = partial(EMA, half_life_kimg=0.02)


class Batches:
    """Rows of tensors by name, in a shuffled order that knows its place."""

    def __init__(self, rows, batch_size, rank=0, world_size=1):
        self.rows, self.batch_size, self.delivered = rows, batch_size, 0
        n = len(next(iter(rows.values())))
        self.order = EpochPermutation(n, rank=rank, world_size=world_size)

    def __len__(self):
        return len(self.order) // self.batch_size

    def __iter__(self):
        for number in range(self.delivered, self.delivered + len(self)):
            epoch, batch = divmod(number, len(self))
            chosen = self.order.indices(epoch)[batch * self.batch_size :][: self.batch_size]
            self.delivered = number + 1
            yield {name: tensor[chosen] for name, tensor in self.rows.items()}

    def state_dict(self):
        return {"delivered": self.delivered}

    def load_state_dict(self, state):
        self.delivered = state["delivered"]


class Pairs(pl.LightningDataModule):
    """Random samples by name, and others to validate with."""

    def __init__(self, shapes, n=24, batch_size=4):
        super().__init__()
        self.batch_size = batch_size
        source = torch.Generator().manual_seed(3)
        train, held = (
            {name: torch.rand(n, *shape, generator=source) * 2 - 1 for name, shape in shapes}
            for _ in range(2)
        )
        self.train, self.held = train, [dict(zip(held, row)) for row in zip(*held.values())]  # noqa: B905

    def train_dataloader(self):
        return Batches(
            self.train, self.batch_size, self.trainer.global_rank, self.trainer.world_size
        )

    def val_dataloader(self):
        return DataLoader(self.held, self.batch_size)


class PSNR(pl.Callback):
    """Of the samples that ``validation_step`` returns."""

    def on_validation_epoch_start(self, trainer, pl_module):
        self.metric = PeakSignalNoiseRatio(data_range=2.0)

    def on_validation_batch_end(self, trainer, pl_module, outputs, *index):
        self.metric.update(outputs["fake"], outputs["real"])

    def on_validation_epoch_end(self, trainer, pl_module):
        pl_module.log("val/psnr", self.metric.compute())


def fit(make, folder, steps, ckpt_path=None, **options):
    """Train an experiment, validating after every fifth batch; return module and Trainer."""
    torch.manual_seed(0)
    gan, data = make()
    trainer = toys.trainer(
        folder,
        max_steps=steps,
        val_check_interval=5,
        check_val_every_n_epoch=None,
        limit_val_batches=2,
        callbacks=[PSNR()],
        **options,
    )
    trainer.fit(gan, data, ckpt_path=ckpt_path, weights_only=True if ckpt_path else None)
    return gan, trainer


# A tokenizer whose discriminator starts late -----------------------------------------------------


def tokenizer():
    gan = GANModule(
        generator=EMAVQAutoencoder(sample_shape=(1, 8, 8)),
        discriminator=Scales(scales=1),
        loss=Hinge(),
        regularizers={"l1": Reconstruction(), "codes": Codes(0.25), "lecam": LeCam()},
        balance=AdaptiveWeight("decoder", reference=["l1"], weight=0.8),
        schedules={
            "discriminator_weight": BurnIn(0.0, 1.0, kimg=0.024),
            "regularizers.lecam.weight": BurnIn(0.0, 0.1, kimg=0.024),
            "generator_weight": BurnIn(0.0, 1.0, kimg=0.048),
        },
        prepare_batch=BatchKeys(real=0, y=0),
        ema=average(),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
    )
    return gan, Digits(batch_size=8)


# A vocoder with two lists of discriminators ------------------------------------------------------


class MelDistance(Regularizer):
    """Distance of the mean loudness in short windows."""

    def generator(self, step):
        loud = [x.unfold(-1, 4, 2).abs().mean(-1) for x in (step.fake, step.real)]
        return (loud[0] - loud[1]).abs()


def vocoder():
    gan = GANModule(
        generator=Vocoder(),
        discriminator=Several([Periods((2, 3)), Resolutions((1, 2))]),
        loss=Hinge(),
        regularizers={"slices": Slices(), "features": FeatureMatching(2.0), "mel": MelDistance()},
        heads="sum",
        prepare_batch=BatchKeys(real="wave", y="mel"),
        ema=average(),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
    )
    return gan, Pairs([("wave", (1, 32)), ("mel", (4, 8))])


# A paired translation ----------------------------------------------------------------------------


class MaskedDistance(Regularizer):
    """Distance where the batch's mask is large."""

    def generator(self, step):
        return (step.fake - step.real).abs() * step.extra["mask"].relu()


class NoisyTranslator(Translator):
    """Its noise is dropout (Isola et al. 2017, section 3.2)."""

    def __init__(self, sample_shape):
        super().__init__(sample_shape)
        self.decode = nn.Sequential(nn.Dropout(0.2), self.decode)


def translation():
    gan = GANModule(
        generator=NoisyTranslator((1, 6, 6)),
        discriminator=Scales(),
        loss=ImagePool(),
        regularizers={"l1": MaskedDistance(), "r1": R1Regularizer(interval=2), "nce": PatchNCE()},
        head_weights=[1.0, 0.5],
        prepare_batch=BatchKeys(real="photo", y="sketch", extra=["mask"]),
        ema=average(),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
    )
    return gan, Pairs([(name, (1, 6, 6)) for name in ("photo", "sketch", "mask")])


EXPERIMENTS = {"tokenizer": tokenizer, "vocoder": vocoder, "translation": translation}
