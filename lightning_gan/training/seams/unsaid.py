"""Warnings of Lightning's that mislead here are not said while it acts, and only then."""

from __future__ import annotations

import warnings
from contextlib import ExitStack


class Unsaid:
    """Leaves warnings out between :meth:`begin` and :meth:`end`.

    Args:
        messages: How their messages begin, as regular expressions.
    """

    def __init__(self, *messages: str) -> None:
        self._messages = messages
        self._open = ExitStack()

    def begin(self) -> None:
        """Leave them out from now on."""
        self.end()
        self._open.enter_context(warnings.catch_warnings())
        for message in self._messages:
            warnings.filterwarnings("ignore", message)

    def end(self) -> None:
        """Let the filters be as they were; without a :meth:`begin` before, nothing happens."""
        self._open.close()
