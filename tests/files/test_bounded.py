"""Foreign trees are left where they are too much."""

from __future__ import annotations

import pytest

from lightning_gan.files.bounded import excess


def chain(length):
    tree = []
    for _ in range(length):
        tree = [tree]
    return tree


LOOP = {}
LOOP["again"] = LOOP
BILLIONS = [0]
for _ in range(40):
    BILLIONS = [BILLIONS, BILLIONS]


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (7, ""),
        ({"a": [1, (2, {"b": 3})]}, ""),
        (chain(10), ""),
        (chain(11), "is nested more than 10 levels deep"),
        (list(range(99)), ""),
        (list(range(100)), "has more than 100 parts"),
        (LOOP, "is nested more than 10 levels deep"),
    ],
)
def test_depth_and_size(tree, text):
    assert excess(tree, deepest=10, most=100) == text


def test_a_small_file_that_stands_for_billions():
    assert excess(BILLIONS, deepest=50, most=1000) == "has more than 1,000 parts"


def test_the_first_node_that_is_refused_is_the_one_that_is_told():
    def inner(node):
        if node < 0:
            raise ValueError(node)
        return {0: [1, 2], 1: [-3, -4], 2: [-5]}.get(node, [])

    with pytest.raises(ValueError, match="-3"):
        excess(0, deepest=5, most=50, inner=inner)
