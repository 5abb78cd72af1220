"""PacGAN's packing: packs, gradients, training, errors by their texts."""

import pytest
import torch
import toys
from torch import nn

from lightning_gan.components.spec import build
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.discriminators.packed import PackedDiscriminator
from lightning_gan.discriminators.patch import PatchDiscriminator
from lightning_gan.errors import InputError
from lightning_gan.losses.relativistic_paired import RelativisticPairedLoss
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import DiscriminatorOutput, Player


class Product(Discriminator):
    """D(a, b) = a b for packs of two numbers, whose gradient is (b, a)."""

    sample_shape = (2,)

    def forward(self, x, y=None):
        return x.prod(1)


def test_neighbors_are_judged_as_one():
    packed = PackedDiscriminator(Product(), packing=2)
    assert packed.sample_shape == (1,)
    x = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    assert packed(x, torch.zeros(4, dtype=torch.int64)).tolist() == [2, 12]
    assert packed(x[:3]).tolist() == [2, 3]  # 3 and, filled up, 1
    assert packed(x[1:2]).tolist() == [4]
    assert PackedDiscriminator(Product(), packing=1)(torch.tensor([[2.0, 3.0]])).tolist() == [6]


def test_images_are_stacked_on_their_channels():
    inner = PatchDiscriminator((6, 8, 8), 2, norm="none")
    packed = PackedDiscriminator(inner, packing=3)
    x = torch.randn(6, 2, 8, 8)
    output = packed(x)
    stacked = torch.stack([torch.cat(list(x[:3])), torch.cat(list(x[3:]))])
    assert isinstance(output, DiscriminatorOutput)
    assert torch.equal(output.logits, inner(stacked).logits)
    assert output.logits.shape[0] == 2
    assert packed.couples_samples


def test_r1_is_a_mean_over_samples_of_the_gradients_of_their_packs():
    step = AdversarialStep(
        Player.DISCRIMINATOR,
        real=torch.tensor([[1.0], [2.0], [3.0], [4.0]]),
        fake=torch.zeros(4, 1),
        generator=nn.Identity(),
        discriminator=PackedDiscriminator(Product(), packing=2),
        differentiates=R1Regularizer.differentiates,
    )
    term = R1Regularizer(weight=1.0).discriminator(step)
    expected = torch.tensor([4.0, 1.0, 16.0, 9.0])
    torch.testing.assert_close(term / term[1], expected)


@pytest.mark.parametrize("loss", [None, RelativisticPairedLoss()])
def test_training(tmp_path, loss):
    torch.manual_seed(0)
    inner = MLPDiscriminator((2, 4, 4), hidden=(4,), dropout=0.0)
    gan = toys.gan(
        discriminator=PackedDiscriminator(inner, 2),
        regularizers={"r1": R1Regularizer()},
        **({} if loss is None else {"loss": loss}),
    )
    before = toys.weights(inner)
    toys.fit(tmp_path, gan, 3, toys.loader(toys.images(24)))
    assert all(value.isfinite().all() for value in toys.weights(inner).values())
    assert not toys.same(before, toys.weights(inner))


def test_it_is_rebuilt_with_what_it_wraps():
    packed = PackedDiscriminator(MLPDiscriminator((4, 2), hidden=(3,)), packing=2)
    twin = build(packed.spec())
    twin.load_state_dict(packed.state_dict())
    assert (twin.packing, twin.sample_shape) == (2, (2, 2))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: PackedDiscriminator(Product(), packing=0), "packing must be at least 1, got 0"),
        (
            lambda: PackedDiscriminator(Product(), packing=3),
            r"packing=3 needs a discriminator .* multiple of 3 channels, got sample_shape=\(2,\)",
        ),
        (
            lambda: PackedDiscriminator(MLPDiscriminator((2, 4), num_classes=3)),
            "a packed discriminator takes no condition, got one with num_classes=3",
        ),
    ],
)
def test_wrong_arguments(make, text):
    with pytest.raises(InputError, match=text):
        make()
