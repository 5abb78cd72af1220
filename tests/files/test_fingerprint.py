"""What is told apart by a fingerprint, and what is not."""

from __future__ import annotations

import hashlib

import pytest
import torch
from torch import nn

from lightning_gan.files.fingerprint import fingerprint, fingerprint_of_weights

X = torch.arange(6, dtype=torch.uint8)


def test_bytes_shapes_types_numbers_and_words():
    found = [
        fingerprint(X, 2),
        fingerprint(X, 3),
        fingerprint(X, "2 "),
        fingerprint(X.flip(0), 2),
        fingerprint(X.view(2, 3), 2),
        fingerprint(X.to(torch.int8), 2),
        fingerprint(X[:0], 2),
    ]
    assert len(set(found)) == len(found)


def test_memory_layout_and_devices_make_no_difference():
    assert fingerprint(X.view(3, 2).t().contiguous().t()) == fingerprint(X.view(3, 2))
    assert fingerprint(X) == hashlib.sha256(b"torch.uint8 (6,)\n\0\1\2\3\4\5").hexdigest()


@pytest.mark.parametrize(
    "name", ["bool", "float16", "bfloat16", "float64", "complex64", "float8_e4m3fn"]
)
def test_every_type_has_one(name):
    dtype = getattr(torch, name)
    one = fingerprint(X.to(dtype))
    assert one == fingerprint(X.clone().to(dtype))
    assert one != fingerprint(X.flip(0).to(dtype))
    assert fingerprint(torch.ones((), dtype=dtype)) != fingerprint(torch.zeros((), dtype=dtype))


def test_weights_have_names():
    one, other = nn.Sequential(nn.Linear(2, 2)), nn.ModuleDict({"a": nn.Linear(2, 2)})
    other["a"].load_state_dict(one[0].state_dict())
    assert fingerprint_of_weights(one) != fingerprint_of_weights(other)
    assert fingerprint_of_weights(one[0]) == fingerprint_of_weights(other["a"])
