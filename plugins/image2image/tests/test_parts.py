"""Networks and terms: the checks that every author gets, and what the papers say of these."""

import pytest
import torch
from image2image.networks import (
    TwoDomainDiscriminator,
    TwoWayGenerator,
)

from lightning_gan import AdversarialStep
from lightning_gan.testing import check_component

SHAPE = (1, 8, 16)
SMALL = {"sample_shape": SHAPE, "base_channels": 2, "blocks": 1}


def both(n=4):
    return {"a": torch.rand(n, 1, 8, 8) * 2 - 1, "b": torch.rand(n, 1, 8, 8) * 2 - 1}


def networks():
    torch.manual_seed(0)
    return TwoWayGenerator(**SMALL), TwoDomainDiscriminator(SHAPE, base_channels=2)


def step(player, *, real=None, y=None, fake=None):
    generator, discriminator = networks()
    y = both() if y is None else y
    real = torch.cat([y["a"], y["b"]], -1) if real is None else real
    fake = generator(torch.empty(4, 0), y) if fake is None else fake
    return AdversarialStep(
        player,
        real=real,
        y=y,
        fake=fake,
        fake_y=y,
        generator=generator,
        discriminator=discriminator,
    )


@pytest.mark.parametrize(
    ("kind", "name", "arguments", "keywords"),
    [
        (
            "generator",
            "resnet_translator",
            {"sample_shape": (2, 8, 12), "condition_channels": 3, "base_channels": 2, "blocks": 1},
            {"y": torch.rand(4, 3, 8, 12)},
        ),
        ("generator", "two_way", SMALL, {"y": both()}),
        ("discriminator", "two_domains", {"sample_shape": SHAPE, "base_channels": 2}, {}),
        ("regularizer", "cycle_consistency", {}, {"networks": networks(), "y": both()}),
        ("regularizer", "identity_mapping", {}, {"networks": networks(), "y": both()}),
        ("regularizer", "image_pool", {"size": 3}, {"networks": networks(), "y": both()}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_component(kind, name, arguments, keywords):
    check_component(kind, name, arguments=arguments, **keywords)
