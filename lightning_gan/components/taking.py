"""What a class takes, read from its constructor, and said where something else was given."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lightning_gan.components.signature_seams import parameters_of
from lightning_gan.errors import InputError, nearest

LONGEST = 100  # characters of an argument's documentation in a message


@dataclass(frozen=True)
class Argument:
    """One argument of a class.

    Attributes:
        name: Its name.
        hint: Its type; ``Any`` where it has none.
        required: Whether it must be given.
        default: Its default.
        doc: Its documentation, on one line.
    """

    name: str
    hint: Any
    required: bool
    default: Any
    doc: str

    def meaning(self) -> str:
        """Return what a message says of it: the beginning of its documentation, or ""."""
        first = self.doc.partition(". ")[0].rstrip(".").replace("``", "`")
        small = first[:1] if first[1:2].isupper() else first[:1].lower()  # RGB stays RGB
        return small + first[1:] if len(first) <= LONGEST else ""


@functools.lru_cache(maxsize=512)
def arguments_of(cls: type, skip: int = 0) -> dict[str, Argument]:
    """Return the arguments that a class takes by name, without the first ``skip``.

    Those that its constructor hands on as ``**kwargs`` are found where they arrive.
    """
    found: dict[str, Argument] = {}
    for given in parameters_of(cls)[skip:]:
        hint = Any if given.annotation is inspect.Parameter.empty else given.annotation
        required = given.default is inspect.Parameter.empty
        if required or given.name[0] != "_":
            doc = " ".join((given.doc or "").split())
            found[given.name] = Argument(given.name, hint, required, given.default, doc)
    return found


class Taken:
    """The named arguments of a class, to check those that are given.

    What becomes of ``**kwargs`` only the constructor knows: then any name is taken, and those that
    are known are listed.

    Args:
        cls: The class.

    Attributes:
        names: The arguments, in order.
        required: Those of its own constructor without a default.
        is_open: Whether any other name is taken as well.

    Example:
        >>> class Base:
        ...     def __init__(self, weight=1.0): ...
        >>> class Term(Base):
        ...     def __init__(self, margin, weight=2.0): ...
        >>> taken = Taken(Term)
        >>> taken.names, taken.required, taken.is_open
        (['margin', 'weight'], ['margin'], False)
    """

    def __init__(self, cls: type) -> None:
        known, own = arguments_of(cls), _own(cls)
        self.names = list(known)
        self.required = [n for n, argument in known.items() if argument.required and n in own]
        self.is_open = any(parameter.kind is parameter.VAR_KEYWORD for parameter in own.values())

    def check(self, what: str, given: Iterable[str]) -> None:
        """Check the names of arguments before a constructor runs.

        Args:
            what: What is built, for the sentence.
            given: The names.

        Raises:
            InputError: One is unknown or missing.
        """
        given = list(given)
        listing = f"It takes {', '.join(self.names)}" if self.names else "It takes none"
        for name in () if self.is_open else given:
            if name not in self.names:
                hint = nearest(name, self.names) or "."
                raise InputError(f"{what} has no argument {name!r}{hint} {listing}")
        missing = [name for name in self.required if name not in given]
        if missing:
            names = ", ".join(map(repr, missing))
            raise InputError(f"{what} needs the argument {names}. {listing}")


def _own(cls: type) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(cls).parameters
    except (ValueError, TypeError):  # of a class that is not written in Python
        return {"options": inspect.Parameter("options", inspect.Parameter.VAR_KEYWORD)}


def make(what: str, cls: type, arguments: dict[str, Any]) -> Any:
    """Build an object from named arguments, their names checked before.

    Raises:
        InputError: An argument is unknown or missing; what the constructor raises passes through.
    """
    Taken(cls).check(what, arguments)
    return cls(**arguments)
