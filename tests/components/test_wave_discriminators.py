"""Discriminators of waves: layers counted from their tables, folding, averaging, lists of heads."""

import pytest
import torch
import toys
from torch import nn

from lightning_gan import Game, InputError, create_discriminator, create_loss
from lightning_gan.discriminators.multi_period import MultiPeriodDiscriminator
from lightning_gan.discriminators.multi_resolution import MultiResolutionDiscriminator
from lightning_gan.discriminators.multi_scale_wave import MultiScaleWaveDiscriminator
from lightning_gan.regularizers.r1 import R1Regularizer

# (from, to, taps of the kernel, groups) of each layer of one head.
PERIOD = [
    *[(1, 32, 5, 1), (32, 128, 5, 1), (128, 512, 5, 1), (512, 1024, 5, 1), (1024, 1024, 5, 1)],
    (1024, 1, 3, 1),
]
SCALE = [
    *[(1, 128, 15, 1), (128, 128, 41, 4), (128, 256, 41, 16), (256, 512, 41, 16)],
    *[(512, 1024, 41, 16), (1024, 1024, 41, 16), (1024, 1024, 5, 1), (1024, 1, 3, 1)],
]
RESOLUTION = [(1, 32, 27, 1), *[(32, 32, 27, 1)] * 3, (32, 32, 9, 1), (32, 1, 9, 1)]


def counted(table, norm):
    """Weights and biases of a table's layers, and a length for each output of weight norm."""
    plain = sum(out * (into // groups) * taps + out for into, out, taps, groups in table)
    return plain + (sum(out for _, out, _, _ in table) if norm == "weight" else 0)


def size(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_sizes_are_those_of_the_published_layers():
    """Tables of jik876/hifi-gan models.py, and of UnivNet's DiscriminatorR."""
    with torch.device("meta"):
        period = MultiPeriodDiscriminator(norm="none")
        weighted = MultiPeriodDiscriminator()
        scale = MultiScaleWaveDiscriminator()
        resolution = MultiResolutionDiscriminator(norm="none")
    assert size(period) == 5 * counted(PERIOD, "none") == 41_092_165
    assert size(weighted) == 5 * counted(PERIOD, "weight") == 41_105_770
    assert size(scale) == counted(SCALE, "none") + 2 * counted(SCALE, "weight") == 29_618_821
    assert size(resolution) == 3 * counted(RESOLUTION, "none") == 280_419


def test_periods_never_mix_columns():
    torch.manual_seed(0)
    network = MultiPeriodDiscriminator(periods=[3], base_channels=2, norm="none").eval()
    x = torch.randn(1, 1, 9 * 30)
    moved = x.clone()
    moved[..., 4::3] += 1.0  # of column 1
    ours, theirs = (network(each).features[0] for each in (x, moved))
    for a, b in zip(ours, theirs, strict=True):
        same = (a == b).all(dim=(0, 1, 2)) if a.dim() == 4 else None
        assert same.tolist() == [True, False, True]
    assert [feature.shape[2] for feature in ours] == [30, 10, 4, 2, 2, 2]


def test_ends_are_mirrored_to_a_multiple_of_the_period():
    seen = []
    network = MultiPeriodDiscriminator(periods=[5], base_channels=1, norm="none")
    network.stacks[0].register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    network(torch.arange(8.0).view(1, 1, 8))
    assert seen[0][0, 0].tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 6, 5]]


def test_scales_are_averages():
    seen = []
    network = MultiScaleWaveDiscriminator(base_channels=1)
    for stack in network.stacks:
        stack.register_forward_pre_hook(lambda _, x: seen.append(x[0].shape[-1]))
    x = torch.randn(1, 1, 64)
    network(x)
    assert seen == [64, 33, 17]
    kinds = [str(stack.layers[0].parametrizations.weight[0]) for stack in network.stacks]
    assert kinds[0].startswith("_SpectralNorm")
    assert kinds[1] == kinds[2] == "_WeightNorm()"


@pytest.mark.parametrize(
    "network",
    [
        MultiPeriodDiscriminator((1, None), base_channels=1),
        MultiScaleWaveDiscriminator((1, None), base_channels=1),
        MultiResolutionDiscriminator((1, None), [[16, 4, 12], [8, 2, 8]], base_channels=2),
    ],
    ids=["period", "scale", "resolution"],
)
def test_heads_train_in_a_game(network):
    """Lists of logits and of lists of features; a gradient penalty; waves of any length."""
    output = network(torch.randn(3, 1, 50))
    assert len(output.heads) == len(output.features) == len(network.stacks)
    for logits, features in zip(output.heads, output.features, strict=True):
        assert logits.dim() == 2
        assert torch.equal(features[-1].flatten(1), logits)
        assert all(len(feature) == 3 for feature in features)
    generator = toys.generator(sample_shape=(1, 40))
    r1 = {"r1": R1Regularizer(0.1)}
    game = Game(toys.gan(generator=generator, discriminator=network, regularizers=r1))
    before = toys.weights(network)
    readings = game.play(torch.rand(4, 1, 40) - 0.5)
    assert readings.discriminator.terms["r1"].isfinite()
    assert not toys.same(before, toys.weights(network))


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        (
            "multi_period",
            {"sample_shape": (1, 8, 8)},
            r"must be that of waves, \(channels, samples\) with more than 11 samples, or None",
        ),
        ("multi_period", {"sample_shape": (1, 11)}, r"more than 11 samples.*got \(1, 11\)"),
        ("multi_period", {"periods": []}, r"periods must be whole numbers from 1, got \[\]"),
        ("multi_period", {"base_channels": 0}, "base_channels must be at least 1, got 0"),
        ("multi_period", {"norm": "batch"}, "norm must be 'weight', 'spectral' or 'none', got"),
        ("multi_scale_wave", {"scales": 0}, "scales and base_channels must be at least 1, got 0 "),
        ("multi_scale_wave", {"sample_shape": (1, 8)}, "with more than 8 samples"),
        ("multi_resolution", {"sample_shape": (1, 100)}, "with more than 904 samples"),
        ("multi_resolution", {"resolutions": [[8, 2]]}, r"must be a list of \[fft, hop, window\]"),
        ("multi_resolution", {"resolutions": [[8, 2, 9]]}, "whole numbers from 1 with window at"),
        ("multi_resolution", {"base_channels": 0}, "base_channels must be at least 1, got 0"),
    ],
)
def test_bad_arguments(name, arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        create_discriminator(name, **arguments)


def test_waves_that_are_too_short_are_told():
    network = MultiResolutionDiscriminator((1, None), [[64, 16, 64]], base_channels=1)
    with pytest.raises(InputError, match="waves of 20 samples are too short for a transform of 64"):
        network(torch.randn(1, 1, 20))
    with pytest.raises(
        InputError, match=r"takes waves \(N, C, T\), got samples of shape \(2, 20\)"
    ):
        network(torch.randn(2, 20))


def test_the_losses_of_heads_are_joined():
    network = MultiPeriodDiscriminator((1, None), periods=[2, 3], base_channels=1)
    output = network(torch.randn(2, 1, 40))
    halves = [create_loss("non_saturating").generator(head) for head in output.heads]
    assert [half.shape[0] for half in halves] == [2, 2]
    assert isinstance(network.stacks, nn.ModuleList)
