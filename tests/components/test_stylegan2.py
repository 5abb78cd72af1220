"""StyleGAN2: its layers against naive formulas, the published counts, styles and truncation."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d, correlate2d

from lightning_gan.discriminators.stylegan2 import StyleGAN2Discriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.stylegan2 import StyleGAN2Generator
from lightning_gan.layers.equalized import EqualizedConv2d, EqualizedLinear, scaled_leaky_relu
from lightning_gan.layers.minibatch_stddev import MinibatchStddev
from lightning_gan.layers.modulated import ModulatedConv2d
from lightning_gan.layers.noise_input import NoiseInput

TINY = {"latent_dim": 5, "style_dim": 6, "channel_base": 64, "channel_max": 4}
CONFIG_F = {"channel_base": 32768, "channel_max": 512}


def parameters(network):
    return sum(p.numel() for p in network.parameters())


# Layers ---------------------------------------------------------------------------------------


def test_equalized_linear():
    layer = EqualizedLinear(9, 4, lr_multiplier=0.01, bias_init=2.0)
    x = torch.randn(3, 9)
    expected = x @ (layer.weight.t() * 0.01 / 3) + 2.0
    torch.testing.assert_close(layer(x), expected)
    assert 60 < layer.weight.std() < 150  # 1 / 0.01, of 36 numbers


@pytest.mark.parametrize("multiplier", [1.0, 0.01])
def test_steps_of_equalized_layers(multiplier):
    """A step of Adam moves an effective weight by rate * multiplier / sqrt(fan_in)."""
    layer = EqualizedLinear(16, 3, lr_multiplier=multiplier)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    before = layer.weight.detach() * layer.scale
    layer(torch.randn(4, 16)).sum().backward()
    optimizer.step()
    moved = (layer.weight.detach() * layer.scale - before).abs()
    torch.testing.assert_close(moved, torch.full((3, 16), 0.1 * multiplier / 4))


def test_equalized_convolution():
    layer = EqualizedConv2d(3, 5, 3, stride=2, padding=0).double()
    layer.bias.data.normal_()
    x = torch.randn(1, 3, 7, 7, dtype=torch.float64)
    for channel in range(5):
        parts = [
            correlate2d(x[0, i].numpy(), layer.weight[channel, i].detach().numpy(), "valid")
            for i in range(3)
        ]
        expected = sum(parts)[::2, ::2] / math.sqrt(27) + layer.bias[channel].item()
        np.testing.assert_allclose(layer(x)[0, channel].detach(), expected, atol=1e-12)


def test_scaled_leaky_relu():
    x = torch.tensor([-1.0, 2.0])
    torch.testing.assert_close(scaled_leaky_relu(x), math.sqrt(2) * torch.tensor([-0.2, 2.0]))


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("up", [False, True])
def test_modulated_convolution_is_one_for_each_sample(up, demodulate):
    """Scaled activations against weights that are made for each sample, in NumPy."""
    layer = ModulatedConv2d(3, 2, 3, style_dim=4, demodulate=demodulate, up=up).double()
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    w = torch.randn(2, 4, dtype=torch.float64)
    found = layer(x, w).detach()
    styles = layer.affine(w).detach().numpy()
    line = np.array([1, 3, 3, 1]) / 8
    for n in range(2):
        weight = layer.weight.detach().numpy() / math.sqrt(27) * styles[n][None, :, None, None]
        if demodulate:
            weight = weight / np.sqrt((weight**2).sum((1, 2, 3), keepdims=True) + 1e-8)
        for channel in range(2):
            if up:
                zeros = np.zeros((3, 7, 9))
                zeros[:, ::2, ::2] = x[n].numpy()
                y = sum(convolve2d(zeros[i], weight[channel, i]) for i in range(3))
                y = 4 * correlate2d(np.pad(y, 1), np.outer(line, line), "valid")
            else:
                y = sum(correlate2d(x[n, i], weight[channel, i], "same") for i in range(3))
            np.testing.assert_allclose(found[n, channel], y, atol=1e-12)


def test_demodulation_makes_up_for_the_scale_of_styles():
    layer = ModulatedConv2d(8, 8, 3, style_dim=4)
    x, w = torch.randn(2, 8, 16, 16), torch.randn(2, 4)
    before = layer(x, w)
    with torch.no_grad():
        for parameter in layer.affine.parameters():
            parameter.mul_(7)
    torch.testing.assert_close(layer(x, w), before, rtol=1e-4, atol=1e-5)
    assert 0.8 < before[..., 1:-1, 1:-1].std() < 1.2


def test_styles_begin_at_one():
    layer = ModulatedConv2d(3, 2, 1, style_dim=4)
    torch.testing.assert_close(layer.affine(torch.zeros(1, 4)), torch.ones(1, 3))


@pytest.mark.parametrize(("n", "group_size", "size"), [(6, 4, 3), (8, 4, 4), (5, 4, 1), (2, 4, 2)])
def test_minibatch_stddev_by_hand(n, group_size, size):
    x = np.random.default_rng(0).normal(size=(n, 2, 3, 3))
    y = MinibatchStddev(group_size)(torch.from_numpy(x)).numpy()
    assert y.shape == (n, 3, 3, 3)
    np.testing.assert_array_equal(y[:, :2], x)
    groups = n // size
    for sample in range(n):
        members = x[sample % groups :: groups]
        assert len(members) == size
        expected = np.sqrt(members.var(0) + 1e-8).mean()
        np.testing.assert_allclose(y[sample, 2], np.full((3, 3), expected), rtol=1e-12)


def test_noise():
    layer = NoiseInput(4, 5)
    x = torch.zeros(3, 2, 4, 5)
    assert torch.equal(layer(x), x)  # the strength begins at 0
    layer.strength.data.fill_(2.0)
    y = layer(x)
    assert torch.equal(y[:, 0], y[:, 1])
    assert not torch.equal(y[0], y[1])
    layer.eval()
    torch.testing.assert_close(layer(x), 2 * layer.fixed.expand_as(x))


# Networks -------------------------------------------------------------------------------------


def test_counts_of_config_f():
    """Totals of NVIDIA's implementation for 1024 x 1024, layer by layer as its log prints them."""
    with torch.device("meta"):
        generator = StyleGAN2Generator(
            (3, 1024, 1024), latent_dim=512, style_dim=512, mapping_layers=8, **CONFIG_F
        )
        discriminator = StyleGAN2Discriminator((3, 1024, 1024), **CONFIG_F)
    assert [parameters(layer) for layer in generator.map] == [262_656] * 8
    assert parameters(generator.first) == 2_622_465
    assert [parameters(block) for block in generator.doubling] == [
        *[2_622_465] * 4, 1_442_561, 426_369, 139_457, 51_297
    ]  # fmt: skip
    assert [parameters(block) for block in generator.following] == [
        *[2_622_465] * 4, 721_409, 213_249, 69_761, 25_665
    ]  # fmt: skip
    assert [parameters(layer) for layer in generator.to_image] == [
        *[264_195] * 5, 132_099, 66_051, 33_027, 16_515
    ]  # fmt: skip
    assert parameters(generator) == 30_370_060
    assert generator.styles == 18
    last = discriminator.blocks[0]
    assert parameters(discriminator.from_image) == 128
    assert [parameters(each) for each in (last.skip, last.first, last.second)] == [
        2_048, 9_248, 18_496
    ]  # fmt: skip
    assert parameters(discriminator.conv) == 2_364_416
    assert parameters(discriminator.linear) == 4_194_816
    assert parameters(discriminator) == 29_012_513


def test_forward_is_synthesis_of_the_mapping():
    generator = StyleGAN2Generator((2, 8, 8), num_classes=3, **TINY).eval()
    z, y = torch.randn(4, 5), torch.tensor([0, 1, 2, 0])
    w = generator.mapping(z, y)
    assert w.shape == (4, 6)
    images = generator(z, y)
    torch.testing.assert_close(images, generator.synthesis(w))
    assert generator.styles == 4
    torch.testing.assert_close(images, generator.synthesis(w[:, None].expand(4, 4, 6)))


def test_latents_lie_on_a_sphere():
    generator = StyleGAN2Generator((1, 8, 8), **TINY)
    z = torch.randn(4, 5)
    torch.testing.assert_close(generator.mapping(z), generator.mapping(3 * z))


def test_truncation_draws_towards_the_mean():
    generator = StyleGAN2Generator((1, 8, 8), **TINY).eval()
    generator.w_mean.normal_()
    z = torch.randn(4, 5)
    w, mean = generator.mapping(z), generator.w_mean
    generator.truncation = 0.25
    torch.testing.assert_close(generator(z), generator.synthesis(mean + 0.25 * (w - mean)))
    generator.truncation = 0.0
    images = generator(z)
    torch.testing.assert_close(images, images[:1].expand_as(images))


def test_the_mean_of_styles_moves_while_training_alone():
    generator = StyleGAN2Generator((1, 8, 8), w_mean_decay=0.75, **TINY)
    z = torch.randn(4, 5)
    generator.mapping(z)
    assert not generator.w_mean.any()
    generator(z)
    expected = 0.25 * generator.mapping(z).mean(0)
    torch.testing.assert_close(generator.w_mean, expected)
    generator.eval()(z)
    torch.testing.assert_close(generator.w_mean, expected)
    assert "w_mean" in generator.state_dict()


def test_mixed_styles_change_once():
    torch.manual_seed(0)
    generator = StyleGAN2Generator((1, 16, 16), style_mixing=0.5, **TINY)
    z = torch.randn(64, 5)
    w = generator.mapping(z)
    mixed = generator._mixed(w, z, None)
    own = (mixed == w[:, None]).all(2)  # (N, styles)
    distances = (mixed[:, :, None] - w).abs().amax(3)  # (N, styles, N): whose style it is
    assert own[:, 0].all()
    assert distances.amin(2).max() < 1e-5
    changes = (own[:, 1:] != own[:, :-1]).sum(1)
    assert set(changes.tolist()) == {0, 1}
    assert 16 < int(changes.sum()) < 48
    begins = own.sum(1)[changes == 1]
    assert set(begins.tolist()) == {1, 2, 3, 4, 5}


def test_labels_stay_where_styles_are_mixed():
    generator = StyleGAN2Generator((1, 8, 8), style_mixing=1.0, num_classes=2, **TINY)
    z, y = torch.randn(1, 5).expand(8, 5), torch.arange(8) % 2
    mixed = generator._mixed(generator.mapping(z, y), z, y)
    torch.testing.assert_close(mixed, generator.mapping(z, y)[:, None].expand_as(mixed))


def test_without_groups_the_discriminator_judges_each_sample_alone():
    assert StyleGAN2Discriminator((1, 8, 8)).couples_samples
    network = StyleGAN2Discriminator((1, 8, 8), channel_max=4, group_size=0)
    assert not network.couples_samples
    x = torch.randn(3, 1, 8, 8)
    torch.testing.assert_close(network(x)[1:2], network(x[1:2]))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: StyleGAN2Generator((1, 8, 8), mapping_layers=0), "mapping_layers must be at"),
        (lambda: StyleGAN2Generator((1, 8, 8), latent_dim=0), "latent_dim must be at least 1, got"),
        (lambda: StyleGAN2Generator((1, 8, 8), style_mixing=2), r"style_mixing must lie in"),
        (lambda: StyleGAN2Generator((1, 8, 8), w_mean_decay=1), r"w_mean_decay must lie in"),
        (lambda: StyleGAN2Generator((1, 30, 30)), "height and width multiples of 4"),
        (lambda: StyleGAN2Discriminator((1, 8, 8), channel_max=0), "channel_base=1024, channel"),
        (lambda: StyleGAN2Discriminator((1, 8, 8), group_size=-1), "group_size must be at least 0"),
    ],
)  # fmt: skip
def test_wrong_arguments(build, text):
    with pytest.raises(InputError, match=text):
        build()
