"""PatchGAN, several scales of it, and the U-Net of pix2pix: counts, shapes, errors by texts."""

from itertools import pairwise

import pytest
import torch
import toys
from torch import nn
from torch.nn.functional import avg_pool2d

from lightning_gan.discriminators.multi_scale import MultiScaleDiscriminator
from lightning_gan.discriminators.patch import PatchDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.game.batches import BatchKeys
from lightning_gan.generators.unet import UNetGenerator
from lightning_gan.layers.patches import fitting_layers, left_over


def parameters(network):
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def counted(network, *arguments, **keywords):
    with torch.device("meta"):
        return parameters(network(*arguments, **keywords))


def test_the_70x70_patch_discriminator_has_the_parameters_of_pix2pix():
    """2,768,705 of the authors' PyTorch code for 3 + 3 channels: biases where there is no norm."""
    convolutions = 16 * (6 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 1)
    expected = convolutions + 64 + 1 + 2 * (128 + 256 + 512)
    assert expected == 2_768_705
    assert counted(PatchDiscriminator, (3, 256, 256), condition_channels=3) == expected


def test_one_logit_sees_70x70_pixels():
    torch.manual_seed(0)
    network = PatchDiscriminator((1, 142, 142), 1, layers=3, norm="none").double()
    x = torch.randn(1, 1, 142, 142, dtype=torch.float64, requires_grad=True)
    logits = network(x).logits
    assert logits.shape == (1, 1, 15, 15)  # 142, 71, 35, 17, 16, 15
    logits[0, 0, 7, 7].backward()
    rows = x.grad[0, 0].abs().sum(1).nonzero().flatten()
    assert rows[-1] - rows[0] + 1 == 70


def test_three_scales_with_instance_norm_have_biases_everywhere():
    convolutions = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 1)
    expected = 3 * (convolutions + 64 + 128 + 256 + 512 + 1)
    assert counted(MultiScaleDiscriminator, (3, 256, 256)) == expected


def test_unet_has_the_parameters_of_pix2pix():
    """54,413,955 of the authors' PyTorch code for 256 pixels ("54.414 M"), 3 to 3 channels."""
    down = [3, 64, 128, 256, 512, 512, 512, 512, 512]
    encoder = 16 * sum(a * b for a, b in pairwise(down))
    up = [(512, 512), *[(1024, 512)] * 3, (1024, 256), (512, 128), (256, 64), (128, 3)]
    decoder = 16 * sum(a * b for a, b in up) + 3
    norms = 2 * (128 + 256 + 4 * 512) + 2 * (4 * 512 + 256 + 128 + 64)
    assert encoder + decoder + norms == 54_413_955
    assert counted(UNetGenerator, (3, 256, 256)) == 54_413_955


@pytest.mark.parametrize("side", [6, 8, 13, 16, 28, 32, 64])
def test_shapes(side):
    x = torch.randn(1, 2, side, side + 4)
    patch = PatchDiscriminator((2, side, side + 4), 2)
    output = patch(x)
    assert output.logits.shape[:2] == (1, 1)
    assert output.logits.shape[2] == left_over(side, fitting_layers(side, None)) >= 1
    assert len(output.features) == fitting_layers(side, None) + 1
    scales = MultiScaleDiscriminator((2, side, side + 4), base_channels=2)
    output = scales(x)
    assert len(output.logits) == len(output.features) == len(scales.networks)
    assert all(isinstance(maps, list) and len(maps) > 1 for maps in output.features)


def test_scales_see_the_image_halved():
    torch.manual_seed(0)
    network = MultiScaleDiscriminator((1, 32, 32), scales=2, base_channels=2)
    x = torch.randn(2, 1, 32, 32)
    half = avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
    torch.testing.assert_close(network(x).logits[1], network.networks[1](half)[0])


@pytest.mark.parametrize("kind", [PatchDiscriminator, MultiScaleDiscriminator])
def test_an_image_as_condition_is_judged_with_the_sample(kind):
    network = kind((1, 16, 16), base_channels=2, condition_channels=2, norm="none")
    x, y = torch.randn(2, 1, 16, 16), torch.randn(2, 2, 16, 16)
    heads, others = network(x, y).heads, network(x, y.flip(0)).heads
    assert all(not torch.equal(one, other) for one, other in zip(heads, others, strict=True))
    plain = kind((3, 16, 16), base_channels=2, norm="none")
    plain.load_state_dict(network.state_dict())
    assert torch.equal(plain(torch.cat([x, y], 1)).heads[0], heads[0])
    text = r"condition_channels=2 needs images y of shape \(N, 2, 16, 16\), got"
    for wrong in (None, torch.zeros(2, dtype=torch.int64), torch.randn(2, 1, 16, 16)):
        with pytest.raises(InputError, match=text):
            network(x, wrong)


def test_norms():
    for kind in (PatchDiscriminator, MultiScaleDiscriminator):
        found = {}
        for norm in ("batch", "instance", "none"):
            network = kind((1, 32, 32), base_channels=2, norm=norm)
            layers = [m for m in network.modules() if "Norm" in type(m).__name__]
            found[norm] = {type(m) for m in layers}
            assert network.couples_samples == (norm == "batch")
        assert found == {"batch": {nn.BatchNorm2d}, "instance": {nn.InstanceNorm2d}, "none": set()}


def test_unet_makes_an_image_of_an_image():
    torch.manual_seed(0)
    generator = UNetGenerator((1, 28, 28), condition_channels=3, base_channels=2)
    assert (generator.latent_dim, len(generator.encoder)) == (0, 2)  # 28, 14, 7
    y = torch.randn(2, 3, 28, 28)
    x = generator.eval()(torch.empty(2, 0), y)
    assert x.shape == (2, 1, 28, 28)
    torch.testing.assert_close(generator(torch.empty(1, 0), y[1:]), x[1:])
    noisy = UNetGenerator((1, 16, 16), latent_dim=3, base_channels=2).eval()
    y = torch.randn(2, 1, 16, 16)
    one, other = noisy(torch.zeros(2, 3), y), noisy(torch.ones(2, 3), y)
    assert not torch.allclose(one, other)
    assert len(noisy.encoder) == 4  # to one pixel
    with pytest.raises(
        InputError, match=r"condition_channels=1 needs images y of shape \(N, 1, 16"
    ):
        noisy(torch.zeros(2, 3))


def test_unet_drops_in_three_layers_of_the_decoder():
    with torch.device("meta"):
        generator = UNetGenerator((3, 256, 256))
    dropped = [any(isinstance(m, nn.Dropout) for m in layer) for layer in generator.decoder]
    assert dropped == [True] * 3 + [False] * 4
    assert not any(
        isinstance(m, nn.Dropout)
        for m in UNetGenerator((1, 16, 16), base_channels=2, dropout=0.0).modules()
    )


def test_pix2pix_trains(tmp_path):
    """Images and inputs of a batch: both networks get the input as the condition."""
    torch.manual_seed(0)
    generator = UNetGenerator((1, 8, 8), base_channels=2, condition_channels=2)
    discriminator = MultiScaleDiscriminator((1, 8, 8), base_channels=2, condition_channels=2)
    gan = toys.gan(
        generator=generator, discriminator=discriminator, prepare_batch=BatchKeys(real=0, y=1)
    )
    data = toys.loader(toys.images(8, (1, 8, 8)), toys.images(8, (2, 8, 8)), batch_size=4)
    before = toys.weights(generator)
    toys.fit(tmp_path, gan, 2, data)
    assert all(value.isfinite().all() for value in toys.weights(generator).values())
    assert not toys.same(before, toys.weights(generator))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (
            lambda: PatchDiscriminator((8, 8)),
            r"sample_shape must be \(channels, height, width\), g",
        ),
        (lambda: PatchDiscriminator((1, 5, 9)), "shorter side has 5 pixels, an image of that size"),
        (lambda: PatchDiscriminator((1, 16, 16), layers=3), "layers must be 1 to 2 for .*, got 3"),
        (lambda: PatchDiscriminator((1, 16, 16), layers=0), "layers must be 1 to 2 for .*, got 0"),
        (lambda: PatchDiscriminator((1, 16, 16), 0), "base_channels must be at least 1, got 0"),
        (lambda: PatchDiscriminator((1, 16, 16), norm="layer"), "'none', got 'layer'"),
        (
            lambda: PatchDiscriminator((1, 16, 16), condition_channels=0),
            "condition_channels must be at least 1, got 0",
        ),
        (
            lambda: MultiScaleDiscriminator((1, 16, 16), scales=3),
            "scales must be 1 to 2 for images whose shorter side has 16 pixels, got 3",
        ),
        (lambda: MultiScaleDiscriminator((1, 32, 32), layers=4), "layers must be 1 to 3"),
        (lambda: UNetGenerator((1, 12, 12), levels=3), "levels must be 1 to 2 for 12x12 pixels, g"),
        (lambda: UNetGenerator((1, 7, 8)), "levels must be 1 to 0 for 7x8 pixels"),
        (lambda: UNetGenerator((1, 8, 8), dropout=1.0), r"dropout must lie in \[0, 1\), got 1.0"),
        (lambda: UNetGenerator((1, 8, 8), latent_dim=-1), "latent_dim must be 0 or more, got -1"),
    ],
)
def test_wrong_arguments(build, text):
    with pytest.raises(InputError, match=text):
        build()
