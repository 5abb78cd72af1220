"""The twin's cross-entropy, with the sign of each player, and what it is for."""

import math

import pytest
import torch
import toys
from torch.nn.functional import cross_entropy
from updates import Repeats, tensor, update

from lightning_gan.discriminators.acgan import ACGANDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.acgan import ACGANGenerator
from lightning_gan.regularizers.auxiliary_classifier import AuxiliaryClassifierRegularizer
from lightning_gan.regularizers.twin_auxiliary_classifier import TwinAuxiliaryClassifierRegularizer
from lightning_gan.types import Player

REAL = tensor([9.0, 9.0, 9.0], [9.0, 9.0, 9.0])
FAKE = tensor([0.0, 0.0, 0.0], [math.log(2), 0.0, 0.0])
COST = [math.log(3), math.log(2)]  # of class 0: 1/3, and 2/4


def step(player, y):
    return update(player, REAL, FAKE, fake_y=y, discriminator=Repeats("twin_class_logits"))


def test_both_signs():
    regularizer, y = TwinAuxiliaryClassifierRegularizer(), torch.tensor([0, 0])
    found = regularizer.discriminator(step(Player.DISCRIMINATOR, y))
    torch.testing.assert_close(found, torch.tensor(COST))
    torch.testing.assert_close(regularizer.generator(step(Player.GENERATOR, y)), -found)


def test_samples_without_a_label_have_no_term():
    made = step(Player.DISCRIMINATOR, torch.tensor([0, -1]))
    found = TwinAuxiliaryClassifierRegularizer().discriminator(made)
    torch.testing.assert_close(found, torch.tensor([COST[0], 0.0]))


def test_beside_the_first_classifier_in_training(tmp_path):
    discriminator = ACGANDiscriminator((1, 8, 8), 2, 3, heads={"twin_class_logits": 3})
    module = toys.gan(
        generator=ACGANGenerator((1, 8, 8), 4, base_channels=2, num_classes=3),
        discriminator=discriminator,
        regularizers={
            "classes": AuxiliaryClassifierRegularizer(discriminator_samples="real"),
            "twin": TwinAuxiliaryClassifierRegularizer(),
        },
    )
    before = discriminator.others["twin_class_logits"].weight.clone()
    x, y = toys.images(16, (1, 8, 8)), torch.arange(16) % 3
    toys.fit(tmp_path, module, steps=2, data=toys.loader(x, y))
    assert module.latest_metrics["regularizer/twin/discriminator"] > 0
    assert module.latest_metrics["regularizer/twin/generator"] < 0
    assert not torch.equal(before, discriminator.others["twin_class_logits"].weight)


def spread_with(twin):
    """Train the class alone, of overlapping classes, and return the spread of one class's fakes."""
    torch.manual_seed(0)
    source = torch.Generator().manual_seed(0)
    y = torch.randint(2, (512,), generator=source)
    x = torch.randn(512, 1, generator=source) + (2.0 * y[:, None] - 1)
    location = torch.nn.Parameter(torch.tensor([-1.0, 1.0]))
    heads = {name: torch.nn.Linear(1, 2) for name in ("first", "twin")}
    players = (
        torch.optim.Adam([p for h in heads.values() for p in h.parameters()], lr=0.05),
        torch.optim.Adam([location], lr=0.02),
    )
    for _ in range(300):
        labels = torch.randint(2, (128,), generator=source)
        fake = location[labels][:, None] + torch.randn(128, 1, generator=source)
        for player, optimizer in zip(Player, reversed(players), strict=True):
            seen = fake if player is Player.GENERATOR else fake.detach()
            loss = cross_entropy(heads["first"](seen), labels)
            if player is Player.DISCRIMINATOR:
                loss = cross_entropy(heads["first"](x), y)
            if twin:
                named = Repeats("twin_class_logits")
                made = update(player, x, heads["twin"](seen), fake_y=labels, discriminator=named)
                made.fake = heads["twin"](seen)  # with the graph of the head, in both updates
                loss = loss + TwinAuxiliaryClassifierRegularizer().term(made).mean()
            optimizer.zero_grad()
            loss.backward(retain_graph=True)
            optimizer.step()
    return (location[1] - location[0]).item()


@pytest.mark.slow
def test_classes_are_not_pushed_apart():
    """Classes at -1 and 1 overlap: the classifier alone drives fakes away from there."""
    assert spread_with(twin=False) > 3.5
    assert spread_with(twin=True) == pytest.approx(2.0, abs=0.6)


def test_errors():
    text = "needs 'twin_class_logits', which neither MLPGenerator nor MLPDiscriminator provides"
    with pytest.raises(InputError, match=text):
        toys.gan(regularizers={"twin": TwinAuxiliaryClassifierRegularizer()})
    with pytest.raises(InputError, match=r"needs class labels, int64 of shape \(N,\), got none"):
        TwinAuxiliaryClassifierRegularizer().generator(step(Player.GENERATOR, None))
