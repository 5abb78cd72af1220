"""A GAN of each family, and how often its discriminator runs in a batch."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import tiny_networks as tiny
import torch
from by_products import (
    KL,
    VAE,
    Codes,
    Dissimilarity,
    EMAVQAutoencoder,
    MappingGenerator,
    PathLength,
    VQAutoencoder,
)
from classic_terms import AdaptiveMirror, Consistency, Hinge, LeCam, RelativisticAverage
from lists_of_heads import FeatureMatching, Scales
from owned_weights import MINE, Coded, InfoGAN, PatchNCE, Translator
from stepping_losses import (
    APA,
    BEGAN,
    R2,
    AutoencoderDiscriminator,
    BiGAN,
    ImagePool,
    MultiHinge,
    MultiTask,
    PairDiscriminator,
    Reconstruction,
    Unrolled,
)

from lightning_gan import EMA, BatchKeys, GANModule
from lightning_gan.data import RandomImages
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.r1 import R1Regularizer

K = 3
sgd = partial(torch.optim.SGD, lr=0.05)
adam = partial(torch.optim.Adam, lr=1e-2)
autoencoder = {"prepare_batch": BatchKeys(real=0, y=0)}


class Family(NamedTuple):
    """How to put one together.

    Attributes:
        passes: Passes of the discriminator in a batch.
        generator: Makes its generator.
        discriminator: Makes its discriminator.
        parts: Makes its other parts.
        classes: Number of classes of the data, or None.
    """

    passes: int
    generator: object
    discriminator: object
    parts: object
    classes: int | None = None

    def gan(self, **options):
        torch.manual_seed(0)
        parts = {"loss": NonSaturatingLoss(), "ema": EMA(half_life_kimg=0.02), **self.parts()}
        optimizers = {"generator_optimizer": adam, "discriminator_optimizer": adam}
        return GANModule(
            generator=self.generator(),
            discriminator=tiny.Counting(self.discriminator()),
            **{**optimizers, **parts, **options},
        )

    def data(self):
        return RandomImages(shape=tiny.SHAPE, n=20, num_classes=self.classes, batch_size=4)

    def batch(self, n=4, seed=0, dtype=torch.float32):
        """Random samples as the data hold them, and classes where there are any."""
        source = torch.Generator().manual_seed(seed)
        x = (torch.rand(n, *tiny.SHAPE, generator=source) * 2 - 1).to(dtype)
        return x if self.classes is None else (x, torch.arange(n) % self.classes)


plain = partial(tiny.generator)
conditional = partial(tiny.generator, num_classes=K)
one = tiny.TinyDiscriminator
each_class = partial(tiny.TinyDiscriminator, logits=K)
and_fakes = partial(tiny.TinyDiscriminator, logits=K + 1)
pairs = partial(PairDiscriminator, tiny.SHAPE, tiny.LATENT)
reconstructing = partial(AutoencoderDiscriminator, tiny.SHAPE)


def with_loss(loss, **regularizers):
    return lambda: {"loss": loss(), "regularizers": {k: r() for k, r in regularizers.items()}}


def with_terms(**regularizers):
    return with_loss(NonSaturatingLoss, **regularizers)


def coding(**regularizers):
    return lambda: {**with_terms(**regularizers)(), **autoencoder}


FAMILIES = {
    # Losses that see the step.
    "image_pool": Family(3, plain, one, with_loss(ImagePool, r2=R2)),
    "apa": Family(3, plain, one, with_loss(APA, r1=R1Regularizer)),
    "bigan": Family(4, plain, pairs, with_loss(BiGAN)),
    "began": Family(3, plain, reconstructing, with_loss(BEGAN)),
    "unrolled": Family(5, plain, one, with_loss(Unrolled)),
    "multi_task": Family(3, conditional, each_class, with_loss(MultiTask), K),
    "multi_hinge": Family(3, conditional, and_fakes, with_loss(MultiHinge), K),
    "pretraining": Family(
        0,
        plain,
        one,
        lambda: {
            "regularizers": {"l1": Reconstruction()},
            "generator_weight": 0.0,
            "discriminator_weight": 0.0,
        },
    ),
    # Generators with by-products.
    "vq": Family(3, VQAutoencoder, one, coding(l1=Reconstruction, codes=Codes)),
    "vq_ema": Family(3, EMAVQAutoencoder, one, coding(l1=Reconstruction, codes=Codes)),
    "vae": Family(4, VAE, one, coding(kl=KL, dissimilarity=Dissimilarity)),
    "path_length": Family(3, MappingGenerator, one, with_terms(path=PathLength)),
    # Discriminators that are lists.
    "scales": Family(
        4, plain, Scales, with_loss(Hinge, matching=FeatureMatching, r1=R1Regularizer)
    ),
    # Terms with weights of their own.
    "infogan": Family(3, plain, one, lambda: {**with_terms(info=InfoGAN)(), "prior": Coded()}),
    "cut": Family(3, partial(Translator, tiny.SHAPE), Scales, coding(nce=PatchNCE)),
    "mine": Family(3, plain, one, with_terms(mine=MINE)),
    # The classics.
    "hinge": Family(3, plain, one, with_loss(Hinge)),
    "relativistic": Family(4, plain, one, with_loss(RelativisticAverage)),
    "lecam": Family(3, plain, one, with_terms(lecam=LeCam)),
    "consistency": Family(4, plain, one, with_terms(consistency=Consistency)),
    "mirror": Family(3, plain, one, lambda: {"augment": AdaptiveMirror()}),
}
