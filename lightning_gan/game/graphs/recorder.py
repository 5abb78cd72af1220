"""What records work on a device, by type of device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

Result = TypeVar("Result")


class CudaRecorder:
    """Records what is computed on a GPU.

    Args:
        device: The GPU.
        noise: The generator, besides torch's own, from which the recorded work draws.

    Attributes:
        forgives: Whether work that could not be recorded leaves no trace. Before torch 2.14 random
            generators stay in the mode of the capture that failed.
    """

    forgives = torch.__version__ >= "2.14"

    def __init__(self, device: torch.device, noise: torch.Generator) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        self._noise = noise

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Compute on the stream that captures, so that nothing is bound to another one."""
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        try:
            with torch.cuda.stream(self._stream):
                yield
        finally:
            current.wait_stream(self._stream)

    def record(self, work: Callable[[], Result]) -> tuple[Callable[[], None], Result]:
        """Record work without doing it.

        Returns:
            A function that does it, and the result, whose tensors each call fills.

        Raises:
            RuntimeError: The work needs the host, to read a value, for example.
        """
        graph = torch.cuda.CUDAGraph()
        if torch.__version__ < "2.14":  # later ones find the generators that are drawn from
            graph.register_generator_state(self._noise)
        # Threads that load data may go on using the driver meanwhile.
        mode = "thread_local"
        with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode=mode):
            result = work()
        return graph.replay, result


RECORDERS: dict[str, Any] = {"cuda": CudaRecorder}  # by type of device
