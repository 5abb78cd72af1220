"""Losses and terms of the classics do what their papers say, in a few lines each."""

from __future__ import annotations

import ast
import inspect

import classic_terms
import pytest
import torch
from classic_terms import Hinge, RelativisticAverage
from families import FAMILIES
from torch.nn.functional import softplus

from lightning_gan import Feedback, Game, Player, Progress
from lightning_gan.testing import check_component

REAL, FAKE = torch.tensor([[2.0], [-1.0]]), torch.tensor([[0.5], [-3.0]])


def test_hinge():
    assert Hinge().discriminator(REAL, FAKE).flatten().tolist() == [1.5, 2.0]
    assert Hinge().generator(FAKE).flatten().tolist() == [-0.5, 3.0]


def test_relativistic_average():
    real, fake = REAL + 1.25, FAKE - 0.5  # means of the others: -1.25 and 0.5
    loss = RelativisticAverage()
    torch.testing.assert_close(loss.discriminator(REAL, FAKE), softplus(-real) + softplus(fake))
    torch.testing.assert_close(loss.generator(FAKE, REAL), softplus(-fake) + softplus(real))


def test_lecam_remembers_what_observers_are_told():
    family = FAMILIES["lecam"]
    gan = family.gan()
    game, lecam = Game(gan), gan.regularizers["lecam"]
    first = game.play(family.batch()).discriminator
    torch.testing.assert_close(lecam.real, 0.1 * first.real_logits)
    torch.testing.assert_close(lecam.fake, 0.1 * first.fake_logits)
    real, fake, said = lecam.real.clone(), lecam.fake.clone(), []
    gan.discriminator.network.register_forward_hook(lambda *given: said.append(given[2].logits))
    found = game.play(family.batch(seed=1)).discriminator.terms["lecam"]
    expected = (said[0] - fake).relu().square().mean() + (real - said[1]).relu().square().mean()
    torch.testing.assert_close(found, 0.1 * expected.detach())


def test_consistency_compares_with_the_mirrored_image():
    family = FAMILIES["consistency"]
    gan, twin, x = family.gan(), family.gan(), family.batch()
    found = Game(gan).play(x).discriminator.terms["consistency"]
    expected = twin.discriminator(x).logits - twin.discriminator(x.flip(-1)).logits
    torch.testing.assert_close(found, expected.square().mean().detach())


def test_the_augmentation_is_on_as_often_as_the_signs_say():
    family = FAMILIES["mirror"]
    gan, x = family.gan(), family.batch()
    assert torch.equal(gan.augment(x), x)
    for sign in (0.9, 0.9, 0.1):
        feedback = Feedback(
            Progress(batches=1, images=4), (Player.DISCRIMINATOR,), real_sign=torch.tensor(sign)
        )
        gan.augment.observe(feedback)
    assert gan.augment.p == pytest.approx(0.04)
    gan.augment.p.fill_(1.0)
    assert torch.equal(gan.augment(x), x.flip(-1))


CLASSICS = {
    "Hinge": "loss",
    "RelativisticAverage": "loss",
    "LeCam": "regularizer",
    "Consistency": "regularizer",
    "AdaptiveMirror": "augment",
}


@pytest.mark.parametrize("name", CLASSICS)
def test_they_pass_the_checks_for_third_parties(name):
    check_component(CLASSICS[name], getattr(classic_terms, name)())


def test_none_takes_more_than_25_lines():
    tree = ast.parse(inspect.getsource(classic_terms))
    lines = {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
    assert lines.keys() == CLASSICS.keys()
    assert max(len(ast.unparse(each).splitlines()) for each in lines.values()) <= 25
