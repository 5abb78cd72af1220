"""The Trainer and both hand-written loops make the same updates on the same batches and noise."""

from __future__ import annotations

import itertools

import pytest
import torch
import toys

from lightning_gan import EMA, GANModule, GeneratorOutput, ParameterGroup, Prior
from lightning_gan.alternations.alternating import Alternating
from lightning_gan.benchmark.plain import PlainLoop
from lightning_gan.benchmark.tuned import TunedLoop
from lightning_gan.discriminators.dcgan import DCGANDiscriminator
from lightning_gan.generators.dcgan import DCGANGenerator
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.losses.wasserstein import WassersteinLoss
from lightning_gan.lr_schedulers.inverse_time_decay import InverseTimeDecay

CPU = torch.device("cpu")
STEPS = 5
SHAPE = (1, 16, 16)


class NumberedPrior(Prior):
    """Normal latents, the same at the n-th draw of every copy."""

    def __init__(self):
        super().__init__()
        self.draws = 0

    def sample(self, n, latent_dim, *, generator, device):
        source = torch.Generator(device).manual_seed(self.draws)
        self.draws += 1
        return torch.randn(n, latent_dim, generator=source, dtype=torch.float64, device=device)


def dense(**parts):
    return toys.gan(prior=NumberedPrior(), **parts).double()


def conditional(**parts):
    networks = {"generator": toys.generator(num_classes=3)}
    networks["discriminator"] = toys.discriminator(num_classes=3)
    return dense(**networks, **parts)


def convolutional(**parts):
    return GANModule(
        generator=DCGANGenerator(SHAPE, latent_dim=3, base_channels=4),
        discriminator=DCGANDiscriminator(SHAPE, base_channels=4),
        loss=NonSaturatingLoss(real_target=0.9),
        prior=NumberedPrior(),
        **parts,
    ).double()


class Slow(toys.MLPDiscriminator):
    """A discriminator with a layer that learns at a tenth of the rate."""

    def parameter_groups(self):
        return [ParameterGroup("first", [*self.layers[0].parameters()], rate=0.1)]


class WithByProducts(toys.MLPGenerator):
    def forward(self, z, y=None):
        samples = super().forward(z, y)
        return GeneratorOutput(samples, {"mean": samples.mean()})


MODULES = {
    "dense": lambda: dense(),
    "convolutional": lambda: convolutional(),
    "conditional": lambda: conditional(),
    "another loss, optimizer and schedule": lambda: dense(
        loss=WassersteinLoss(),
        generator_optimizer=torch.optim.RMSprop,
        discriminator_lr_scheduler=lambda optimizer: InverseTimeDecay(optimizer, decay=0.5),
    ),
    "two D steps": lambda: dense(alternation=Alternating(d_steps=2)),
    "new fakes for G": lambda: dense(share_fakes=False),
    "by-products, and groups of parameters": lambda: dense(
        generator=WithByProducts(toys.SHAPE, latent_dim=3, hidden=(8,)),
        discriminator=Slow(toys.SHAPE, hidden=(8,), dropout=0.0),
    ),
    "half frozen": lambda: dense(freeze=["discriminator.layers.0", "generator.layers.*.bias"]),
    "averaged generator": lambda: convolutional(ema=EMA(half_life_kimg=0.01, buffers="average")),
}


def batches(gan):
    """Return real images and labels of every step."""
    shape, classes = gan.generator.sample_shape, gan.generator.num_classes
    x = toys.images(8 * STEPS, shape).double()
    y = None if classes is None else torch.arange(len(x)) % classes
    return x, y


def endless(x, y):
    pieces = zip(x.split(8), [None] * STEPS if y is None else y.split(8), strict=True)
    return itertools.cycle(list(pieces))


def flat(gan):
    parameters = [*gan.parameters()] + [b for b in gan.buffers() if b.is_floating_point()]
    return torch.cat([value.detach().flatten() for value in parameters])


@pytest.mark.parametrize("name", MODULES)
def test_all_three_loops_make_the_same_updates(tmp_path, name):
    gan = MODULES[name]()
    before = flat(gan).clone()
    x, y = batches(gan)
    loops = [kind(gan, endless(x, y), CPU, "64-true") for kind in (PlainLoop, TunedLoop)]
    toys.fit(tmp_path, gan, STEPS, toys.loader(x, y), precision="64-true")
    for loop in loops:
        loop.run(STEPS)
    ours, *theirs = [flat(g) - before for g in (gan, *(loop.gan for loop in loops))]
    assert ours.norm() > 1e-3
    for change in theirs:
        assert (change - ours).norm() / ours.norm() <= 1e-10


def test_the_difference_would_show(tmp_path):
    gan = dense()
    before = flat(gan).clone()
    x, y = batches(gan)
    loop = TunedLoop(gan, endless(x.flip(0), y), CPU, "64-true")
    toys.fit(tmp_path, gan, STEPS, toys.loader(x, y), precision="64-true")
    loop.run(STEPS)
    ours, theirs = flat(gan) - before, flat(loop.gan) - before
    assert (theirs - ours).norm() / ours.norm() > 1e-3


def test_loops_train_copies():
    gan = toys.gan()
    weights = flat(gan).clone()
    x = toys.images(8)
    for kind in (PlainLoop, TunedLoop):
        loop = kind(gan, itertools.cycle([(x, None)]), CPU)
        loop.run(1)
        assert not torch.equal(weights, flat(loop.gan))
    assert torch.equal(weights, flat(gan))


def test_each_loop_has_its_own_optimizers_and_memory_format():
    gan = convolutional()
    x, y = batches(gan)
    plain, tuned = (kind(gan, endless(x, y), CPU) for kind in (PlainLoop, TunedLoop))
    for player, optimizer in tuned.optimizers.items():
        assert [group["fused"] for group in optimizer.param_groups] == [True]
        assert [group["fused"] for group in plain.optimizers[player].param_groups] == [None]
    kernel = tuned.gan.generator.layers[2].weight
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    assert not kernel.is_contiguous()
    tuned.run(1)
    assert all(p.requires_grad for p in tuned.gan.discriminator.parameters())


@pytest.mark.parametrize(("kind", "dtype"), [(PlainLoop, "float32"), (TunedLoop, "bfloat16")])
def test_only_the_tuned_loop_is_mixed(kind, dtype):
    gan = toys.gan()
    loop = kind(gan, itertools.cycle([(toys.images(8), None)]), CPU, "bf16-mixed")
    seen = []
    loop.gan.discriminator.head.register_forward_hook(lambda *a: seen.append(str(a[2].dtype)))
    loop.run(1)
    assert set(seen) == {f"torch.{dtype}"}
    assert {p.dtype for p in loop.gan.parameters()} == {torch.float32}
