"""Which messages of Lightning and its libraries reach a user of the command, and in what form."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Of Lightning's and jsonargparse's warnings, those that a user of the command can do nothing about.
IGNORED = (
    r"(?s).*(JsonargparseDeprecationWarning|removed in v5\.0\.0)",  # Lightning's calls, and ours
    r".*no pre-optimization state was saved",
    r".*does not have many workers",
    r".*is smaller than the logging interval",
    r"The dirpath has changed from",  # every run has a new folder
    r".*LeafSpec",  # torch renamed what Lightning 2.6 uses
)


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out what a user can do nothing about; print warnings as single lines."""
    with warnings.catch_warnings():
        for message in IGNORED:
            warnings.filterwarnings("ignore", message)
        usual, warnings.formatwarning = warnings.formatwarning, _one_line
        log = logging.getLogger("pytorch_lightning.utilities.rank_zero")
        log.addFilter(_is_news)
        try:
            yield
        finally:
            warnings.formatwarning = usual
            log.removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a message of Lightning's tells something that the summary of a run does not."""
    message = record.getMessage()
    if message.startswith(("GPU available:", "TPU available:", "HPU available:")):
        return False  # the head of a run says what it computes on
    # A signal ends training by its limit, which Lightning then says was reached.
    return "Tip:" not in message and "`Trainer.fit` stopped: `max_steps=" not in message


@contextmanager
def silent(name: str) -> Iterator[None]:
    """Keep what a logger only informs of to ourselves."""
    log = logging.getLogger(name)
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(level)


def _one_line(message: Warning | str, *where: Any, **rest: Any) -> str:
    """Format a warning without the line of code that it came from."""
    return f"warning: {message}\n"
