"""Every registered component passes the conformance kit: games, sizes, gradients, compilation."""

from __future__ import annotations

import pytest

from lightning_gan.components import registry
from lightning_gan.testing import kit as kits
from lightning_gan.testing.games import NothingToCheck
from lightning_gan.testing.kit import Kit, checks_of, components_of

pytestmark = pytest.mark.slow
ELSEWHERE = ("loads", "contract")  # in tests/test_registry.py and test_conformance.py
OURS = components_of(registry.DISTRIBUTION)
CHECKED = [(e, check) for e in OURS for check in checks_of(e.kind) if check not in ELSEWHERE]


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return Kit([registry.DISTRIBUTION], tmp_path_factory.mktemp("games"))


@pytest.mark.parametrize(
    ("entry", "check"), CHECKED, ids=[f"{e.kind}-{e.name}-{check}" for e, check in CHECKED]
)
def test_registered_component_passes(entry, check, kit):
    try:
        kit.run(entry, check, OURS)
    except NothingToCheck as reason:
        pytest.skip(str(reason))


def test_every_kind_has_its_checks():
    assert kits.BY_KIND.keys() == registry.KINDS.keys()
