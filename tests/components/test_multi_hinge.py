"""The hinge loss of several classes against scikit-learn's, and each player's half."""

import numpy as np
import pytest
import torch
from sklearn.metrics import hinge_loss
from updates import Repeats, tensor, update

from lightning_gan.errors import InputError
from lightning_gan.regularizers.multi_hinge import MultiHingeRegularizer
from lightning_gan.types import Player

REAL = tensor([2.0, 0.0, 1.5], [0.0, 3.0, 1.0], [1.0, 1.0, 1.0])
FAKE = tensor([-1.0, 4.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 1.5])
Y, FAKE_Y = torch.tensor([0, 1, 2]), torch.tensor([0, 0, 2])
REAL_COST, FAKE_COST = [0.5, 0.0, 1.0], [6.0, 0.5, 0.0]


def step(player, y=Y):
    judge = Repeats("class_logits")
    return update(player, REAL, FAKE, y=y, fake_y=FAKE_Y, discriminator=judge)


def test_by_hand():
    found = MultiHingeRegularizer(discriminator_weight=2).discriminator(step(Player.DISCRIMINATOR))
    assert found.tolist() == [2 * cost for cost in REAL_COST]
    found = MultiHingeRegularizer(generator_weight=3).generator(step(Player.GENERATOR))
    assert found.tolist() == [3 * cost for cost in FAKE_COST]
    both = MultiHingeRegularizer(discriminator_samples="both")
    expected = (np.array(REAL_COST) + FAKE_COST).tolist()
    assert both.discriminator(step(Player.DISCRIMINATOR)).tolist() == expected


def test_samples_without_a_label_have_no_term():
    made = step(Player.DISCRIMINATOR, torch.tensor([0, 1, -1]))
    assert MultiHingeRegularizer().discriminator(made).tolist() == [REAL_COST[0], REAL_COST[1], 0]


def test_it_is_crammers_and_singers():
    logits, y = torch.randn(50, 4), torch.randint(4, (50,))
    judge = Repeats("class_logits")
    made = update(Player.GENERATOR, logits, logits, fake_y=y, discriminator=judge)
    found = MultiHingeRegularizer().generator(made).mean().item()
    expected = hinge_loss(y.numpy(), logits.double().numpy(), labels=range(4))
    assert found == pytest.approx(expected, rel=1e-5)


def test_gradients_go_to_the_class_and_its_nearest_rival():
    logits = REAL.clone().requires_grad_()
    judge = Repeats("class_logits")
    made = update(Player.GENERATOR, REAL, logits, fake_y=Y, discriminator=judge)
    (gradient,) = torch.autograd.grad(MultiHingeRegularizer().generator(made).sum(), logits)
    assert gradient[0].tolist() == [-1.0, 0.0, 1.0]
    assert gradient[1].tolist() == [0.0, 0.0, 0.0]


def test_errors():
    with pytest.raises(InputError, match="must be 'real' or 'both', got 'fake'"):
        MultiHingeRegularizer(discriminator_samples="fake")
    with pytest.raises(InputError, match=r"MultiHingeRegularizer needs class labels, .* got a ten"):
        MultiHingeRegularizer().discriminator(step(Player.DISCRIMINATOR, y=Y.float()))
