"""MLP and DCGAN: sizes counted by hand, shapes, labels, and errors by their texts."""

import pytest
import torch
from torch import nn

from lightning_gan.discriminators.dcgan import DCGANDiscriminator
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.generators.dcgan import DCGANGenerator
from lightning_gan.generators.mlp import MLPGenerator
from lightning_gan.layers.pyramid import pyramid

MNIST = (1, 28, 28)
SIZES = [(4, 4), (8, 8), (12, 12), (20, 20), (28, 28), (32, 32), (64, 64), (8, 12)]


def parameters(network):
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def test_mlp_counts():
    generator = MLPGenerator(MNIST)
    assert parameters(generator) == 1_477_136
    assert parameters(generator) == 65 * 256 + 257 * 512 + 513 * 1024 + 1025 * 784
    discriminator = MLPDiscriminator(MNIST)
    assert parameters(discriminator) == 1_460_225
    assert parameters(discriminator) == 785 * 1024 + 1025 * 512 + 513 * 256 + 257


def test_mlp_layers():
    generator, discriminator = MLPGenerator(MNIST), MLPDiscriminator(MNIST)
    names = [type(layer).__name__ for layer in generator.layers]
    assert names == ["Linear", "LeakyReLU"] * 3 + ["Linear", "Tanh"]
    names = [type(layer).__name__ for layer in discriminator.layers]
    assert names == ["Linear", "LeakyReLU", "Dropout"] * 3
    slopes = {m.negative_slope for m in generator.modules() if isinstance(m, nn.LeakyReLU)}
    assert slopes == {0.2}
    assert {m.p for m in discriminator.modules() if isinstance(m, nn.Dropout)} == {0.2}
    assert not any(
        isinstance(m, nn.Dropout) for m in MLPDiscriminator(MNIST, dropout=0.0).modules()
    )


def test_dcgan_counts():
    """The classical 32x32 pair: 4, 8, 16 and 32 pixels, 256, 128 and 64 channels."""
    generator = DCGANGenerator((1, 32, 32))
    convolutions = 16 * (100 * 256 + 256 * 128 + 128 * 64 + 64 * 1)
    norms = 2 * (256 + 128 + 64)
    assert parameters(generator) == convolutions + norms + 1
    discriminator = DCGANDiscriminator((1, 32, 32))
    convolutions = 16 * (1 * 64 + 64 * 128 + 128 * 256 + 256 * 1)
    norms = 2 * (128 + 256)
    assert parameters(discriminator) == convolutions + norms + 64 + 1
    without = DCGANDiscriminator((1, 32, 32), norm="none")
    assert parameters(without) == convolutions + 64 + 128 + 256 + 1


def test_dcgan_conditional_counts():
    plain, conditional = (DCGANGenerator(MNIST, base_channels=8, num_classes=k) for k in (None, 10))
    assert parameters(conditional) - parameters(plain) == 10 * 32 + 32 * 16 * 7 * 7
    plain, conditional = (
        DCGANDiscriminator(MNIST, base_channels=8, num_classes=k) for k in (None, 10)
    )
    assert parameters(conditional) - parameters(plain) == 10 * 16 * 7 * 7


@pytest.mark.parametrize(
    ("size", "smallest", "doublings"),
    [(4, 4, 0), (8, 4, 1), (12, 6, 1), (20, 5, 2), (28, 7, 2), (32, 4, 3), (64, 4, 4)],
)
def test_pyramid(size, smallest, doublings):
    sizes = pyramid((3, size, size), 10)
    assert (sizes.height, sizes.width) == (smallest, smallest)
    widths = (80, 40, 20, 10)
    assert sizes.channels == widths[4 - max(doublings, 1) :]
    assert sizes.halved == (doublings > 0)


def test_pyramid_of_other_forms():
    assert (pyramid((1, 8, 12), 1).height, pyramid((1, 8, 12), 1).width) == (4, 6)
    assert (pyramid((1, 28, 32), 1).height, pyramid((1, 28, 32), 1).width) == (7, 8)
    assert pyramid((1, 256, 256), 1).channels == (8, 8, 8, 4, 2, 1)  # at most eight times the base


@pytest.mark.parametrize("num_classes", [None, 3])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("network", ["mlp", "dcgan"])
def test_shapes(network, size, channels, num_classes):
    shape, y = (channels, *size), torch.tensor([0, 2, 1])
    if network == "mlp":
        generator = MLPGenerator(shape, 5, hidden=(4,), num_classes=num_classes)
        discriminator = MLPDiscriminator(shape, hidden=(4,), num_classes=num_classes)
    else:
        generator = DCGANGenerator(shape, 5, base_channels=2, num_classes=num_classes)
        discriminator = DCGANDiscriminator(shape, base_channels=2, num_classes=num_classes)
    assert generator.sample_shape == discriminator.sample_shape == shape
    assert generator.num_classes == discriminator.num_classes == num_classes
    x = generator(torch.randn(3, 5), y)
    assert x.shape == (3, *shape)
    assert x.abs().max() <= 1
    assert discriminator(x, y).shape == (3,)


@pytest.mark.parametrize("network", [MLPGenerator, DCGANGenerator])
def test_latents_may_be_empty_where_there_are_labels(network):
    generator = network((1, 8, 8), latent_dim=0, num_classes=2).eval()
    x = generator(torch.zeros(4, 0), torch.tensor([0, 1, 0, 1]))
    assert torch.equal(x[0], x[2])
    assert not torch.equal(x[0], x[1])


def test_mlp_makes_samples_that_are_no_images():
    generator, discriminator = MLPGenerator((2,), hidden=()), MLPDiscriminator((2,), hidden=())
    assert parameters(generator) == 65 * 2
    assert discriminator(generator(torch.randn(5, 64))).shape == (5,)


def test_discriminators_project_labels():
    """The logit of class k minus that without is <features, vector of k>."""
    for discriminator in (MLPDiscriminator, DCGANDiscriminator):
        network = discriminator((1, 8, 8), num_classes=3).eval()
        x, y = torch.randn(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
        with torch.no_grad():
            with_labels = network(x, y)
            vectors = network.classes.weight.clone()
            network.classes.weight.zero_()
            without = network(x, y)
            network.classes.weight.copy_(vectors)
            inputs = x.flatten(1) if discriminator is MLPDiscriminator else x
            features = network.layers(inputs).flatten(1)
        torch.testing.assert_close(with_labels - without, (features * vectors[y]).sum(1))


def test_norm_of_the_dcgan_discriminator():
    batch, none = (DCGANDiscriminator((1, 32, 32), norm=norm) for norm in ("batch", "none"))
    assert sum(isinstance(m, nn.BatchNorm2d) for m in batch.modules()) == 2
    assert not any(isinstance(m, nn.BatchNorm2d) for m in none.modules())
    assert batch.couples_samples
    assert not none.couples_samples
    # A single convolution, the first, has no batch norm: nothing couples samples.
    assert not DCGANDiscriminator((1, 8, 8), norm="batch").couples_samples


def assert_std(weight, expected):
    # Five standard errors of a standard deviation, 1 / sqrt(2 n).
    assert abs(weight.std().item() / expected - 1) < 5 / (2 * weight.numel()) ** 0.5


def test_dcgan_weights_begin_as_in_the_paper():
    torch.manual_seed(0)
    for network in (DCGANGenerator((1, 32, 32)), DCGANDiscriminator((1, 32, 32), num_classes=3)):
        for module in network.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.Embedding)):
                assert_std(module.weight, 0.02)


def test_without_batch_norm_weights_keep_the_signal():
    torch.manual_seed(0)
    network = DCGANDiscriminator((1, 32, 32), num_classes=3, norm="none", slope=0.2)
    for module in network.layers:
        if isinstance(module, nn.Conv2d):
            assert_std(module.weight, (2 / 1.04 / (16 * module.in_channels)) ** 0.5)
    assert_std(network.head.weight, 4096**-0.5)
    assert_std(network.classes.weight, 4096**-0.5)
    assert 0.3 < network(torch.randn(64, 1, 32, 32), torch.zeros(64, dtype=torch.int64)).std() < 3


def test_the_class_head_reads_the_smallest_feature_map():
    torch.manual_seed(0)
    network = DCGANDiscriminator(MNIST, base_channels=4, num_classes=10, heads={"class_logits": 10})
    network.eval()
    x, y = torch.randn(3, *MNIST), torch.tensor([0, 4, 9])
    output = network(x, y)
    features = network.layers(x).flatten(1)
    torch.testing.assert_close(output.class_logits, network.others["class_logits"](features))
    assert output.class_logits.shape == (3, 10)
    projected = (features * network.classes.weight[y]).sum(1)
    torch.testing.assert_close(output.logits, network.head(features)[:, 0] + projected)
    assert not torch.equal(output.class_logits, network(x + 1, y).class_logits)
    assert torch.equal(network(x, y.flip(0)).class_logits, output.class_logits)  # whatever y is


@pytest.mark.parametrize("network", [DCGANGenerator, DCGANDiscriminator])
@pytest.mark.parametrize("shape", [(1, 30, 30), (1, 28, 27), (1, 0, 4), (0, 8, 8), (8, 8), (64,)])
def test_shapes_that_do_not_fit(network, shape):
    text = r"sample_shape must be \(channels, height, width\) with height and width multiples of 4"
    with pytest.raises(InputError, match=rf"{text}, got \({', '.join(map(str, shape))},?\)"):
        network(shape)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: DCGANGenerator((1, 8, 8), base_channels=0), "base_channels must be at least 1"),
        (lambda: DCGANGenerator((1, 8, 8), latent_dim=0), "latent_dim must be positive unless"),
        (lambda: DCGANGenerator((1, 8, 8), latent_dim=-1, num_classes=3), "got latent_dim=-1"),
        (lambda: DCGANGenerator((1, 8, 8), num_classes=0), "num_classes must be at least 1, got 0"),
        (lambda: DCGANDiscriminator((1, 8, 8), norm="layer"), "'batch' or 'none', got 'layer'"),
        (lambda: MLPGenerator((1, 8), latent_dim=0), "latent_dim unless there is num_classes"),
        (
            lambda: MLPGenerator((1, 8), hidden=(3, 0)),
            r"got sample_shape=\(1, 8\), hidden=\(3, 0\)",
        ),
        (lambda: MLPDiscriminator((1, 0)), "sample_shape and hidden must be positive"),
        (lambda: MLPDiscriminator((1, 8), dropout=1.0), r"dropout must lie in \[0, 1\), got 1.0"),
    ],
)
def test_wrong_arguments(build, text):
    with pytest.raises(InputError, match=text):
        build()


@pytest.mark.parametrize(
    ("y", "got"),
    [
        (None, "None"),
        (torch.zeros(2), r"torch.float32 of shape \(2,\)"),
        (torch.zeros(2, 1, dtype=torch.int64), r"torch.int64 of shape \(2, 1\)"),
    ],
)
@pytest.mark.parametrize(
    "player", [MLPGenerator, DCGANGenerator, MLPDiscriminator, DCGANDiscriminator]
)
def test_missing_or_wrong_labels(player, y, got):
    network = player((1, 8, 8), num_classes=3)
    shape = (network.latent_dim,) if isinstance(network, Generator) else (1, 8, 8)
    text = rf"num_classes=3 needs labels y, int64 of shape \(N,\), got {got}"
    with pytest.raises(InputError, match=text):
        network(torch.zeros(2, *shape), y)


def test_fourier_features_are_what_they_say():
    network = MLPDiscriminator((2,), hidden=(5,), dropout=0.0, frequencies=3, frequency_scale=40.0)
    features = network.layers[0]
    assert network.layers[1].in_features == 2 + 2 * 3
    assert 10 < features.frequencies.std() < 100
    x = torch.randn(7, 2)
    angles = x.double() @ features.frequencies.double()
    expected = torch.cat([x.double(), angles.sin(), angles.cos()], dim=1)
    assert torch.allclose(features(x).double(), expected, atol=1e-4)
    # Saved with the network, and no parameter of it.
    assert "layers.0.frequencies" in network.state_dict()
    assert len(list(features.parameters())) == 0
    assert network(x).shape == (7,)


@pytest.mark.parametrize("wrong", [{"frequencies": -1}, {"frequency_scale": 0.0}])
def test_fourier_features_that_are_refused(wrong):
    with pytest.raises(InputError, match="frequencies must be at least 0 and frequency_scale pos"):
        MLPDiscriminator((2,), **wrong)
