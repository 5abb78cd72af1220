"""SNGAN, SAGAN, BigGAN and the U-Net discriminator: counts, shapes, layers, errors by texts."""

from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, relu

from lightning_gan.discriminators.biggan import BigGANDiscriminator
from lightning_gan.discriminators.sngan_resnet import SNGANResNetDiscriminator
from lightning_gan.discriminators.unet import UNetDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.biggan import BigGANGenerator
from lightning_gan.generators.sngan_resnet import SNGANResNetGenerator
from lightning_gan.layers.attention import SelfAttention2d
from lightning_gan.layers.residual import DownBlock, UpBlock
from lightning_gan.layers.residual_plan import doublings

GENERATORS = [SNGANResNetGenerator, BigGANGenerator]
DISCRIMINATORS = [SNGANResNetDiscriminator, BigGANDiscriminator, UNetDiscriminator]
SIZES = [(8, 8), (28, 28), (32, 32), (48, 48), (8, 12), (16, 40)]


def parameters(network):
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def counted(network, *arguments, **keywords):
    with torch.device("meta"):  # a hundred million weights cost nothing
        return parameters(network(*arguments, weight_norm="none", **keywords))


@pytest.mark.parametrize("network", [SNGANResNetDiscriminator, BigGANGenerator])
def test_spectral_norm_adds_no_parameters(network):
    found = {
        norm: parameters(network((1, 8, 8), weight_norm=norm, base_channels=2))
        for norm in ("none", "spectral")
    }
    assert found["none"] == found["spectral"]


def conv(inputs, outputs, side=3):
    return inputs * outputs * side**2 + outputs


def up(inputs, outputs, norm=2):
    """An upsampling block: two 3x3, a 1x1 convolution, two norms of ``norm`` numbers a channel."""
    convolutions = conv(inputs, outputs) + conv(outputs, outputs) + conv(inputs, outputs, 1)
    return convolutions + norm * (inputs + outputs)


def down(inputs, outputs, hidden):
    return conv(inputs, hidden) + conv(hidden, outputs) + conv(inputs, outputs, 1)


def same(channels):
    return 2 * conv(channels, channels)


def test_sngan_for_cifar_has_the_parameters_of_table_4():
    """Miyato et al. 2018, table 4; convolutions and both linear layers with biases."""
    generator = 129 * 4 * 4 * 256 + 3 * up(256, 256) + 2 * 256 + conv(256, 3)
    assert generator == 4_276_739
    assert counted(SNGANResNetGenerator, (3, 32, 32)) == generator
    discriminator = down(3, 128, 128) + down(128, 128, 128) + 2 * same(128) + 129
    assert discriminator == 1_053_825
    assert counted(SNGANResNetDiscriminator, (3, 32, 32)) == discriminator


def test_sngan_for_stl_has_the_parameters_of_table_5():
    generator = 129 * 6 * 6 * 512 + up(512, 256) + up(256, 128) + up(128, 64) + 2 * 64 + conv(64, 3)
    assert counted(SNGANResNetGenerator, (3, 48, 48)) == generator
    widths = [64, 128, 256, 512, 1024]  # the last block does not halve, and has a 1x1 convolution
    blocks = sum(down(w, v, w) for w, v in pairwise(widths))
    discriminator = down(3, 64, 64) + blocks + 1025
    assert counted(SNGANResNetDiscriminator, (3, 48, 48)) == discriminator
    # sngan_projection's for 64 pixels has the same five blocks; its fifth one halves.
    assert counted(SNGANResNetDiscriminator, (3, 64, 64)) == discriminator


def test_sngan_for_imagenet_has_the_parameters_of_table_6():
    widths = [1024, 1024, 512, 256, 128, 64]
    blocks = sum(up(w, v) for w, v in pairwise(widths))
    generator = 129 * 4 * 4 * 1024 + blocks + 2 * 64 + conv(64, 3)
    assert counted(SNGANResNetGenerator, (3, 128, 128)) == generator
    widths = [64, 128, 256, 512, 1024]
    blocks = sum(down(w, v, w) for w, v in pairwise(widths))
    discriminator = down(3, 64, 64) + blocks + same(1024) + 1025
    assert counted(SNGANResNetDiscriminator, (3, 128, 128)) == discriminator


def test_classes_of_sngan_are_a_gain_and_a_bias_for_each_channel_and_a_projection():
    plain, told = (counted(SNGANResNetGenerator, (3, 32, 32), num_classes=k) for k in (None, 10))
    # Ten of each in the place of one, in the two norms of three blocks; the last norm is a plain
    # one (b5 of gen_models/resnet_32.py in the authors' code, sngan_projection).
    assert told - plain == 9 * 2 * 6 * 256
    plain, told = (
        counted(SNGANResNetDiscriminator, (3, 32, 32), num_classes=k) for k in (None, 10)
    )
    assert told - plain == 10 * 128


@pytest.mark.parametrize("network", [SNGANResNetGenerator, SNGANResNetDiscriminator])
def test_self_attention_of_sagan(network):
    """At 32x32 of 128: 256 channels in G, 128 in D; C^2 (1/8 + 1/8 + 1/2 + 1/2) and gamma."""
    channels = 256 if network is SNGANResNetGenerator else 128
    plain, told = (counted(network, (3, 128, 128), attention=side) for side in (None, 32))
    assert told - plain == channels**2 * 5 // 4 + 1


def test_biggan_for_imagenet_has_the_parameters_of_compare_gan():
    """70,433,988 and 87,982,370: google/compare_gan, architectures/resnet_biggan_test.py."""
    arguments = {"base_channels": 96, "num_classes": 1000, "attention": 64}
    assert counted(BigGANGenerator, (3, 128, 128), **arguments) == 70_433_988
    assert counted(BigGANDiscriminator, (3, 128, 128), **arguments) == 87_982_370


def test_unet_discriminator_counts():
    """128 pixels: 1, 2, 4, 8 and 16 times 64 channels down, and 8, 4, 2, 1 and 1 up again."""
    widths = [3, 64, 128, 256, 512, 1024]
    encoder = sum(down(w, v, v) for w, v in pairwise(widths))
    pairs = [(1024, 512), (1024, 256), (512, 128), (256, 64), (128, 64)]
    decoder = sum(up(w, v, norm=0) for w, v in pairs)
    assert counted(UNetDiscriminator, (3, 128, 128)) == encoder + decoder + 1025 + 65


@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_shapes(size, num_classes):
    shape = (2, *size)
    y = torch.tensor([2])
    for kind in GENERATORS:
        generator = kind(shape, 120, 2, num_classes=num_classes)
        x = generator(torch.randn(1, 120), y)
        assert x.shape == (1, *shape)
        assert x.abs().max() <= 1
    for kind in DISCRIMINATORS:
        discriminator = kind(shape, 2, num_classes=num_classes)
        output = discriminator(x, y)
        shapes = [tuple(logits.shape) for logits in output.heads]
        pixels = [(1, 1, *size)] if kind is UNetDiscriminator else []
        assert shapes == [(1,), *pixels]
        assert discriminator.sample_shape == shape


@pytest.mark.parametrize(
    ("size", "expected"),
    [(8, (4, 4, 1)), (16, (4, 4, 2)), (28, (7, 7, 2)), (48, (6, 6, 3)), (128, (4, 4, 5))],
)
def test_doublings(size, expected):
    assert doublings((1, size, size)) == expected


def test_maps_of_the_sngan_discriminator():
    """32: 16, 8, 8, 8; 28: 14, 7, 7, 7; 48: 24, 12, 6, 3, 3 (tables 4 and 5)."""
    for size, expected in ((32, [16, 8, 8, 8]), (28, [14, 7, 7, 7]), (48, [24, 12, 6, 3, 3])):
        x, sides = torch.randn(1, 1, size, size), []
        for block in SNGANResNetDiscriminator((1, size, size), 1).blocks:
            x = block(x)
            sides.append(x.shape[2])
        assert sides == expected


def test_up_block_is_the_formula():
    torch.manual_seed(0)
    block = UpBlock(3, 2).double().eval()
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    h = relu(block.norm1(x))
    h = conv2d(interpolate(h, scale_factor=2), block.conv1.weight, block.conv1.bias, padding=1)
    h = conv2d(relu(block.norm2(h)), block.conv2.weight, block.conv2.bias, padding=1)
    shortcut = conv2d(interpolate(x, scale_factor=2), block.shortcut.weight, block.shortcut.bias)
    torch.testing.assert_close(block(x), h + shortcut)


@pytest.mark.parametrize("first", [True, False])
def test_down_block_is_the_formula(first):
    torch.manual_seed(0)
    block = DownBlock(3, 2, 5, True, first).double()
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    h = conv2d(x if first else relu(x), block.conv1.weight, block.conv1.bias, padding=1)
    h = conv2d(relu(h), block.conv2.weight, block.conv2.bias, padding=1)
    shortcut = conv2d(x, block.shortcut.weight, block.shortcut.bias)
    torch.testing.assert_close(block(x), avg_pool2d(h + shortcut, 2))
    assert isinstance(DownBlock(3, 3, 3, False).shortcut, nn.Identity)


def test_self_attention_begins_as_the_identity_and_is_the_formula():
    torch.manual_seed(0)
    layer = SelfAttention2d(8).double()
    x = torch.randn(2, 8, 4, 4, dtype=torch.float64)
    assert torch.equal(layer(x), x)
    layer.gamma.data.fill_(0.5)
    y = layer(x)
    f, g, h = (m.weight.flatten(1) @ x[1].flatten(1) for m in (layer.query, layer.key, layer.value))
    pooled = [nn.functional.max_pool2d(t.reshape(-1, 4, 4), 2).flatten(1) for t in (g, h)]
    for j in range(16):  # place by place
        beta = torch.softmax(torch.stack([f[:, j] @ pooled[0][:, i] for i in range(4)]), 0)
        o = layer.output.weight.flatten(1) @ (pooled[1] @ beta)
        torch.testing.assert_close(y[1].flatten(1)[:, j], 0.5 * o + x[1].flatten(1)[:, j])


def test_biggan_gives_each_block_its_own_chunk():
    """A chunk of the latent changes its own block's norms: the map before it stays."""
    torch.manual_seed(0)
    generator = BigGANGenerator((1, 16, 16), 6, 2, num_classes=2, class_dim=3).eval()
    assert generator.chunks == 3
    maps = []
    for block in generator.blocks:
        block.register_forward_hook(lambda _, __, x: maps.append(x.detach()))
    z = torch.randn(1, 6)
    other = z.clone()
    other[:, 4:] += 1
    y = torch.zeros(1, dtype=torch.int64)
    one, two = generator(z, y), generator(other, y)
    assert torch.equal(maps[0], maps[2])
    assert not torch.equal(maps[1], maps[3])
    assert not torch.equal(one, two)
    assert generator.project.in_features == 2
    plain = BigGANGenerator((1, 16, 16), 5, 2, hierarchical=False)
    assert not any("gain" in name for name, _ in plain.named_parameters())
    assert plain(torch.randn(2, 5)).shape == (2, 1, 16, 16)


def test_biggan_weights_begin_orthogonal():
    torch.manual_seed(0)
    weight = BigGANDiscriminator((1, 8, 8), 2, weight_norm="none").blocks[0].conv2.weight.flatten(1)
    torch.testing.assert_close(weight @ weight.T, torch.eye(len(weight)), atol=1e-5, rtol=0)


def test_sngan_weights_begin_as_glorot():
    torch.manual_seed(0)
    network = SNGANResNetGenerator((1, 8, 8), 16, 32)
    block = network.blocks[0]
    for weight, gain in ((block.conv1.weight, 2), (block.shortcut.weight, 1)):
        fans = sum(weight.shape[:2]) * weight[0, 0].numel()
        assert abs(weight.var() / (gain * 2 / fans) - 1) < 0.15


def test_unet_projects_classes_at_both_heads():
    torch.manual_seed(0)
    network = UNetDiscriminator((1, 8, 8), 2, num_classes=3, weight_norm="none").double()
    x, y = torch.randn(2, 1, 8, 8, dtype=torch.float64), torch.tensor([0, 2])
    image, pixels = network(x, y).heads
    tables = network.verdict.classes.weight, network.pixel_classes.weight
    vectors = [table.detach().clone() for table in tables]
    for table in tables:
        table.data.zero_()
    without = network(x, y)
    features = relu(without.features[0][-1]).sum((2, 3))
    torch.testing.assert_close(image - without.heads[0], (features * vectors[0][y]).sum(1))
    assert not torch.allclose(pixels, without.heads[1])


ALL = [*GENERATORS, *DISCRIMINATORS]


@pytest.mark.parametrize("network", ALL, ids=lambda n: n.__name__)
@pytest.mark.parametrize("shape", [(1, 30, 30), (8, 8), (0, 8, 8)])
def test_shapes_that_do_not_fit(network, shape):
    with pytest.raises(InputError, match="height and width multiples of 4, got"):
        network(shape, base_channels=2)


@pytest.mark.parametrize("network", ALL, ids=lambda n: n.__name__)
def test_wrong_arguments(network):
    with pytest.raises(InputError, match=r"height and width of 8 or more, got \(1, 4, 4\)"):
        network((1, 4, 4), base_channels=2)
    with pytest.raises(InputError, match="base_channels must be at least 1, got 0"):
        network((1, 8, 8), base_channels=0)
    with pytest.raises(InputError, match="num_classes must be at least 1, got 0"):
        network((1, 8, 8), base_channels=2, num_classes=0)
    with pytest.raises(
        InputError, match="one of num_classes, .* got num_classes=2, condition_dim=3"
    ):
        network((1, 8, 8), base_channels=2, num_classes=2, condition_dim=3)
    with pytest.raises(InputError, match="weight_norm must be .*, got 'batch'"):
        network((1, 8, 8), base_channels=2, weight_norm="batch")
    if network is not UNetDiscriminator:
        listing = "8" if network in GENERATORS else "4"
        with pytest.raises(InputError, match=f"feature map, one of {listing}, or None, got 5"):
            network((1, 8, 8), base_channels=2, attention=5)


@pytest.mark.parametrize("network", GENERATORS)
def test_wrong_arguments_of_generators(network):
    with pytest.raises(InputError, match="latent_dim must be at least 1, got 0"):
        network((1, 8, 8), latent_dim=0, base_channels=2)
    with pytest.raises(InputError, match="class_dim must be at least 1, got 0"):
        network((1, 8, 8), base_channels=2, class_dim=0)


def test_a_latent_that_cannot_be_cut():
    text = "latent_dim must be a multiple of 3, the number of chunks for 28x28 pixels, got 64"
    with pytest.raises(InputError, match=text):
        BigGANGenerator((1, 28, 28), latent_dim=64, base_channels=2)
