"""The class loss of AC-GANs against a softmax in NumPy, and in training."""

import numpy as np
import pytest
import torch
import toys
from torch import nn

from lightning_gan.discriminators.acgan import ACGANDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.acgan import ACGANGenerator
from lightning_gan.regularizers.auxiliary_classifier import AuxiliaryClassifierRegularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import DiscriminatorOutput, Player

REAL = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]])
FAKE = torch.tensor([[0.0, 0.0, 0.0], [1.0, -2.0, 0.0]])
Y, FAKE_Y = torch.tensor([0, 1]), torch.tensor([2, 0])


class Told(nn.Module):
    """A discriminator whose class logits are its input."""

    def forward(self, x, y=None):
        return DiscriminatorOutput(x.sum(1), class_logits=x)


def step(player, y=Y):
    return AdversarialStep(
        player,
        real=REAL,
        y=y,
        fake=FAKE,
        fake_y=FAKE_Y,
        z=torch.zeros(2, 0),
        generator=nn.Identity(),
        discriminator=Told(),
        augment=nn.Identity(),
        draw_latents=lambda n: torch.zeros(n, 0),
    )


def cross_entropy(logits, y):
    logits = logits.double().numpy()
    return np.log(np.exp(logits).sum(1)) - logits[np.arange(len(y)), y.numpy()]


@pytest.mark.parametrize("weight", [1.0, 2.0])
def test_terms_by_hand(weight):
    real, fake = cross_entropy(REAL, Y), cross_entropy(FAKE, FAKE_Y)
    for samples, expected in {"real": real, "both": real + fake}.items():
        regularizer = AuxiliaryClassifierRegularizer(
            discriminator_weight=weight, discriminator_samples=samples
        )
        found = regularizer.discriminator(step(Player.DISCRIMINATOR))
        np.testing.assert_allclose(found.numpy(), weight * expected, rtol=1e-6)
    found = AuxiliaryClassifierRegularizer(generator_weight=weight).generator(
        step(Player.GENERATOR)
    )
    np.testing.assert_allclose(found.numpy(), weight * fake, rtol=1e-6)


def test_samples_without_a_label_have_no_term():
    regularizer = AuxiliaryClassifierRegularizer(discriminator_samples="real")
    found = regularizer.discriminator(step(Player.DISCRIMINATOR, torch.tensor([0, -1])))
    np.testing.assert_allclose(found.numpy(), [cross_entropy(REAL, Y)[0], 0], rtol=1e-6)


def test_shares_of_classes_are_targets():
    y = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    regularizer = AuxiliaryClassifierRegularizer(discriminator_samples="real", told="shares")
    found = regularizer.discriminator(step(Player.DISCRIMINATOR, y))
    each = [cross_entropy(REAL, torch.full((2,), k)) for k in range(3)]
    np.testing.assert_allclose(found.numpy(), (y.numpy().T * each).sum(0), rtol=1e-6)


def test_several_labels_are_independent():
    y = torch.tensor([[1, 0, 1], [0, 0, 1]])
    regularizer = AuxiliaryClassifierRegularizer(discriminator_samples="real", told="labels")
    found = regularizer.discriminator(step(Player.DISCRIMINATOR, y))
    p = 1 / (1 + np.exp(-REAL.double().numpy()))
    expected = -np.log(np.where(y.numpy() == 1, p, 1 - p)).sum(1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def test_values_have_a_squared_error():
    y = torch.tensor([[2.5, 0.0, -1.0], [0.0, 0.5, -1.0]])
    regularizer = AuxiliaryClassifierRegularizer(discriminator_samples="real", told="values")
    found = regularizer.discriminator(step(Player.DISCRIMINATOR, y))
    np.testing.assert_allclose(found.numpy(), [0.125, 0.125 + 8.0], rtol=1e-6)


@pytest.mark.parametrize("told", ["labels", "values"])
def test_one_number_needs_no_second_dimension(told):
    regularizer = AuxiliaryClassifierRegularizer(told=told)
    output = DiscriminatorOutput(torch.zeros(2), class_logits=torch.tensor([[1.0], [2.0]]))
    y = torch.tensor([1.0, 0.0])
    found, same = (regularizer._cross_entropy(output, each) for each in (y, y[:, None]))
    assert found.shape == (2,)
    assert torch.equal(found, same)


@pytest.mark.parametrize(
    ("told", "y", "text"),
    [
        ("classes", torch.rand(2, 3), "say what they are, told='labels'"),
        ("classes", torch.ones(2, 3, dtype=torch.int64), "say what they are, told='labels'"),
        (
            "labels",
            torch.tensor([[0.0, 1.0, 7.5], [0.0, 0.0, 1.0]]),
            "zeros and ones, got .*to 7.5",
        ),
        ("shares", torch.rand(2, 3), "sum to 1, got"),
        ("labels", torch.rand(2, 2), r"needs a condition of shape \(N, 3\), .*got"),
        ("values", torch.rand(2), r"needs a condition of shape \(N, 3\), .*got"),
        ("values", None, "got none"),
    ],
)
def test_conditions_that_are_something_else(told, y, text):
    with pytest.raises(InputError, match=text):
        AuxiliaryClassifierRegularizer(told=told).discriminator(step(Player.DISCRIMINATOR, y))


def test_an_unknown_kind_of_condition():
    with pytest.raises(InputError, match="told must be 'classes', .*got 'numbers'"):
        AuxiliaryClassifierRegularizer(told="numbers")


def test_data_without_classes():
    with pytest.raises(InputError, match="AuxiliaryClassifierRegularizer needs class labels, int6"):
        AuxiliaryClassifierRegularizer().discriminator(step(Player.DISCRIMINATOR, None))


def test_each_weight_is_for_its_own_player():
    regularizer = AuxiliaryClassifierRegularizer(discriminator_weight=0.0)
    assert not regularizer.discriminator(step(Player.DISCRIMINATOR)).any()
    assert regularizer.generator(step(Player.GENERATOR)).all()


def test_an_untrained_classifier_of_k_classes_costs_the_logarithm_of_k():
    regularizer = AuxiliaryClassifierRegularizer()
    assert regularizer.generator(step(Player.GENERATOR))[0].item() == pytest.approx(np.log(3))


def acgan(num_classes=3, **options):
    return toys.gan(
        generator=ACGANGenerator((1, 8, 8), 4, base_channels=2, num_classes=num_classes),
        discriminator=ACGANDiscriminator((1, 8, 8), base_channels=2, num_classes=num_classes),
        regularizers={"classes": AuxiliaryClassifierRegularizer()},
        **options,
    )


def test_training_reports_both_terms(tmp_path):
    module = acgan(fake_labels="uniform", generator_batch=2)
    x, y = toys.images(16, (1, 8, 8)), torch.arange(16) % 3
    toys.fit(tmp_path, module, steps=2, data=toys.loader(x, y))
    for player in ("discriminator", "generator"):
        assert module.latest_metrics[f"regularizer/classes/{player}"] > 0


@pytest.mark.slow
def test_it_learns_classes_that_can_be_told(tmp_path):
    y = torch.arange(24) % 3
    x = torch.full((24, 1, 8, 8), -1.0)
    x[torch.arange(24), 0, 2 * y] = 1.0  # a bright row whose height is the class
    module = acgan(discriminator_optimizer=lambda p: torch.optim.Adam(p, lr=0.01))
    toys.fit(tmp_path, module, steps=60, data=toys.loader(x, y))
    module.eval()
    assert (module.discriminator(x).class_logits.argmax(1) == y).all()


def test_a_discriminator_without_class_logits_is_refused():
    text = "regularizer 'classes' .*needs 'class_logits', which neither .* provides"
    with pytest.raises(InputError, match=text):
        acgan(num_classes=None)
    with pytest.raises(InputError, match=text):
        toys.gan(regularizers={"classes": AuxiliaryClassifierRegularizer()})


def test_unknown_samples():
    with pytest.raises(InputError, match="must be 'both' or 'real', got 'fake'"):
        AuxiliaryClassifierRegularizer(discriminator_samples="fake")
