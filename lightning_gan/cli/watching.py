"""Bars of long work that is no training: reading, judging, sampling."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from lightning_gan.callbacks.run_bar import ProgressMeter
from lightning_gan.tracking import watched_by


@contextmanager
def shown() -> Iterator[None]:
    """Show how far long work is: a bar on a terminal, a line now and then elsewhere."""
    meters: dict[str, ProgressMeter] = {}

    def watch(what: str, done: int, total: int) -> None:
        if what not in meters:
            close()
            meters[what] = ProgressMeter(what, total)
        meter = meters[what]
        if time.perf_counter() >= meter.due or (done == total and meter.bar is not None):
            meter.show(done, 0, {})
        if done >= total:
            close()

    def close() -> None:
        while meters:
            meters.popitem()[1].close()

    try:
        with watched_by(watch):
            yield
    finally:
        close()
