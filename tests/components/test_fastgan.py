"""FastGAN: excitation and quarters by hand, what is rebuilt, and the regularizer's values."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch import nn
from torch.nn.functional import avg_pool2d

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.discriminators.fastgan import FastGANDiscriminator, quarters
from lightning_gan.errors import InputError
from lightning_gan.game.game import Game
from lightning_gan.game.gan import GAN
from lightning_gan.generators.fastgan import FastGANGenerator
from lightning_gan.generators.mlp import MLPGenerator
from lightning_gan.layers.skip_excitation import SkipLayerExcitation
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.self_supervised_reconstruction import (
    SelfSupervisedReconstructionRegularizer,
)
from lightning_gan.step import AdversarialStep
from lightning_gan.types import DiscriminatorOutput, Player


def test_skip_layer_excitation_by_hand():
    layer = SkipLayerExcitation(2, 3).double().eval()
    low, high = torch.randn(2, 2, 8, 8).double(), torch.randn(2, 3, 16, 16).double()
    first, second = (layer.gate[place].weight.detach().numpy() for place in (1, 3))
    pooled = low.numpy().reshape(2, 2, 4, 2, 4, 2).mean((3, 5))
    hidden = np.einsum("nihw,oihw->no", pooled, first)
    hidden = np.where(hidden > 0, hidden, 0.1 * hidden)
    gate = expit(hidden @ second[:, :, 0, 0].T)
    expected = high.numpy() * gate[:, :, None, None]
    np.testing.assert_allclose(layer(low, high).detach(), expected, atol=1e-12)


def test_spectral_norms_are_one():
    torch.manual_seed(0)
    network = FastGANDiscriminator((1, 8, 8), base_channels=2)
    for _ in range(30):
        network(torch.randn(2, 1, 8, 8))
    weight = network.blocks[0].main[0][0].weight.detach().flatten(1)
    torch.testing.assert_close(
        torch.linalg.matrix_norm(weight, 2), torch.ones(()), rtol=0.02, atol=0
    )


def test_quarters():
    x = torch.arange(2 * 1 * 4 * 4).reshape(2, 1, 4, 4)
    left_upper, right_lower = quarters(x, torch.tensor([0, 3]))
    assert torch.equal(left_upper, x[0, :, :2, :2])
    assert torch.equal(right_lower, x[1, :, 2:, 2:])
    assert torch.equal(quarters(x, torch.tensor([1, 2]))[0], x[0, :, :2, 2:])
    assert torch.equal(quarters(x, torch.tensor([1, 2]))[1], x[1, :, 2:, :2])


@pytest.mark.parametrize(
    ("size", "last", "whole", "quarter"),
    [(8, 4, 8, 4), (28, 7, 28, 14), (32, 8, 32, 16), (64, 8, 64, 32), (256, 8, 128, 128)],
)
def test_what_is_rebuilt(size, last, whole, quarter):
    network = FastGANDiscriminator((2, size, size), base_channels=1).eval()
    x = torch.rand(1, 2, size, size)
    with torch.no_grad():
        output = network(x)
    assert [head.shape for head in output.heads] == [(1, 1, last - 3, last - 3)] * 2
    (all_made, everything), (part_made, part) = output.extra["reconstructions"]
    assert all_made.shape == everything.shape == (1, 2, whole, whole)
    assert part_made.shape == part.shape == (1, 2, quarter, quarter)
    torch.testing.assert_close(everything, avg_pool2d(x, size // whole))
    upper_left = x[..., : size // 2, : size // 2]
    torch.testing.assert_close(part, avg_pool2d(upper_left, size // 2 // quarter))


def test_quarters_are_drawn_for_each_sample_while_training():
    torch.manual_seed(0)
    network = FastGANDiscriminator((1, 8, 8), base_channels=1)
    x = torch.arange(4.0).reshape(1, 1, 2, 2).repeat_interleave(4, 2).repeat_interleave(4, 3)
    _, (_, part) = network(x.expand(32, 1, 8, 8)).extra["reconstructions"]
    assert set(part.flatten().tolist()) == {0.0, 1.0, 2.0, 3.0}
    assert torch.equal(part.amin((1, 2, 3)), part.amax((1, 2, 3)))


def test_an_image_that_is_not_halved_has_one_head():
    output = FastGANDiscriminator((1, 4, 4), base_channels=1)(torch.zeros(2, 1, 4, 4))
    assert [head.shape for head in output.heads] == [(2, 1, 1, 1)]
    assert len(output.extra["reconstructions"]) == 1


@pytest.mark.parametrize(
    ("size", "excited"), [(4, []), (8, [(32, 16)]), (28, [(32, 8)]), (32, [(32, 4)]),
                          (64, [(32, 4)]), (256, [(32, 4), (16, 2), (8, 1)]),
                          (1024, [(32, 4), (16, 2), (8, 1), (4, 1)])]
)  # fmt: skip
def test_which_map_excites_which(size, excited):
    """Channels of the maps of 4, 8, ... 256 pixels: 32, 16, 8, 4, 4, 2 and 1."""
    with torch.device("meta"):
        network = FastGANGenerator((1, size, size), base_channels=2)
    found = [
        (layer.gate[1].in_channels, layer.gate[1].out_channels) for layer in network.excitations
    ]
    assert found == excited


def conv(inputs, outputs, kernel):
    return inputs * outputs * kernel**2


def gated(inputs, outputs):
    """Upsampling, a convolution to twice the channels, batch norm, a gated linear unit."""
    return conv(inputs, 2 * outputs, 3) + 2 * 2 * outputs


def gated_twice(inputs, outputs):
    """Two of them, the second without upsampling, each with the weight of its noise."""
    return gated(inputs, outputs) + gated(outputs, outputs) + 2


def excitation(inputs, outputs):
    return conv(inputs, outputs, 4) + conv(outputs, outputs, 1)


def halved(inputs, outputs):
    return conv(inputs, outputs, 4) + 2 * outputs


def residual(inputs, outputs):
    straight = halved(inputs, outputs) + conv(outputs, outputs, 3) + 2 * outputs
    return straight + conv(inputs, outputs, 1) + 2 * outputs


def decoder(inputs):
    widths = [inputs, 128, 64, 64, 32]
    return sum(gated(*pair) for pair in pairwise(widths)) + conv(32, 3, 3)


def test_the_networks_for_256_pixels_have_the_authors_parameters():
    """Layer by layer as in models.py of the authors' code (odegeasslbc/FastGAN-pytorch), 64 wide.

    Theirs have a 1x1 convolution to an image of 128 pixels more, and a third decoder, of the map
    with 512 channels: 29,127,846 and 12,115,984.
    """
    w = [1024, 512, 256, 128, 128, 64, 32]
    generator = conv(256, 2 * w[0], 4) + 4 * w[0]
    generator += sum(gated_twice(w[n], w[n + 1]) for n in (0, 2, 4))
    generator += sum(gated(w[n], w[n + 1]) for n in (1, 3, 5))
    generator += sum(excitation(w[n], w[n + 4]) for n in range(3)) + conv(w[6], 3, 3)
    w = [16, 32, 64, 128, 256, 512]
    discriminator = conv(3, 16, 3) + sum(residual(*pair) for pair in pairwise(w))
    discriminator += sum(excitation(w[n], w[n + 3]) for n in range(3))
    discriminator += conv(512, 1024, 1) + 2 * 1024 + conv(1024, 1, 4)
    discriminator += conv(3, 32, 4) + sum(halved(*pair) for pair in pairwise(w[1:5]))
    discriminator += conv(256, 1, 4) + decoder(512) + decoder(256)
    assert generator + conv(64, 3, 1) == 29_127_846
    assert discriminator + decoder(512) == 12_115_984
    with torch.device("meta"):
        ours = (
            FastGANGenerator((3, 256, 256), latent_dim=256, base_channels=64),
            FastGANDiscriminator((3, 256, 256), base_channels=64),
        )
    found = tuple(sum(p.numel() for p in network.parameters()) for network in ours)
    assert found == (generator, discriminator)


def test_the_discriminator_excites_three_halvings_later():
    network = FastGANDiscriminator((1, 256, 256), base_channels=4)
    found = [
        (layer.gate[1].in_channels, layer.gate[1].out_channels) for layer in network.excitations
    ]
    assert found == [(1, 8), (2, 16), (4, 32)]


def test_norm_none_judges_each_sample_alone():
    assert FastGANDiscriminator((1, 8, 8)).couples_samples
    network = FastGANDiscriminator((1, 8, 8), base_channels=1, norm="none")
    assert not network.couples_samples
    parts = [network.blocks, network.features, network.view]
    assert not any(isinstance(m, nn.BatchNorm2d) for part in parts for m in part.modules())


DECODERS = ("decode", "decode_quarter")


class Rebuilds(Discriminator):
    """Rebuilds half of a sample, and of its first column nothing."""

    def forward(self, x, y=None):
        pairs = [(x / 2, x), (torch.zeros_like(x[:, :1]), x[:, :1])]
        return DiscriminatorOutput(x.sum(1), extra={"reconstructions": pairs})


def test_values_of_the_regularizer():
    step = AdversarialStep(
        Player.DISCRIMINATOR,
        real=torch.tensor([[2.0, -4.0], [0.0, 1.0]]),
        fake=torch.ones(2, 2),
        generator=nn.Identity(),
        discriminator=Rebuilds(),
    )
    regularizer = SelfSupervisedReconstructionRegularizer(weight=3.0)
    torch.testing.assert_close(regularizer.discriminator(step), torch.tensor([1.5 + 2, 0.25 + 0]))
    assert regularizer.generator(step) is None


def test_the_regularizer_trains_encoder_and_decoders():
    torch.manual_seed(0)
    network = FastGANDiscriminator((1, 8, 8), base_channels=2)
    x = torch.rand(16, 1, 8, 8) * 2 - 1
    regularizer = SelfSupervisedReconstructionRegularizer()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(25):
        step = AdversarialStep(
            Player.DISCRIMINATOR, real=x, fake=x, generator=nn.Identity(), discriminator=network
        )
        loss = regularizer.discriminator(step).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert network.first[0].parametrizations.weight.original.grad.any()
    assert losses[-1] < 0.85 * losses[0]


def passes_of_decoders(batches=2, **parts):
    """Return how often each decoder runs in a game of so many batches."""
    gan = GAN(
        FastGANGenerator((1, 8, 8), latent_dim=3, base_channels=1),
        FastGANDiscriminator((1, 8, 8), base_channels=1),
        loss=NonSaturatingLoss(),
        **parts,
    )
    passes = dict.fromkeys(DECODERS, 0)
    for name in passes:

        def count(*_, name=name):
            passes[name] += 1

        getattr(gan.discriminator, name).register_forward_hook(count)
    game = Game(gan, seed=0)
    for _ in range(batches):
        game.play(torch.rand(4, 1, 8, 8) * 2 - 1)
    return passes


def test_decoders_run_on_real_samples_alone_and_where_the_term_is_due():
    every, second = (SelfSupervisedReconstructionRegularizer(interval=n) for n in (1, 2))
    assert passes_of_decoders(regularizers={"rebuild": every}) == dict.fromkeys(DECODERS, 2)
    assert passes_of_decoders(regularizers={"rebuild": second}) == dict.fromkeys(DECODERS, 1)
    assert passes_of_decoders() == dict.fromkeys(DECODERS, 0)


def test_the_regularizer_needs_reconstructions():
    regularizers = {"rebuild": SelfSupervisedReconstructionRegularizer()}
    generator = MLPGenerator((1, 8, 8), hidden=(4,))

    class Plain(Discriminator):
        sample_shape = (1, 8, 8)

        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(64, 1)

        def forward(self, x, y=None):
            return self.layer(x.flatten(1))

    text = "needs 'reconstructions', which neither MLPGenerator nor Plain provides"
    with pytest.raises(InputError, match=text):
        GAN(generator, Plain(), NonSaturatingLoss(), regularizers=regularizers)
    GAN(
        generator,
        FastGANDiscriminator((1, 8, 8), base_channels=1),
        NonSaturatingLoss(),
        regularizers=regularizers,
    )


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: FastGANGenerator((1, 8, 8), base_channels=0), "latent_dim=100, base_channels=0"),
        (lambda: FastGANGenerator((1, 8, 8), latent_dim=0), "got latent_dim=0"),
        (lambda: FastGANGenerator((1, 2048, 2048)), r"halved at most 8 times, got \(1, 2048"),
        (lambda: FastGANGenerator((1, 30, 30)), "height and width multiples of 4"),
        (lambda: FastGANDiscriminator((1, 30, 30)), "height and width multiples of 4"),
        (lambda: FastGANDiscriminator((1, 8, 8), norm="layer"), "'batch' or 'none', got 'layer'"),
        (lambda: FastGANDiscriminator((1, 8, 8), base_channels=0), "base_channels must be at"),
    ],
)  # fmt: skip
def test_wrong_arguments(build, text):
    with pytest.raises(InputError, match=text):
        build()
