"""The adversarial part of the classics, as it is written from logits alone."""

from __future__ import annotations

import torch
from torch.nn.functional import softplus

from lightning_gan import AdversarialLoss, Augment, Regularizer


class Hinge(AdversarialLoss):
    """Lim & Ye 2017, equations 3 and 4."""

    def discriminator(self, real_logits, fake_logits):
        return (1 - real_logits).relu() + (1 + fake_logits).relu()

    def generator(self, fake_logits, real_logits=None):
        return -fake_logits


class RelativisticAverage(AdversarialLoss):
    """Jolicoeur-Martineau 2019, section 4.2."""

    needs_real_logits_for_generator = True
    couples_samples = True

    def discriminator(self, real_logits, fake_logits):
        real = real_logits - fake_logits.mean(0, keepdim=True)
        fake = fake_logits - real_logits.mean(0, keepdim=True)
        return softplus(-real) + softplus(fake)

    def generator(self, fake_logits, real_logits=None):
        return self.discriminator(fake_logits, real_logits)


class LeCam(Regularizer):
    """Logits stay near the running means of the others' (Tseng et al. 2021, equation 3)."""

    observes = True

    def __init__(self, weight=0.1, decay=0.9):
        super().__init__(weight)
        self.decay = decay
        self.register_buffer("real", torch.zeros(()))
        self.register_buffer("fake", torch.zeros(()))

    def discriminator(self, step):
        heads = zip(step.real_output.heads, step.fake_output.heads, strict=True)
        return step.mean([self.distance(real, fake) for real, fake in heads])

    def distance(self, real, fake):
        return (real - self.fake).relu().square() + (self.real - fake).relu().square()

    def observe(self, feedback):
        if None not in (feedback.real_logits, feedback.fake_logits):
            self.real.lerp_(feedback.real_logits, 1 - self.decay)
            self.fake.lerp_(feedback.fake_logits, 1 - self.decay)


class Consistency(Regularizer):
    """D says the same of a mirrored image (Zhang et al. 2020, equation 2)."""

    def discriminator(self, step):
        mirrored = step.discriminate(step.real.flip(-1), step.y)
        return (mirrored.logits - step.real_output.logits).square()


class AdaptiveMirror(Augment):
    """Mirrors with a probability driven by the sign of D's logits (Karras et al. 2020, eq. 1)."""

    observes = True

    def __init__(self, target=0.6, kimg=0.1):
        super().__init__()
        self.target, self.kimg = target, kimg
        self.register_buffer("p", torch.zeros(()))

    def forward(self, x):
        mirrors = torch.rand(len(x), *[1] * (x.dim() - 1), device=x.device) < self.p
        return torch.where(mirrors, x.flip(-1), x)

    def observe(self, feedback):
        if feedback.real_sign is not None:
            batch = feedback.progress.images / feedback.progress.batches
            self.p += (feedback.real_sign - self.target).sign() * batch / (1000 * self.kimg)
            self.p.clamp_(0, 1)
