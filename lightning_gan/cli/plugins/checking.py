"""``lightning-gan plugins check`` and ``doctor``: metadata first, then what is imported."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlparse

from lightning_gan.cli.plugins import showing
from lightning_gan.cli.plugins.faults import fault
from lightning_gan.cli.plugins.plugin_words import one_name, read_options
from lightning_gan.components import developing, installed, offered, registry
from lightning_gan.components.registry import Entry
from lightning_gan.errors import InputError, PluginError, nearest
from lightning_gan.files.columns import columns

NAME = re.compile(r"[A-Za-z]\w*")
VALUE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
GROUPS = [kind.group for kind in registry.KINDS.values()]
# A path that the user gives, such as data.root.
_NEEDED = re.compile(r"(data(?:\.\w+)+) is missing; expected")
OTHERS = [registry.CONFIG_GROUP, installed.API_GROUP, f"{installed.PREFIX}.cases"]


def check(words: Sequence[str]) -> int:
    """Check a component, or all of a distribution, and return the exit code.

    Returns:
        1 if something is wrong, else 0.

    Raises:
        InputError: There is no such component or distribution.
    """
    names, _ = read_options("check", words, {})
    distribution, entries, whole = _meant(one_name("check", names, "NAME or DISTRIBUTION"))
    wrong, notes = _of_metadata(distribution)
    rows, failures = [], list(wrong)
    for entry in entries:
        said = fault(entry) or _of_entry(entry)
        rows.append([entry.kind, entry.name, "wrong" if said else "ok"])
        failures += [f"{entry.kind} {entry.name}: {said}"] if said else []
    print(f"{distribution} {installed.distributions().get(distribution, developing.VERSION)}")
    if failures:  # nothing is imported
        print(columns([("kind", "name", "metadata"), *rows]))
        return _told(failures, notes)
    from lightning_gan.testing.kit import Kit, checks_of  # which needs torch

    with TemporaryDirectory() as folder:
        kit = Kit([distribution] if entries else [], Path(folder))
        for row, entry in zip(rows, entries, strict=True):
            for name in ("loads", "contract"):
                failed = ""
                if row[-1] in ("ok", "-") and name in checks_of(entry.kind):
                    try:
                        kit.run(entry, name)
                    except AssertionError as error:
                        failed = str(error)
                        failures.append(f"{entry.kind} {entry.name}: {failed}")
                    row.append("wrong" if failed else "ok")
                else:
                    row.append("-")
    for name in _experiments_of(distribution) if whole else ():
        said = _of_experiment(name)
        needed = _NEEDED.match(said)  # a path of the user's own, which is no fault
        found = f"needs {needed[1]}" if needed else "wrong" if said else "ok"
        rows.append(["experiment", name, "-", found, "-"])
        failures += [f"experiment {name}: {said}"] if said and not needed else []
    print(columns([("kind", "name", "metadata", "loads", "contract"), *rows]))
    return _told(failures, notes)


def doctor(words: Sequence[str]) -> int:
    """Run the kit and a distribution's own tests against this version; return the exit code.

    Returns:
        0 if all is well, else 1.

    Raises:
        InputError: There is no such distribution, no pytest, or no such folder of tests.
    """
    names, given = read_options("doctor", words, {"--tests": "FOLDER"})
    name = one_name("doctor", names, "DISTRIBUTION [--tests FOLDER]")
    distribution = _named(name)
    if distribution is None:
        raise InputError(_unknown_distribution(name))
    entries = _of_distribution(distribution)
    if importlib.util.find_spec("pytest") is None:
        raise InputError("plugins doctor runs tests with pytest: pip install pytest")
    wrong, notes = _of_metadata(distribution)
    wrong += [f"{e.kind} {e.name}: {fault(e)}" for e in entries if fault(e)]
    if wrong:
        return _told(wrong, notes)
    _told([], notes)
    tests = Path(given["--tests"]) if "--tests" in given else _tests_of(distribution)
    if "--tests" in given and not Path(given["--tests"]).exists():
        raise InputError(f"--tests: there is nothing at {given['--tests']}")
    own = [str(tests.resolve())] if tests else []
    if not own:
        print(f"{distribution} comes without its tests: the kit alone, or --tests FOLDER")
    with TemporaryDirectory() as empty:
        folder = tests.resolve().parent if tests else Path(empty)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += ["--lightning-gan-plugin", distribution] if entries else []
        command += own
        code = subprocess.run(command, cwd=folder, env=_environment(), check=False).returncode
    print(f"{distribution}: {'all is well' if code == 0 else 'something fails, see above'}")
    return int(code != 0)


def _environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path} if developing.modules() else dict(os.environ)


def _meant(name: str) -> tuple[str, list[Entry], bool]:
    """Return a distribution with its components, or with the one of a name; whether all is meant.

    Raises:
        InputError: There is neither.
    """
    distribution = _named(name)
    if distribution is not None:
        return distribution, _of_distribution(distribution), True
    if ":" not in name and not NAME.fullmatch(name):  # no component is called so
        raise InputError(_unknown_distribution(name))
    entry = showing.find_named(name)
    return entry.distribution, [entry], False


def _named(name: str) -> str | None:
    """Return the distribution of ours, or module under development, that a name means."""
    known = [*installed.distributions(), *developing.modules()]
    wanted = installed.normalised(name)
    return next((each for each in known if installed.normalised(each) == wanted), None)


def _experiments_of(distribution: str) -> list[str]:
    """Return the names of a distribution's experiments.

    Raises:
        PluginError: They cannot be found.
    """
    found = []
    for entry in registry.config_packages():
        if entry.distribution == distribution:
            try:
                place = installed.package_folder(entry.value) or files(entry.value)
                folder = place.joinpath("experiment")
            except Exception as error:
                raise PluginError(f"{entry} failed to import: {error}") from error
            if folder.is_dir():
                found += [each.name for each in folder.iterdir() if each.name.endswith(".yaml")]
    return sorted(name.removesuffix(".yaml") for name in found)


def _of_experiment(name: str) -> str:
    """Return what is wrong with an experiment's settings, or ""."""
    from lightning_gan.cli.settings import compose
    from lightning_gan.cli.settings.resolve import resolve

    try:
        resolve(compose.settings([f"experiment={name}"]))
    except InputError as error:
        return str(error)
    return ""


def _of_distribution(name: str) -> list[Entry]:
    wanted = installed.normalised(name)
    found = [
        e for k in registry.KINDS for e in (*registry.entries(k), *registry.disabled_entries(k))
    ]
    return [entry for entry in found if installed.normalised(entry.distribution) == wanted]


def _unknown_distribution(name: str) -> str:
    home = installed.normalised(name)
    if home in offered.table():
        return f"{name} is not installed: {offered.installing(home)}"
    known = {entry.distribution for kind in registry.KINDS for entry in registry.entries(kind)}
    return (
        f"there is no component and no distribution {name!r}{nearest(name, known) or '.'} "
        "All of them: lightning-gan plugins list"
    )


def _of_metadata(distribution: str) -> tuple[list[str], list[str]]:
    """Return what is wrong with a distribution's metadata, and what could be better."""
    known = [*GROUPS, *OTHERS]
    wrong = [
        f"the entry point {point.name} is in the group {point.group}, which nobody reads"
        f"{nearest(point.group, known) or '. Groups: ' + ', '.join(known)}"
        for point in installed.points()
        if point.distribution == distribution and point.group not in known
    ]
    if distribution in developing.modules():
        return wrong, []
    return wrong, list(_notes(distribution))


def _notes(distribution: str) -> Iterator[str]:
    if not installed.written_for(distribution):
        yield (
            "it does not say which version of the plugin interface it is written for; add to "
            f'pyproject.toml: [project.entry-points."{installed.API_GROUP}"] and below it '
            f'{registry.API_VERSION} = "MODULE"'
        )
    needs = metadata.requires(distribution) or []
    names = [installed.normalised(re.split(r"[^\w.-]", need, maxsplit=1)[0]) for need in needs]
    if registry.DISTRIBUTION not in [*names, distribution]:
        yield 'it does not depend on us; add dependencies = ["lightning-gan"] to pyproject.toml'


def _of_entry(entry: Entry) -> str:
    """Return what is wrong with an entry, by its metadata alone."""
    if not NAME.fullmatch(entry.name):
        return f"the name {entry.name!r} cannot be typed; use letters, digits and underscores"
    if not VALUE.fullmatch(entry.value):
        return f"{entry.value!r} names no class; write MODULE:CLASS"
    others = [
        each.distribution
        for each in registry.entries(entry.kind)
        if each.name == entry.name and each.distribution != entry.distribution
    ]
    if others:
        return (
            f"{', '.join(others)} has this name, too: choose another one, or users must write "
            f"{entry.distribution}:{entry.name}"
        )
    return ""


def _told(failures: Sequence[str], notes: Sequence[str]) -> int:
    for note in notes:
        print(f"note: {note}")
    for failure in failures:
        print(f"wrong: {failure}")
    return int(bool(failures))


def _tests_of(distribution: str) -> Path | None:
    """Return the folder of tests beside the source that a distribution was installed from."""
    if distribution in (registry.DISTRIBUTION, *developing.modules()):
        return None
    text = metadata.distribution(distribution).read_text("direct_url.json")
    url = urlparse(json.loads(text).get("url", "")) if text else None
    if url is None or url.scheme != "file":
        return None
    tests = Path(unquote(url.path)) / "tests"
    return tests if tests.is_dir() else None
