"""R3GAN: counts by hand, first weights as in Fixup, and arguments."""

import math

import pytest
import torch
from torch import nn

from lightning_gan.discriminators.r3gan import R3GANDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.r3gan import R3GANGenerator
from lightning_gan.layers.grouped_residual import GroupedResidualBlock

GAIN = math.sqrt(2 / 1.04)


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def block(width, cardinality):
    """Weights and biases of a block with twice the channels inside."""
    inside = 2 * width
    return 2 * width * inside + 9 * inside * inside // cardinality + 2 * inside


@pytest.mark.parametrize("num_classes", [None, 10])
def test_counts_of_the_cifar_networks(num_classes):
    """The authors' configuration for CIFAR-10, whose layers are counted by hand."""
    arguments = {"widths": [768] * 4, "blocks": 2, "cardinality": 96, "num_classes": num_classes}
    with torch.device("meta"):
        generator = R3GANGenerator((3, 32, 32), **arguments)
        discriminator = R3GANDiscriminator((3, 32, 32), **arguments)
    assert block(768, 96) == 2_583_552
    common = 8 * block(768, 96) + 3 * 768 + 16 * 768
    classes = num_classes is not None
    assert parameters(generator) == common + (64 + 64 * classes) * 768 + 64 * 10 * classes
    head = 768 * 768 + 10 * 768 if classes else 768
    assert parameters(discriminator) == common + head
    if not classes:
        assert (parameters(generator), parameters(discriminator)) == (20_732_160, 20_683_776)


def test_counts_of_the_networks_for_256_pixels():
    """The authors' configuration for FFHQ at 256 pixels: widths change between stages.

    Table 2 of the paper (arXiv 2501.05441), configuration E, has 23.058M and 23.010M.
    """
    widths = [768, 768, 768, 768, 384, 192, 96]
    groups = [96, 96, 96, 96, 48, 24, 12]
    with torch.device("meta"):
        generator = R3GANGenerator((3, 256, 256), widths=widths, blocks=2, cardinality=groups)
        discriminator = R3GANDiscriminator(
            (3, 256, 256), widths=widths, blocks=2, cardinality=groups
        )
    common = 2 * sum(block(w, g) for w, g in zip(widths, groups, strict=True))
    common += 768 * 384 + 384 * 192 + 192 * 96 + 3 * 96 + 16 * 768
    assert parameters(generator) == common + 64 * 768 == 23_057_952
    assert parameters(discriminator) == common + 768 == 23_009_568


def test_blocks_begin_as_the_identity():
    layer = GroupedResidualBlock(8, cardinality=4, expansion=2, depth=3)
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(layer(x), x)
    assert [m.groups for m in layer.layers if isinstance(m, nn.Conv2d)] == [1, 4, 1]
    nn.init.ones_(layer.layers[4].weight)
    assert not torch.allclose(layer(x), x)


def test_first_weights_are_those_of_fixup():
    torch.manual_seed(0)
    generator = R3GANGenerator((3, 16, 16), widths=[64, 64, 32], blocks=[1, 2, 1], cardinality=4)
    blocks = [m for m in generator.modules() if isinstance(m, GroupedResidualBlock)]
    assert len(blocks) == 4
    for each in blocks:
        convolutions = [m for m in each.layers if isinstance(m, nn.Conv2d)]
        for conv in convolutions[:2]:
            expected = GAIN * 4**-0.25 / math.sqrt(conv.weight[0].numel())
            assert abs(conv.weight.std().item() / expected - 1) < 0.1
            assert not conv.bias.any()
        assert not convolutions[2].weight.any()
        assert convolutions[2].bias is None
    assert abs(generator.project.weight.std().item() * 8 - 1) < 0.1  # of 64 inputs
    assert abs(generator.basis.std().item() - 1) < 0.1


def test_signals_keep_their_size():
    """At first D is a chain of linear maps of unit gain, but for what the low-pass filter takes."""
    torch.manual_seed(0)
    images = R3GANGenerator((3, 32, 32))(torch.randn(64, 64))
    assert 0.3 < images.std() < 1.5
    logits = R3GANDiscriminator((3, 32, 32))(torch.randn(64, 3, 32, 32))
    assert 0.02 < logits.std() < 3


def test_the_latent_scales_the_channels_of_the_smallest_map():
    generator = R3GANGenerator((1, 4, 4), latent_dim=3, widths=[5], cardinality=2)
    z = torch.randn(2, 3)
    smallest = torch.einsum("chw,nc->nchw", generator.basis, z @ generator.project.weight.t())
    torch.testing.assert_close(generator(z), generator.layers[-1](smallest))


def test_projection():
    """The logit is the inner product of the last layer and the vector of the class."""
    network = R3GANDiscriminator((1, 8, 8), widths=8, num_classes=3, class_dim=4)
    x, y = torch.randn(4, 1, 8, 8), torch.tensor([0, 1, 2, 1])
    said = network.head(network.layers(x).flatten(1))
    assert said.shape == (4, 4)
    torch.testing.assert_close(network(x, y), (said * network.classes.weight[y]).sum(1))


@pytest.mark.parametrize("network", [R3GANGenerator, R3GANDiscriminator])
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"widths": [8, 8, 8, 8]}, r"multiples of 8 for 4 stages, got \(1, 28, 28\)"),
        ({"widths": [8, 8], "blocks": [1, 1, 1]}, "blocks must be a number or 2, one for each"),
        (
            {"cardinality": 7},
            "cardinality must divide expansion .* cardinality=7, expansion=2, width",
        ),
        ({"widths": 0}, "widths must be at least 1 in every stage"),
        ({"widths": []}, "a network must have at least one stage, got a list of none"),
        ({"expansion": 0}, "expansion=0"),
        ({"num_classes": 0}, "num_classes must be at least 1, got 0"),
        ({"class_dim": 0}, "class_dim=0"),
    ],
    ids=str,
)
def test_wrong_arguments(network, arguments, text):
    with pytest.raises(InputError, match=text):
        network((1, 28, 28), **arguments)
