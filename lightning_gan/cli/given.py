"""Words of the commands with a few options: ``--name value``, ``--name=value``, ``name=value``."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_gan.cli.arguments import Request
from lightning_gan.errors import InputError, nearest


@dataclass(frozen=True)
class Option:
    """One option of a command.

    Attributes:
        name: Without dashes.
        read: Makes a value of its text, or raises InputError saying what was expected.
        doc: What it means, a line of the help page.
        default: Its value where it is not given.
        shown: The default as the help page says it.
    """

    name: str
    read: Callable[[str], Any]
    doc: str
    default: Any = None
    shown: str = ""


@dataclass(frozen=True)
class Command:
    """A command: what it takes, and its help page.

    Attributes:
        name: Its word.
        places: What stands before the options, by what help calls it.
        does: What it does, in a few sentences.
        options: Its options.
        examples: Whole lines; the first is shown where one is used wrongly.
    """

    name: str
    places: tuple[str, ...]
    does: str
    options: tuple[Option, ...]
    examples: tuple[str, ...]

    def read(self, request: Request) -> tuple[list[str], dict[str, Any]]:
        """Return the words in their places, and the value of every option.

        Raises:
            InputError: A word is missing or too many, an option is unknown or its value is wrong.
        """
        known = {option.name: option for option in self.options}
        words, given = [], {}
        for name, value in self._split(request.words, known):
            if name is None:
                words.append(value)
                continue
            if name in given:
                raise InputError(f"{self.name}: --{name} is given twice")
            try:
                given[name] = known[name].read(value)
            except InputError as error:
                raise InputError(f"{self.name}: --{name} expects {error}") from error
        if len(words) != len(self.places):
            expected = " and ".join(self.places)
            raise InputError(
                f"{self.name} expects {expected} first, got {' '.join(words) or 'nothing'}: "
                f"{self.examples[0]}"
            )
        return words, {name: given.get(name, option.default) for name, option in known.items()}

    def help(self) -> str:
        """Return the help page."""
        width = 2 + max(len(option.name) + len(option.shown) for option in self.options) + 2
        rows = [
            f"  --{option.name}{f'={option.shown}' if option.shown else ''}".ljust(width + 4)
            + option.doc
            for option in self.options
        ]
        examples = "\n".join(f"  {line}" for line in self.examples)
        usage = " ".join(["usage: lightning-gan", self.name, *self.places, "[--name=value ...]"])
        parts = (usage, self.does, "options:\n" + "\n".join(rows), f"examples:\n{examples}")
        return "\n\n".join(parts)

    def _split(
        self, words: Sequence[str], known: dict[str, Option]
    ) -> Iterator[tuple[str | None, str]]:
        """Yield names and values of options, and words without a name."""
        queue = list(words)
        while queue:
            word = queue.pop(0)
            name, equals, value = word.partition("=")
            if not word.startswith("--"):
                named = bool(equals) and name in known and not Path(word).exists()
                yield (name, value) if named else (None, word)
                continue
            name = name[2:]
            if name not in known:
                options = [f"--{each}" for each in known]
                near = nearest(f"--{name}", options) or "."
                raise InputError(
                    f"{self.name}: unknown option --{name}{near} Options are {', '.join(options)}"
                )
            if not equals:
                if not queue or queue[0].startswith("--"):
                    raise InputError(f"{self.name}: --{name} needs a value: --{name}=VALUE")
                value = queue.pop(0)
            if not value:
                raise InputError(f"{self.name}: --{name} is empty; leave it out or give a value")
            yield name, value


def whole_from(least: int) -> Callable[[str], int]:
    """Return what reads a whole number from ``least``."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise InputError(f"a whole number from {least}, got {text!r}")
        return number

    return read


def any_number(text: str) -> float:
    """Read a finite number."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"a number, got {text!r}")
    return found


def number_from_0(text: str) -> float:
    """Read a finite number that is not negative."""
    try:
        found = any_number(text)
    except InputError:
        found = -1.0
    if found < 0:
        raise InputError(f"a number from 0, got {text!r}")
    return found


def wholes(text: str) -> list[int]:
    """Read whole numbers with commas between them."""
    try:
        return [int(item) for item in text.strip("[]").split(",")]
    except ValueError:
        raise InputError(f"whole numbers with commas between them, got {text!r}") from None


def texts(text: str) -> list[str]:
    """Read texts with commas between them."""
    return [item.strip() for item in text.strip("[]").split(",") if item.strip()]


def file_path(text: str) -> Path:
    """Read a path; ``~`` is the home folder, which shells leave alone behind an ``=``."""
    return Path(os.path.expanduser(text))


def sides(text: str) -> tuple[int, int]:
    """Read rows and columns, ``8x8``."""
    rows, _, columns = text.lower().partition("x")
    if not (rows.isdecimal() and columns.isdecimal() and int(rows) and int(columns)):
        raise InputError(f"ROWSxCOLUMNS, such as 8x8, got {text!r}")
    return int(rows), int(columns)


def yes(text: str) -> bool:
    """Read true or false."""
    if text.lower() not in ("true", "false"):
        raise InputError(f"true or false, got {text!r}")
    return text.lower() == "true"


def one_of(*choices: str) -> Callable[[str], str]:
    """Return what reads one of some words."""

    def read(text: str) -> str:
        if text not in choices:
            raise InputError(f"one of {', '.join(choices)}, got {text!r}{nearest(text, choices)}")
        return text

    return read
