"""Numbers in the address of a request, read strictly and within bounds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from lightning_gan.errors import InputError
from lightning_gan.explore.explorer import Pick

MOST_SEED = 2**32 - 1
MOST_SAMPLES = 64
MOST_FRAMES = 32
MOST_MAP = 16
MOST_PSI = 2.0
SIDES = (8, 1024)
TURNS = "turns"
_WHOLE = re.compile(r"[0-9]{1,10}")


class Parameters:
    """The parameters of one request, each of which is asked for once and then checked off.

    Args:
        given: Pairs of names and texts.
        names: Those that the request knows.

    Raises:
        InputError: One is unknown or given twice.
    """

    def __init__(self, given: Iterable[tuple[str, str]], names: tuple[str, ...]) -> None:
        self._given: dict[str, str] = {}
        for name, text in given:
            if name not in names:
                raise InputError(f"unknown parameter; expected {', '.join(names) or 'none'}")
            if name in self._given:
                raise InputError(f"{name} is given twice")
            self._given[name] = text

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number.

        Raises:
            InputError: It is none, or out of range.
        """
        text = self._given.get(name)
        return default if text is None else _whole(text, name, least, most)

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """Return a number.

        Raises:
            InputError: It is none, or out of range.
        """
        text = self._given.get(name)
        return default if text is None else _number(text, name, least, most)

    def label(self, classes: int | None) -> int | None:
        """Return a class; None where none is given.

        Raises:
            InputError: It is none, or there are no classes.
        """
        text = self._given.get("label")
        if text is None:
            return None
        if classes is None:
            raise InputError("label is given, and this generator has no classes")
        return _whole(text, "label", 0, classes - 1)

    def turns(self, classes: int | None) -> list[int] | None:
        """Return the classes that take turns: all, one, or None where none is given.

        Raises:
            InputError: It is no class, or there are none.
        """
        if self._given.get("label") == TURNS and classes is not None:
            return list(range(classes))
        label = self.label(classes)
        return None if label is None else [label]

    def pick(self, name: str) -> Pick:
        """Return a sample that was picked, SEED:NUMBER.

        Raises:
            InputError: It is missing, or no such pair.
        """
        seed, _, number = self._given.get(name, "").partition(":")
        try:
            return Pick(_whole(seed, name, 0, MOST_SEED), _whole(number, name, 0, MOST_SAMPLES - 1))
        except InputError as error:
            raise InputError(
                f"{name} expects SEED:NUMBER, with a number below {MOST_SAMPLES}"
            ) from error

    def seed(self) -> int:
        """Return the seed."""
        return self.whole("seed", 0, 0, MOST_SEED)

    def truncation(self) -> float | None:
        """Return psi; None where none is given.

        Raises:
            InputError: It is none, or out of range.
        """
        text = self._given.get("truncation")
        return None if text is None else _number(text, "truncation", 0.0, MOST_PSI)


def _whole(text: str, name: str, least: int, most: int) -> int:
    number = int(text) if _WHOLE.fullmatch(text) else -1
    if not least <= number <= most:
        raise InputError(f"{name} expects a whole number from {least} to {most}")
    return number


def _number(text: str, name: str, least: float, most: float) -> float:
    try:
        found = float(text) if len(text) <= 32 else math.nan
    except ValueError:
        found = math.nan
    if not least <= found <= most:
        raise InputError(f"{name} expects a number from {least:g} to {most:g}")
    return found


def bounds() -> Mapping[str, object]:
    """Return the bounds as the page is told them."""
    return {
        "seed": MOST_SEED,
        "num": MOST_SAMPLES,
        "frames": MOST_FRAMES,
        "map": MOST_MAP,
        "truncation": MOST_PSI,
        "sides": SIDES,
    }
