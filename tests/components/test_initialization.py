"""First weights against the variances and bounds that the papers and Keras name."""

import pytest
import torch
from torch import nn

from lightning_gan.discriminators.acgan import ACGANDiscriminator
from lightning_gan.discriminators.cgan import CGANDiscriminator
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.acgan import ACGANGenerator
from lightning_gan.generators.cgan import CGANGenerator
from lightning_gan.generators.mlp import MLPGenerator
from lightning_gan.layers.initialization import initialize
from lightning_gan.layers.one_hot import OneHot

SHAPE = (1, 28, 28)


def layers():
    """Layers, and the fans of their kernels."""
    return [
        (nn.Linear(300, 200), 300, 200),
        (nn.Conv2d(12, 20, 5), 12 * 25, 20 * 25),
        (nn.ConvTranspose2d(12, 20, 5), 12 * 25, 20 * 25),
        (nn.Linear(300, 200, bias=False), 300, 200),
    ]


def assert_std(weight, expected):
    # Five standard errors of a standard deviation, 1 / sqrt(2 n).
    assert abs(weight.std().item() / expected - 1) < 5 / (2 * weight.numel()) ** 0.5


@pytest.mark.parametrize("init", ["glorot_uniform", "glorot_normal"])
def test_glorot(init):
    for layer, fan_in, fan_out in layers():
        initialize(layer, init)
        std = (2 / (fan_in + fan_out)) ** 0.5
        assert_std(layer.weight, std)
        bound = 3**0.5 if init == "glorot_uniform" else 2 / 0.8796  # Keras cuts the normal off
        assert 0.95 * bound * std < layer.weight.abs().max() <= bound * std
        assert layer.bias is None or not layer.bias.any()


def test_torch_changes_nothing():
    for layer, *_ in layers():
        before = layer.weight.clone()
        initialize(layer, "torch")
        assert torch.equal(layer.weight, before)


def test_layers_inside_others_are_drawn_and_embeddings_are_not():
    network = nn.Sequential(nn.Sequential(nn.Linear(3, 4)), nn.Embedding(5, 6), nn.BatchNorm1d(4))
    embedded = network[1].weight.clone()
    initialize(network, "glorot_uniform")
    assert not network[0][0].bias.any()
    assert torch.equal(network[1].weight, embedded)
    assert (network[2].weight == 1).all()


@pytest.mark.parametrize(
    "build",
    [
        lambda: initialize(nn.Linear(2, 2), "he"),
        lambda: MLPGenerator(SHAPE, init="he"),
        lambda: MLPDiscriminator(SHAPE, init="he"),
    ],
)
def test_an_unknown_name(build):
    text = "init must be 'torch', 'glorot_uniform' or 'glorot_normal', got 'he'"
    with pytest.raises(InputError, match=text):
        build()


@pytest.mark.parametrize(
    ("network", "uniform"),
    [
        (MLPGenerator(SHAPE, init="glorot_uniform"), True),
        (MLPDiscriminator(SHAPE, init="glorot_uniform"), True),
        (CGANGenerator(SHAPE, num_classes=10), True),
        (CGANDiscriminator(SHAPE, num_classes=10), True),
        (ACGANGenerator(SHAPE, num_classes=10), False),
        (ACGANDiscriminator(SHAPE, num_classes=10), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_networks_of_the_tutorials_begin_as_in_keras(network, uniform):
    kernels = [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    kernels += [m for m in network.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert len(kernels) >= 3
    for module in kernels:
        receptive = module.weight[0, 0].numel()
        std = (2 / (sum(module.weight.shape[:2]) * receptive)) ** 0.5
        assert_std(module.weight, std)
        if uniform or module.weight.numel() > 10_000:  # enough for a normal to go beyond
            assert (module.weight.abs().max() <= 3**0.5 * std) == uniform
        assert not module.bias.any()


def test_class_vectors_of_the_acgan_begin_as_glorot_normal():
    weight = ACGANGenerator(SHAPE, num_classes=10).classes.weight
    assert weight.shape == (10, 100)
    assert_std(weight, (2 / 110) ** 0.5)


def test_one_hot_vectors_are_fixed():
    one_hot = OneHot(3)
    expected = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    assert torch.equal(one_hot(torch.tensor([2, 0])), expected)
    assert not any(p.requires_grad for p in one_hot.parameters())
    with pytest.raises(InputError, match="num_classes must be at least 1, got 0"):
        OneHot(0)
    with pytest.raises(InputError, match="num_classes=3 needs labels y"):
        one_hot(None)
