"""A plugin of pytest: ``pytest --lightning-gan-plugin DISTRIBUTION`` runs the conformance kit.

Every component of the installed distribution gets a test for each check of its kind. Importing
this file imports neither torch nor lightning_gan's rooms: pytest does so in all its runs.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from lightning_gan.errors import InputError

if TYPE_CHECKING:
    from lightning_gan.components.registry import Entry
    from lightning_gan.testing.kit import Kit

OPTION = "--lightning-gan-plugin"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("lightning-gan").addoption(
        OPTION,
        action="append",
        default=[],
        metavar="DISTRIBUTION",
        help="check every component of an installed distribution; may be given several times",
    )


@pytest.hookimpl(tryfirst=True)  # before -k and the like choose among them
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the checks of the distributions that the option names.

    Raises:
        UsageError: One is not installed, or has no components.
    """
    distributions = config.getoption(OPTION)
    if not distributions:
        return
    from lightning_gan.testing.kit import Kit  # which needs torch

    folder = TemporaryDirectory(prefix="lightning-gan-")
    config.add_cleanup(folder.cleanup)
    try:
        kit = Kit(distributions, Path(folder.name))
    except InputError as error:
        raise pytest.UsageError(f"{OPTION}: {error}") from error
    for entry, check in kit.items():
        name = f"{entry.kind}/{entry.name}::{check}"
        node = f"{entry.distribution}::{name}"
        items.append(
            ConformanceItem.from_parent(
                session, name=name, nodeid=node, kit=kit, entry=entry, check=check
            )
        )


class ConformanceItem(pytest.Item):
    """One check of one component.

    Args:
        kit: The kit of its distribution.
        entry: The component.
        check: The name of the check.
        keywords: Of pytest.
    """

    def __init__(self, *, kit: Kit, entry: Entry, check: str, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.kit, self.entry, self.check = kit, entry, check

    def runtest(self) -> None:
        """Run the check."""
        from lightning_gan.testing.games import NothingToCheck

        mates = [
            item.entry
            for item in self.session.items
            if isinstance(item, ConformanceItem)
            and item.kit is self.kit
            and item.check == self.check
        ]
        try:
            self.kit.run(self.entry, self.check, mates)
        except NothingToCheck as reason:
            pytest.skip(str(reason))

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        """Return the sentence of a check that fails, without a traceback."""
        from lightning_gan.testing.expectations import ConformanceError

        if isinstance(excinfo.value, ConformanceError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> Any:
        """Return what pytest shows of the check."""
        return self.path, None, self.name
