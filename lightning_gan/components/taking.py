"""What a class takes, read from its constructor, and said where something else was given."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from lightning_gan.errors import InputError, nearest

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Taken:
    """The named arguments of a class.

    What becomes of ``**kwargs`` only the constructor knows: then any name is taken, and those of
    the next class in line are listed.

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
        ...     def __init__(self, margin, **kwargs): ...
        >>> taken = Taken(Term)
        >>> taken.names, taken.required, taken.is_open
        (['margin', 'weight'], ['margin'], True)
    """

    def __init__(self, cls: type) -> None:
        makers = [
            list(inspect.signature(vars(owner)["__init__"]).parameters.values())[1:]
            for owner in cls.__mro__[:-1]
            if "__init__" in vars(owner)
        ]
        own = makers[0] if makers else []
        self.required = [p.name for p in own if p.kind in NAMED and p.default is p.empty]
        self.is_open = not makers or _hands_on(own)
        names: dict[str, None] = {}
        for parameters in makers:
            names.update(dict.fromkeys(p.name for p in parameters if p.kind in NAMED))
            if not _hands_on(parameters):
                break
        self.names = list(names)

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


def _hands_on(parameters: Iterable[inspect.Parameter]) -> bool:
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def make(what: str, cls: type, arguments: dict[str, Any]) -> Any:
    """Build an object from named arguments, their names checked before.

    Raises:
        InputError: An argument is unknown or missing; what the constructor raises passes through.
    """
    Taken(cls).check(what, arguments)
    return cls(**arguments)
