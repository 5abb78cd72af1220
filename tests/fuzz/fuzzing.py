"""What all fuzz tests share: the same cases in every run, and none may hang."""

from __future__ import annotations

import os
import resource
import signal
import time
from contextlib import contextmanager

from hypothesis import HealthCheck, settings

SECONDS = 20  # for one case
MEMORY = (
    16 * 2**30
)  # bytes of addresses, of which threads take some each; 100,000 x 100,000 is more
FRESH = os.environ.get("LIGHTNING_GAN_FUZZ") == "fresh"  # other cases than those of every run


class TooSlow(BaseException):
    """Which no ``except Exception`` of the code under test takes for an error of its own."""


def cases(number):
    """Return the settings of a fuzz test of so many cases."""
    return settings(
        max_examples=number,
        database=None,
        deadline=None,
        derandomize=not FRESH,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def in_time():
    """Fail a case that takes too long."""

    def ring(number, frame):
        raise TooSlow(f"a case took more than {SECONDS} seconds")

    usual = signal.signal(signal.SIGALRM, ring)
    began = time.monotonic()
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, usual)
    if time.monotonic() - began > SECONDS:  # in C, where no signal reached it
        raise TooSlow(f"a case took more than {SECONDS} seconds")


@contextmanager
def little_memory():
    """Let a file that asks for all memory there is fail at once."""
    with open("/proc/self/statm") as numbers:
        used = int(numbers.read().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
