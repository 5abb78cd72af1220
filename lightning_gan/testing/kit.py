"""The conformance kit: every check of every component of installed distributions.

``pytest --lightning-gan-plugin DISTRIBUTION`` runs it; so does::

    kit = Kit(["my-gan"], folder)
    for entry, check in kit.items():
        kit.run(entry, check)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from lightning_gan.components import installed, registry
from lightning_gan.components.registry import Entry
from lightning_gan.errors import PluginError, nearest
from lightning_gan.testing import games, networks
from lightning_gan.testing.cases import Case
from lightning_gan.testing.component import check_component
from lightning_gan.testing.expectations import (
    ConformanceError,
    expect,
    failure,
    own_randomness,
    said,
)
from lightning_gan.testing.playing import State, coupling, make_game, play_whole
from lightning_gan.testing.ranks import play_ranks

PLAYED = ("repeatable", "resume", "micro-batches", "bfloat16", "two-processes")
NETWORK = ("sizes", "gradients", *PLAYED, "compile")
PART = ("sizes", *PLAYED, "heads")
# Checks of each kind beside "loads" and, but for torch's, "contract".
BY_KIND = {
    "generator": NETWORK,
    "discriminator": NETWORK,
    "loss": PART,
    "regularizer": PART,
    "alternation": PART,
    "augment": PART,
    "balance": PART,
    **dict.fromkeys(("prior", "average", "schedule", "optimizer", "lr_scheduler"), PLAYED),
}


def checks_of(kind: str) -> tuple[str, ...]:
    """Return the names of the checks of a kind of component, in the order in which they run."""
    contract = ("contract",) if registry.kind(kind).home is None else ()
    return ("loads", *contract, *BY_KIND[kind])


def components_of(distribution: str) -> list[Entry]:
    """Return the components of an installed distribution, or of a module under development.

    Raises:
        PluginError: There is no such distribution, or it has none.
    """
    name = installed.normalised(distribution)
    found = [entry for kind in registry.KINDS for entry in registry.entries(kind)]
    own = [entry for entry in found if installed.normalised(entry.distribution) == name]
    if not own:
        known = {entry.distribution for entry in found}
        raise PluginError(
            f"no distribution {distribution!r} with components is installed"
            f"{nearest(distribution, known) or '.'} Installed: {', '.join(sorted(known))}"
        )
    return own


class Kit:
    """The checks of the components of distributions.

    Args:
        distributions: Their names.
        folder: An empty folder for files.

    Raises:
        PluginError: One is not installed, or has no components.
    """

    def __init__(self, distributions: Iterable[str], folder: Path) -> None:
        found = [entry for name in distributions for entry in components_of(name)]
        self._entries = list(dict.fromkeys(found))
        self.folder = folder
        self._together: dict[Entry, list[dict[str, State]] | str] = {}
        self._wholes: dict[Entry, State] = {}

    def items(self) -> list[tuple[Entry, str]]:
        """Return each component with each of its checks, by name."""
        return [(entry, check) for entry in self._entries for check in checks_of(entry.kind)]

    def case(self, entry: Entry) -> Case:
        """Return a component as it is tried."""
        return Case(entry, self.folder / entry.distribution / entry.kind / entry.name)

    def run(self, entry: Entry, check: str, beside: Iterable[Entry] = ()) -> None:
        """Run one check.

        Args:
            entry: The component.
            check: The name of a check of its kind.
            beside: Components that are played in two processes sooner or later: all of them are
                played at once, since processes take seconds to start.

        Raises:
            ConformanceError: The component fails it; or cannot be tried.
            NothingToCheck: There is nothing to check.
        """
        assert check in checks_of(entry.kind), check
        case = self.case(entry)
        try:
            with own_randomness():
                reason = case.word("leave_out", {}).get(check) if check != "loads" else None
                if reason is not None:
                    raise games.NothingToCheck(f"left out by its distribution: {reason}")
                if check == "two-processes":
                    self._check_processes(case, [entry, *beside])
                else:
                    CHECKS[check](case)
        except (ConformanceError, games.NothingToCheck):
            raise
        except PluginError as error:
            raise ConformanceError(f"{entry.name}: {error}") from error
        except Exception as error:
            raise ConformanceError(
                f"{entry.name}: the {entry.kind} of {entry.distribution} cannot be tried, "
                f"{said(error)}; what its constructor or its check needs is declared in a mapping "
                "that an entry point of the group lightning_gan.cases names",
            ) from error

    def _check_processes(self, case: Case, entries: Iterable[Entry]) -> None:
        """Check that two processes with half of a batch each make the update of the whole one."""
        self._play_together(entries)
        found = self._together[case.entry]
        if isinstance(found, str):
            raise failure(
                case.component,
                f"must be played by two processes together, but one ended in {found}; let all of "
                "them call torch.distributed's functions equally often, and draw alike",
            )
        for way in ("dealt", "native"):  # the second with each rank's own randomness
            first, second = (each[way] for each in found)
            where, gap = games.difference(case, first, second)
            expect(
                gap == 0 and games.alike(first, second),
                case.component,
                f"must come to the same weights in all processes, but {where or 'a plain value'} "
                f"differs by {gap:.3g}: average what is counted over ranks, or count alike",
            )
        gan, _ = make_game(case)
        reason = coupling(gan, case, micro_batches=False)
        whole = self._wholes[case.entry]
        games.check_same(case, found[0]["dealt"], whole, reason, "two processes")

    def _play_together(self, entries: Iterable[Entry]) -> None:
        begun, folders = {}, {}
        for entry in dict.fromkeys(entries):
            if entry in self._together:
                continue
            case = self.case(entry)
            try:
                begun[entry], last = play_whole(case)
            except Exception as error:  # told by this component's own check
                self._together[entry] = said(error)
                continue
            self._wholes[entry] = last
            folders[entry] = case.folder
        if begun:
            place = self.folder / f"processes{len(self._together)}"
            self._together |= play_ranks(begun, folders, place)


def _check_loads(case: Case) -> None:
    assert case.component


def _check_contract(case: Case) -> None:
    tried = case.tried()
    check_component(case.kind, case.component, arguments=tried.arguments, **tried.keywords)
    if tried.arguments.get("num_classes") is not None and case.may_be_unconditional():
        tried = case.tried()
        unconditional = {**tried.arguments, "num_classes": None}
        check_component(case.kind, case.component, arguments=unconditional, **tried.keywords)


def _check_sizes(case: Case) -> None:
    if case.kind in ("generator", "discriminator"):
        networks.check_shapes(case)
    games.check_batch_sizes(case)


CHECKS: dict[str, Callable[[Case], None]] = {
    "loads": _check_loads,
    "contract": _check_contract,
    "sizes": _check_sizes,
    "gradients": networks.check_pair_gradients,
    "repeatable": games.check_repeatable,
    "resume": games.check_resume,
    "micro-batches": games.check_micro_batches,
    "bfloat16": games.check_bfloat16,
    "heads": games.check_heads,
    "compile": networks.check_compile,
}
