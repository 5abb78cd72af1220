"""Adversarial losses that see the step: histories, pairs, control, labels and masks."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import softplus

from lightning_gan import AdversarialLoss, Discriminator, Player, Regularizer
from lightning_gan.losses.non_saturating import NonSaturatingLoss


class ImagePool(NonSaturatingLoss):
    """D sees fakes of the past, half of the time (Shrivastava et al. 2017, section 2.3)."""

    def __init__(self, size=8):
        super().__init__()
        self.size = size

    def bind(self, generator, discriminator):
        self.register_buffer("pool", torch.zeros(self.size, *generator.sample_shape))
        self.register_buffer("held", torch.zeros((), dtype=torch.int64))

    def play(self, step):
        if step.player is Player.DISCRIMINATOR:
            step.replace(fake=self.mixed(step.fake.detach().to(self.pool)))
        return super().play(step)

    def mixed(self, fake):
        room = fake[: self.size - int(self.held)]
        self.pool[self.held : self.held + len(room)] = room
        self.held += len(room)
        if len(room):
            return fake
        chosen = torch.rand(len(fake), device=fake.device) < 0.5
        place = torch.randperm(self.size, device=fake.device)[: len(fake)][chosen]
        mixed = fake.clone()
        mixed[chosen] = self.pool[place]
        self.pool[place] = fake[chosen]
        return mixed


class APA(NonSaturatingLoss):
    """Fakes among the real samples, the more the surer D is (Jiang et al. 2021, section 3.2)."""

    observes = True

    def __init__(self, target=0.6, kimg=0.1):
        super().__init__()
        self.target, self.kimg = target, kimg
        self.register_buffer("p", torch.zeros(()))

    def play(self, step):
        if step.player is Player.DISCRIMINATOR:
            pseudo = step.generate(step.latents(len(step.real)), step.y)
            chosen = torch.rand_like(pseudo[:, :1, :1, :1]) < self.p
            step.replace(real=torch.where(chosen, pseudo, step.real))
        return super().play(step)

    def observe(self, feedback):
        if feedback.real_sign is not None:
            batch = feedback.progress.images / feedback.progress.batches
            self.p += (feedback.real_sign - self.target).sign() * batch / (1000 * self.kimg)
            self.p.clamp_(0, 1)


class BiGAN(NonSaturatingLoss):
    """D judges pairs (x, E(x)) and (G(z), z) (Donahue et al. 2017, equation 3)."""

    needs_real_logits_for_generator = True
    trained_by = Player.GENERATOR

    def bind(self, generator, discriminator):
        size = math.prod(generator.sample_shape)
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(size, generator.latent_dim))

    def prepare(self, step):
        step.replace(y=self.encoder(step.real), fake_y=step.z)

    def generator(self, fake_logits, real_logits=None):
        return softplus(-fake_logits) + softplus(real_logits)


class PairDiscriminator(Discriminator):
    """Judges a sample and its latent."""

    def __init__(self, sample_shape, latent_dim):
        super().__init__()
        self.sample_shape = sample_shape
        self.layer = nn.Linear(math.prod(sample_shape) + latent_dim, 1)

    def forward(self, x, y=None):
        return self.layer(torch.cat([x.flatten(1), y], 1))


class BEGAN(AdversarialLoss):
    """Errors of an autoencoder, held in equilibrium by k (Berthelot et al. 2017, equation 5)."""

    observes = True

    def __init__(self, gamma=0.5, rate=0.001):
        super().__init__()
        self.gamma, self.rate = gamma, rate
        self.register_buffer("k", torch.zeros(()))

    def discriminator(self, real_logits, fake_logits):
        return self.k * fake_logits - real_logits

    def generator(self, fake_logits, real_logits=None):
        return -fake_logits

    def observe(self, feedback):
        if None not in (feedback.real_logits, feedback.generator_loss):
            real, fake = -feedback.real_logits, feedback.generator_loss
            self.k.add_(self.rate * (self.gamma * real - fake)).clamp_(0, 1)


class AutoencoderDiscriminator(Discriminator):
    """Its logit is minus the error of its reconstruction."""

    def __init__(self, sample_shape):
        super().__init__()
        self.sample_shape = sample_shape
        size = math.prod(sample_shape)
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(size, 4), nn.Linear(4, size))

    def forward(self, x, y=None):
        return -(self.layers(x) - x.flatten(1)).abs().mean(1)


class Unrolled(NonSaturatingLoss):
    """G plays against D as it will be some steps from now (Metz et al. 2017, equation 10)."""

    def __init__(self, steps=1, lr=0.1):
        super().__init__()
        self.steps, self.lr = steps, lr

    def play(self, step):
        if step.player is Player.DISCRIMINATOR:
            return super().play(step)
        net = step.discriminator
        weights = {k: w.detach().requires_grad_() for k, w in net.named_parameters()}
        for _ in range(self.steps):
            step.real_output = functional_call(net, weights, (step.real, step.y))
            step.fake_output = functional_call(net, weights, (step.fake, step.fake_y))
            loss = self.discriminator(step.real_output.logits, step.fake_output.logits).mean()
            slopes = torch.autograd.grad(
                loss, list(weights.values()), create_graph=True, materialize_grads=True
            )
            moved = [w - self.lr * g for w, g in zip(weights.values(), slopes, strict=True)]
            weights = dict(zip(weights, moved, strict=True))
        step.fake_output = functional_call(net, weights, (step.fake, step.fake_y))
        return self.generator(step.fake_output.logits)


class MultiTask(NonSaturatingLoss):
    """D has a logit for each class, and that of the sample's class counts (Choi et al. 2020)."""

    def play(self, step):
        step.fake_output = step.fake_output.logits.gather(1, step.fake_y[:, None])
        if step.player is Player.DISCRIMINATOR:
            step.real_output = step.real_output.logits.gather(1, step.y[:, None])
        return super().play(step)


class Masked(NonSaturatingLoss):
    """Only where the batch's mask is 1: ``step.extra["mask"]``, shaped as the logits."""

    def play(self, step):
        mask = step.extra["mask"]
        step.report("covered", mask.mean())
        return super().play(step) * mask / mask.mean()


class MultiHinge(AdversarialLoss):
    """Hinges of K classes and one for fakes (Kavalerov et al. 2021, equations 6 and 7)."""

    def discriminator(self, real_logits, fake_logits):
        return (1 - real_logits).relu() + (1 - fake_logits).relu()

    def generator(self, fake_logits, real_logits=None):
        return (1 - fake_logits).relu()

    def play(self, step):
        fake = step.fake_output.logits
        if step.player is Player.GENERATOR:
            return self.generator(margin(fake, step.fake_y))
        is_fake = torch.full_like(step.fake_y, fake.shape[1] - 1)
        return self.discriminator(margin(step.real_output.logits, step.y), margin(fake, is_fake))


def margin(logits, y):
    """By how much the logit of class y is above the largest of the others."""
    others = logits.scatter(1, y[:, None], -torch.inf)
    return logits.gather(1, y[:, None]).squeeze(1) - others.amax(1)


class R2(Regularizer):
    """Squared norm of D's gradient on fakes (Mescheder et al. 2018, equation 10)."""

    differentiates = frozenset({"fake"})

    def discriminator(self, step):
        (slope,) = torch.autograd.grad(step.fake_output.total(), step.fake, create_graph=True)
        return 0.5 * slope.square().flatten(1).sum(1)


class Reconstruction(Regularizer):
    """Distance to the real sample: what a generator is pretrained by."""

    def generator(self, step):
        return (step.fake - step.real).abs()
