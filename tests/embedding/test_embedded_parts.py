"""Every registered part does in an Adversary, in a loop of one's own, what it does in a Game."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from lightning_gan import (
    GAN,
    Adversary,
    DiscriminatorOutput,
    Game,
    GeneratorOutput,
    Prior,
    Regularizer,
)
from lightning_gan.augments.identity import IdentityAugment
from lightning_gan.augments.instance_noise import InstanceNoiseAugment
from lightning_gan.components import registry
from lightning_gan.layers.sliced_linear import SlicedLinear
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.priors.codes import CodesPrior
from lightning_gan.regularizers.r1 import R1Regularizer

SHAPE, LATENT, CLASSES, N, STEPS = (1, 8, 8), 5, 3, 6, 4
# What parts are built with that have arguments without a default.
OWN = {
    "constant": {"value": 2.0},
    **{k: {"start": 3.0, "end": 1.0, "kimg": 0.012} for k in ("burn_in", "cosine", "linear")},
    "piecewise": {"knots": [[0, 3.0], [0.012, 1.0]]},
    "adaptive_weight": {"layer": "draw"},
    "gradient_balance": {"shares": {"adversarial": 3.0, "near": 1.0}},
    "gradnorm": {"terms": ["adversarial", "near"]},
    "inverse_time_decay": {"decay": 0.1},
    "codes": {"discrete": [3], "continuous": 2},
    "data_to_data_cross_entropy": {"dim": 4},
    "ms_ssim": {"window": 3, "weights": [0.5, 0.5]},
    "mutual_information": {"discrete": [3], "continuous": 1},
    "ssim": {"window": 5},
    "step": {"start": 3.0, "factor": 0.5, "kimg": 0.012},
    "top_k": {"loss": NonSaturatingLoss()},
    "slicing": {"loss": NonSaturatingLoss()},
    "historical_averaging": {"players": "discriminator"},  # G's updates are the loop's own
    "sequence": {"augments": [IdentityAugment(), InstanceNoiseAugment()]},
}
# Draws latents, which an Adversary does not have; has arguments of its own; take waves: in tests of
# their own.
APART = {"diversity_sensitive", "perceptual", "log_mel", "multi_resolution_stft"}
adam = partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.999), fused=True)


def made(kind):
    return [
        pytest.param(partial(registry.load_entry(entry), **OWN.get(entry.name, {})), id=entry.name)
        for entry in registry.entries(kind)
        if entry.ours and entry.name not in APART
    ]


class Generator(nn.Module):
    """With a mapping, classes and by-products, for terms that ask for them."""

    latent_dim, sample_shape, num_classes = LATENT, SHAPE, CLASSES

    def __init__(self):
        super().__init__()
        self.map, self.classes = nn.Linear(LATENT, 6), nn.Embedding(CLASSES, 6)
        self.draw = nn.Linear(6, 64)

    def mapping(self, z, y=None):
        return self.map(z).tanh() + self.classes(y)

    def synthesis(self, w):
        return self.draw(w).tanh().unflatten(1, SHAPE)

    def forward(self, z, y=None):
        w = self.mapping(z, y)
        said = {"mean": w, "log_variance": w, "encoded": w, "quantized": 2 * w}
        return GeneratorOutput(self.synthesis(w), said)


class Discriminator(nn.Module):
    """With class logits, features and more, and as many heads as are asked for."""

    sample_shape, num_classes = SHAPE, CLASSES

    def __init__(self, heads):
        super().__init__()
        self.look, self.tell = nn.Linear(64, 6), nn.Linear(6, CLASSES)
        self.more, self.rebuild = nn.Linear(6, 4), nn.Linear(6, 64)
        self.heads = nn.ModuleList(nn.Linear(6, 1 + index) for index in range(heads))
        self.slices = nn.ModuleList(SlicedLinear(6, 1 + index) for index in range(heads))

    def forward(self, x, y=None):
        features = self.look(x.flatten(1)).tanh()
        logits = [head(features) for head in self.heads]
        logits = logits[0] if len(logits) == 1 else logits
        names = ("codes", "embedding", "twin_class_logits")
        said = dict.fromkeys(names, self.more(features))
        said["reconstructions"] = [(self.rebuild(features).reshape(x.shape), x)]
        for name in ("function", "direction"):
            sliced = [getattr(each(features), name) for each in self.slices]
            said[name] = sliced[0] if len(sliced) == 1 else sliced
        return DiscriminatorOutput(logits, self.tell(features), features, said)


class Near(Regularizer):
    """A term of the generator beside the adversarial one: how far its samples are from real."""

    def generator(self, step):
        return (step.fake - step.real).square()


class Listed(Prior):
    def __init__(self, rows):
        super().__init__()
        self.rows = list(rows)

    def sample(self, n, latent_dim, *, generator, device):
        return self.rows.pop(0)


def scene(heads=1):
    torch.manual_seed(0)
    networks = Generator(), Discriminator(heads)
    y = torch.arange(N) % CLASSES
    prior = CodesPrior([3], 1)
    z = [prior.sample(N, LATENT, generator=None, device="cpu") for _ in range(STEPS)]
    return networks, [(torch.rand(N, *SHAPE) * 2 - 1, y, each) for each in z]


def played(parts, heads):
    (generator, discriminator), data = scene(heads)
    gan = GAN(
        generator,
        discriminator,
        prior=Listed([z for _, _, z in data]),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        **parts(),
    )
    game = Game(gan)
    for index, (real, y, _) in enumerate(data):
        torch.manual_seed(index)
        game.play(real, y)
    return generator, discriminator


def embedded(parts, heads):
    (generator, discriminator), data = scene(heads)
    adversary = Adversary(
        discriminator, generator=generator, discriminator_optimizer=adam, **parts()
    )
    optimizer = adam([*generator.parameters(), *adversary.generator_parameters()])
    for index, (real, y, z) in enumerate(data):
        torch.manual_seed(index)
        fake = generator(z, y)
        readings = adversary.step(real, fake, y, z=z)
        loss = adversary.generator_loss(fake, real, y, z=z)
        assert loss.isfinite()
        assert readings.discriminator.loss.isfinite()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert adversary.skipped == 0
    return generator, discriminator


def vector(network):
    return torch.nn.utils.parameters_to_vector(network.parameters()).detach()


def check(parts, heads=1):
    ours, theirs = played(parts, heads), embedded(parts, heads)
    before, _ = scene(heads)
    for our, their, start in zip(ours, theirs, before, strict=True):
        assert torch.equal(vector(our), vector(their))
        assert not torch.equal(vector(our), vector(start))


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("make", made("loss"))
def test_losses(make, heads):
    check(lambda: {"loss": make()}, heads)


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("make", made("regularizer"))
def test_regularizers(make, heads):
    check(lambda: {"loss": NonSaturatingLoss(), "regularizers": {"it": make()}}, heads)


@pytest.mark.parametrize("make", made("augment"))
def test_augmentations(make):
    check(lambda: {"loss": NonSaturatingLoss(), "augment": make()})


@pytest.mark.parametrize("make", made("balance"))
def test_balances(make):
    check(
        lambda: {"loss": NonSaturatingLoss(), "regularizers": {"near": Near()}, "balance": make()}
    )


@pytest.mark.parametrize("make", made("schedule"))
def test_schedules(make):
    check(
        lambda: {
            "loss": NonSaturatingLoss(),
            "regularizers": {"r1": R1Regularizer(1.0)},
            "schedules": {"regularizers.r1.weight": make()},
        }
    )


@pytest.mark.parametrize("make", made("lr_scheduler"))
def test_lr_schedulers(make):
    check(lambda: {"loss": NonSaturatingLoss(), "discriminator_lr_scheduler": make})
