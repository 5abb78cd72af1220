"""One computation at a time, and a queue of bounded length."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request

T = TypeVar("T")
WAITING = 64  # requests that may wait; what comes while so many do is refused
UPLOADS = 4  # bodies in memory at a time


class Gate:
    """Lets requests compute one after the other, in a thread, in the order in which they came.

    What a request needs while it waits is small: bodies are read inside :meth:`upload` alone.
    """

    def __init__(self) -> None:
        self._inside = 0
        self._one = CapacityLimiter(1)
        self._turn = asyncio.Lock()
        self._uploads = asyncio.Semaphore(UPLOADS)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place in the queue.

        Raises:
            HTTPException: 503, all of them are taken.
        """
        if self._inside > WAITING:
            raise HTTPException(503, "busy: too many requests wait", {"Retry-After": "1"})
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    @asynccontextmanager
    async def upload(self) -> AsyncIterator[None]:
        """Hold the right to have a body in memory."""
        async with self._uploads:
            yield

    async def compute(self, request: Request, work: Callable[[], T]) -> T:
        """Wait for the turn, and work.

        Raises:
            HTTPException: 499, whoever asked has gone.
        """
        async with self._turn:
            if await request.is_disconnected():
                raise HTTPException(499, "nobody waits for this any longer")
            return await to_thread.run_sync(work, limiter=self._one)
