"""Heads of discriminators by name, and the features that they hand out."""

import pytest
import torch
from torch import nn

from lightning_gan.discriminators.acgan import ACGANDiscriminator
from lightning_gan.discriminators.dcgan import DCGANDiscriminator
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.testing import check_discriminator
from lightning_gan.types import DiscriminatorOutput

SHAPE = (1, 8, 8)
SMALL = {
    MLPDiscriminator: {"hidden": (6, 5), "dropout": 0.0},
    DCGANDiscriminator: {"base_channels": 4, "norm": "none"},
    ACGANDiscriminator: {"base_channels": 2, "dropout": 0.0},
}
WIDTHS = {MLPDiscriminator: 2, DCGANDiscriminator: 1, ACGANDiscriminator: 4}


@pytest.mark.parametrize("kind", SMALL)
def test_heads_are_linear_in_the_last_features(kind):
    net = kind(SHAPE, heads={"class_logits": 3, "codes": 2}, return_features=True, **SMALL[kind])
    x = torch.rand(4, *SHAPE)
    output = net(x)
    assert isinstance(output, DiscriminatorOutput)
    assert output.logits.shape == (4,)
    assert len(output.features) == WIDTHS[kind]
    last = output.features[-1].flatten(1)
    for name, said in (("class_logits", output.class_logits), ("codes", output.extra["codes"])):
        torch.testing.assert_close(said, net.others[name](last))
    assert output.extra.keys() == {"codes"}
    torch.testing.assert_close(output.logits, net.head(last).squeeze(1))


@pytest.mark.parametrize("kind", SMALL)
def test_features_are_not_written_over_by_layers_in_place(kind):
    net = kind(SHAPE, return_features=True, **SMALL[kind])
    x = torch.rand(4, *SHAPE)
    features = net(x).features
    for module in net.modules():
        if isinstance(module, nn.LeakyReLU):
            module.inplace = False
    for kept, again in zip(features, net(x).features, strict=True):
        assert torch.equal(kept, again)


def test_a_discriminator_without_heads_says_its_logits_alone():
    torch.manual_seed(0)
    plain = MLPDiscriminator(SHAPE)
    torch.manual_seed(0)
    more = MLPDiscriminator(SHAPE, heads={"codes": 2})
    assert isinstance(plain(torch.rand(2, *SHAPE)), torch.Tensor)
    ours, theirs = plain.state_dict(), more.state_dict()
    assert theirs.keys() - ours.keys() == {"others.codes.weight", "others.codes.bias"}
    layers = [key for key in ours if key.startswith("layers")]
    assert all(torch.equal(ours[key], theirs[key]) for key in layers)


@pytest.mark.parametrize("kind", SMALL)
def test_they_conform(kind):
    net = kind(SHAPE, heads={"twin": 2}, return_features=True, num_classes=3, **SMALL[kind])
    check_discriminator(net)


def test_errors():
    for name in ("logits", "features", "keys", "two words"):
        with pytest.raises(InputError, match=f"a head cannot be called '{name}'; choose a plain"):
            MLPDiscriminator(SHAPE, heads={name: 2})
    with pytest.raises(InputError, match=r"heads must have a width from 1 each, .* got codes: 0"):
        DCGANDiscriminator(SHAPE, heads={"codes": 0})
    with pytest.raises(InputError, match="acgan has class_logits of its own with num_classes"):
        ACGANDiscriminator(SHAPE, num_classes=3, heads={"class_logits": 3})
