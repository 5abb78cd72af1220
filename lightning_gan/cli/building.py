"""Building objects with jsonargparse, and telling which of them could not be built.

jsonargparse tries one alternative of a type after the other and reports that none fits; what the
class itself said is lost in a page of text. Here every construction is watched instead.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jsonargparse import ArgumentParser
from lightning_fabric.utilities.exceptions import MisconfigurationException

from lightning_gan.errors import InputError

SHORT = 300  # characters of somebody else's error
WRONG_INPUT = (InputError, MisconfigurationException, ModuleNotFoundError)


class Building:
    """The constructions of one run."""

    def __init__(self) -> None:
        self._failed: list[tuple[str, bool, Exception]] = []

    def watch(
        self,
        parser: ArgumentParser,
        key: str,
        base: type,
        build: Callable[..., Any] | None = None,
        strict: bool = False,
    ) -> None:
        """Watch the construction of a base class and its subclasses.

        Args:
            parser: The parser that builds.
            key: Where the objects stand in the settings, for messages.
            base: The base class.
            build: Called with the class and its arguments in place of the class.
            strict: Whether any error means wrong input; else those of our own and Lightning's.
        """
        attempt = functools.partial(self._attempt, key, strict, build)
        parser.add_instantiator(attempt, base)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raise what a constructor raised, as an InputError where it is one."""
        try:
            yield
        except Exception as error:
            known = any(error is cause for *_, cause in self._failed)
            if isinstance(error, InputError) and not known:
                raise  # not a constructor's
            key, strict, cause = self._failed[-1] if self._failed else ("", False, error)
            if not strict and not isinstance(cause, WRONG_INPUT):
                raise cause from None
            text = short(cause)
            raise InputError(text if text.startswith(key) else f"{key}: {text}") from cause

    def _attempt(
        self,
        key: str,
        strict: bool,
        build: Callable[..., Any] | None,
        cls: type,
        /,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        try:
            return cls(*args, **kwargs) if build is None else build(cls, *args, **kwargs)
        except Exception as error:
            self._failed.append((key, strict, error))
            raise


def short(error: Exception) -> str:
    """Return the beginning of a message on one line; our own messages are whole."""
    text = " ".join(str(error).split())
    return text if len(text) <= SHORT or isinstance(error, InputError) else f"{text[:SHORT]}..."
