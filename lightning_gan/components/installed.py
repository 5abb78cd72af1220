"""What installed distributions say in their metadata; standard library only, imports nothing.

A distribution whose metadata cannot be read is a problem that is told, and hides no other one.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

PREFIX = "lightning_gan"
API_GROUP = f"{PREFIX}.api"
DISABLE = "LIGHTNING_GAN_DISABLE"
UNKNOWN = "unknown"  # of a distribution that has no name


@dataclass(frozen=True)
class Point:
    """One entry point in a group of ours.

    Attributes:
        group: For example ``lightning_gan.losses``.
        name: What is registered.
        value: What it stands for, ``module:attribute``.
        distribution: Who registers it.
        version: Version of the distribution.
    """

    group: str
    name: str
    value: str
    distribution: str
    version: str


@dataclass(frozen=True)
class Problem:
    """A distribution that cannot be used, or a word of the environment that means none.

    Attributes:
        distribution: Which one.
        version: Its version; "" where it has none.
        reason: What is wrong, and what to do.
    """

    distribution: str
    version: str
    reason: str


def points() -> tuple[Point, ...]:
    """Return the entry points in groups of ours of all distributions that can be read."""
    return _read()[0]


def problems() -> tuple[Problem, ...]:
    """Return the distributions that have groups of ours and cannot be read."""
    return _read()[1]


def forget() -> None:
    """Forget what was read."""
    _read.cache_clear()


def normalised(name: str) -> str:
    """Return a distribution's name as packaging compares it.

    Example:
        >>> normalised("My_GAN"), normalised("my.gan")
        ('my-gan', 'my-gan')
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions() -> dict[str, str]:
    """Return the versions of all that have a group of ours, by their names, sorted."""
    return dict(sorted({(point.distribution, point.version) for point in points()}))


def written_for(distribution: str) -> frozenset[str]:
    """Return the versions of the plugin interface that a distribution declares; often none."""
    return frozenset(
        p.name for p in points() if p.group == API_GROUP and p.distribution == distribution
    )


def words_of(variable: str) -> list[str]:
    """Return the words of an environment variable, separated by commas or spaces."""
    return [word for word in re.split(r"[,\s]+", os.environ.get(variable, "")) if word]


def is_disabled(distribution: str) -> bool:
    """Whether the environment switches a distribution off."""
    return normalised(distribution) in map(normalised, words_of(DISABLE))


def missing_module(value: str) -> str | None:
    """Return the top-level module of an entry point's value if it is not there; imports nothing."""
    top = re.split(r"[.:]", value, maxsplit=1)[0].strip()
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        found = None
    return top if found is None else None


def package_folder(package: str) -> Path | None:
    """Return the folder of a package, found without importing it or what it lies in.

    None where it has none, as in a zip, or where only an import could tell.
    """
    top, *rest = package.split(".")
    try:
        found = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        found = None
    places = (found and found.submodule_search_locations) or ()
    folders = (Path(place, *rest) for place in places)
    return next((folder for folder in folders if (folder / "__init__.py").is_file()), None)


@functools.cache
def _read() -> tuple[tuple[Point, ...], tuple[Problem, ...]]:
    found: list[Point] = []
    problems: list[Problem] = []
    seen = set()
    for distribution in metadata.distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
            if f"[{PREFIX}." not in text:
                continue
        except Exception:  # a file of somebody else, who may not be a plugin at all
            continue
        name, version = _name(distribution)
        if name != UNKNOWN and normalised(name) in seen:
            continue  # an older one further down the path
        seen.add(normalised(name))
        try:
            found += _points(distribution, name, version)
        except Exception as error:
            reason = (
                f"broken metadata: entry_points.txt cannot be read, {type(error).__name__}: "
                f"{' '.join(str(error).split())}; install it again"
            )
            problems.append(Problem(name, version, reason))
            continue
        if name == UNKNOWN:
            reason = "half installed: its metadata has no name; install it again"
            problems.append(Problem(name, version, reason))
    return tuple(found), tuple(problems)


def _points(distribution: metadata.Distribution, name: str, version: str) -> Iterator[Point]:
    for point in distribution.entry_points:
        if point.group.startswith(f"{PREFIX}."):
            yield Point(point.group, point.name, point.value, name, version)


def _name(distribution: metadata.Distribution) -> tuple[str, str]:
    """Return name and version; what cannot be read has none."""
    try:
        found = distribution.metadata
        return found["Name"] or UNKNOWN, found["Version"] or "0"
    except Exception:
        return UNKNOWN, "0"
