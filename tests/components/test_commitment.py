"""The terms of a codebook by hand, and whom each of them moves."""

import pytest
import torch
import toys
from updates import tensor, update

from lightning_gan.errors import InputError
from lightning_gan.regularizers.commitment import CommitmentRegularizer
from lightning_gan.types import Player

ENCODED, QUANTIZED = tensor([1.0, 2.0], [0.0, 4.0]), tensor([2.0, 2.0], [0.0, 0.0])


def terms(encoded=ENCODED, quantized=QUANTIZED, **options):
    x = torch.zeros(2, 1)
    by_products = {"encoded": encoded, "quantized": quantized}
    step = update(Player.GENERATOR, x, x, by_products=by_products)
    return CommitmentRegularizer(**options).generator(step)


def test_by_hand():
    found = terms(beta=0.5)
    assert found["codebook"].tolist() == [0.5, 8.0]
    assert found["commitment"].tolist() == [0.25, 4.0]
    assert terms(codebook_weight=0.0).keys() == {"commitment"}
    assert terms(beta=0.0).keys() == {"codebook"}


def test_each_moves_one_side():
    encoded, quantized = ENCODED.clone().requires_grad_(), QUANTIZED.clone().requires_grad_()
    found = terms(encoded, quantized)
    for name, moved, left in (
        ("codebook", quantized, encoded),
        ("commitment", encoded, quantized),
    ):
        reached = torch.autograd.grad(found[name].sum(), [moved, left], allow_unused=True)
        assert reached[0].abs().sum() > 0
        assert reached[1] is None


def test_errors():
    with pytest.raises(InputError, match="must be 0 or more, and not both 0, got -1 and 1.0"):
        CommitmentRegularizer(beta=-1)
    with pytest.raises(InputError, match="must be 0 or more, and not both 0, got 0 and 0"):
        CommitmentRegularizer(beta=0, codebook_weight=0)
    with pytest.raises(InputError, match=r"must have one shape, got \(2, 2\) and \(2, 1\)"):
        terms(quantized=QUANTIZED[:, :1])
    with pytest.raises(InputError, match="needs 'encoded', which neither MLPGenerator nor"):
        toys.gan(regularizers={"book": CommitmentRegularizer()})
