"""The checks that a package's own tests would run pass for the parts of every family."""

from __future__ import annotations

import pytest
import tiny_networks as tiny
import torch
import toys
from by_products import Slices, Vocoder
from experiments import MaskedDistance, MelDistance, NoisyTranslator
from families import FAMILIES
from lists_of_heads import Periods, Resolutions, Several
from owned_weights import Coded
from stepping_losses import Masked

from lightning_gan.testing import check_component

CLASSES, IMAGES, MELS = torch.tensor([0, 1, 2, 0]), toys.images(4), torch.rand(4, 4, 4)


def condition(family):
    """What the batches of a family hold for its networks."""
    return CLASSES if family.classes else family.gan().read(family.batch()).y


@pytest.mark.parametrize("name", FAMILIES)
def test_networks(name):
    family = FAMILIES[name]
    y = condition(family)
    check_component("generator", family.generator(), y=y)
    if name == "bigan":  # its condition is a latent
        y = torch.rand(4, tiny.LATENT)
    check_component("discriminator", family.discriminator(), y=y)


@pytest.mark.parametrize("name", FAMILIES)
def test_parts(name):
    family = FAMILIES[name]
    gan, y = family.gan(), condition(family)
    given = {"networks": (family.generator(), family.discriminator()), "y": y, "prior": gan.prior}
    fresh = family.parts()
    check_component("loss", fresh.get("loss", gan.loss), **given)
    for term in fresh.get("regularizers", {}).values():
        check_component("regularizer", term, **given)


def test_parts_of_the_experiments():
    check_component("prior", Coded(), latent_dim=4)
    check_component("generator", Vocoder(), y=MELS)
    check_component("generator", NoisyTranslator(tiny.SHAPE), y=IMAGES)
    check_component("discriminator", Several([Periods(), Resolutions()]))
    networks = {"networks": (Vocoder(), Resolutions()), "y": MELS}
    check_component("regularizer", Slices(), **networks)
    check_component("regularizer", MelDistance(), **networks)
    masks = {"mask": torch.rand(4, 1, 8, 8)}
    check_component("regularizer", MaskedDistance(), extra=masks)
    of_logits = {"mask": torch.rand(4, 1)}
    given = (tiny.generator(), tiny.TinyDiscriminator())
    check_component("loss", Masked(), extra=of_logits, networks=given)
