"""A resumable loader over images that are read one at a time: data sets larger than the memory."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lightning_gan.data.loader import ResumableLoader
from lightning_gan.data.window import EIGHT_BITS, Window
from lightning_gan.data.worker_seams import stop
from lightning_gan.errors import InputError

# Seconds to wait for a batch, and how often. Python now and then loses a process between fork and
# its first line, where other threads (those of gloo) are at work, and a run would wait for it for
# ever. Many short waits, since time also passes while the whole run is suspended.
WAIT, ATTEMPTS = 10.0, 30
# Iterations that have workers, as long as somebody holds them.
_READING: weakref.WeakSet[Generator[Tensor]] = weakref.WeakSet()


class ImageSource(Protocol):
    """A map-style data set of equally large images, each read when it is asked for.

    An image is a function of its index. Worker processes get a copy, by fork or by pickle; files
    are therefore to be opened by the process that reads them.
    """

    def __len__(self) -> int:
        """Return the number of images."""

    def __getitem__(self, index: int, /) -> Tensor:
        """Return one image, uint8 as a rule, of shape (C, H, W).

        Raises:
            InputError: It cannot be read.
        """


@runtime_checkable
class ChangingSource(ImageSource, Protocol):
    """A source whose images change from epoch to epoch, as random crops do.

    An image is a function of its index and the epoch, and without an epoch that of epoch 0: a run
    goes on with the images that it would have seen.
    """

    def in_epoch(self, index: int, epoch: int) -> Tensor:
        """Return one image as it is in an epoch, from 0."""


class SourceLoader(ResumableLoader):
    """Iterates over a source in float batches, of which only a few are in memory at a time.

    Batch by batch the same as a :class:`TensorLoader` over the same images, also after a resume,
    whatever the number of workers: one kind goes on where the other was saved. What a resumed
    loader skips is not read.

    Workers live as long as one iteration, however that ends: nothing that was read ahead for one
    order is left for the next, and no process idles between two runs. Where processes are forked,
    that costs a few tenths of a second an epoch.

    Args:
        source: N images.
        labels: int64, shape (N,), or None.
        batch_size: Images in a batch of this process, B.
        num_workers: Processes that read ahead, two batches each; with 0 this process reads.
        shuffle: Visit the images in a new order in every epoch.
        drop_last: Leave out the images that do not fill a batch on every process.
        seed: Key of the orders, at least 0.
        rank: Number of this process, from 0.
        world_size: Number of processes.
        window: Which values of images become -1 and 1.

    Raises:
        InputError: There are fewer images than processes, or the seed is negative; while iterating:
            an image cannot be read, or no batch has come for five minutes.
    """

    def __init__(
        self,
        source: ImageSource,
        labels: Tensor | None = None,
        batch_size: int = 64,
        *,
        num_workers: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        window: Window = EIGHT_BITS,
    ) -> None:
        super().__init__(
            len(source), labels, batch_size, shuffle, drop_last, seed, rank, world_size, window
        )
        self.source = source
        self.num_workers = num_workers

    def _read(self, chosen: Iterable[Tensor], first: int) -> Iterator[Tensor]:
        reading = self._batches(chosen, first)
        _READING.add(reading)
        return reading

    def _batches(self, chosen: Iterable[Tensor], first: int) -> Generator[Tensor]:
        batches: DataLoader[Tensor | InputError] = DataLoader(
            _Batches(self.source),
            batch_size=None,  # a batch is one item of the data set
            sampler=(
                (number // len(self), indices.tolist())
                for number, indices in enumerate(chosen, first)
            ),
            num_workers=self.num_workers,
            timeout=WAIT if self.num_workers else 0,
            worker_init_fn=_outlive_signals,
            generator=torch.Generator(),  # else the workers' seeds would be drawn from the global
        )
        for batch in self._in_time(batches):
            if isinstance(batch, InputError):
                raise batch
            yield batch

    def _in_time(self, batches: Iterable[Tensor | InputError]) -> Iterator[Tensor | InputError]:
        """Iterate as long as batches come; end the workers, also those that cannot end."""
        owner, others = os.getpid(), set(multiprocessing.active_children())
        reading = iter(batches)
        workers = set(multiprocessing.active_children()) - others
        late = 0
        try:
            while late < ATTEMPTS:
                try:
                    batch = next(reading)
                except StopIteration:
                    return
                except RuntimeError as error:
                    if not str(error).startswith("DataLoader timed out"):
                        raise
                    late += 1
                else:
                    late = 0
                    yield batch
        finally:
            if workers and os.getpid() == owner:  # a forked process has this frame, too
                stop(reading)
                for worker in workers:  # Python would wait for one that hangs
                    if worker.is_alive():
                        worker.kill()
                        worker.join(WAIT)
        raise InputError(
            f"no batch came from the reading processes, {self.num_workers} of them, within "
            f"{ATTEMPTS * WAIT:g} seconds: one hangs, or the images are slow to read; go on from "
            "the last checkpoint, or read without processes (num_workers=0)"
        )


class _Batches(Dataset["Tensor | InputError"]):
    """Batches of a source by their epochs and lists of indices."""

    def __init__(self, source: ImageSource) -> None:
        self.source = source

    def __getitem__(self, batch: tuple[int, list[int]]) -> Tensor | InputError:
        epoch, indices = batch
        read: Callable[[int], Tensor] = self.source.__getitem__
        if isinstance(self.source, ChangingSource):
            read = partial(self.source.in_epoch, epoch=epoch)
        # An error that a worker raised would arrive with its traceback for a message.
        try:
            return torch.stack([read(index) for index in indices])
        except InputError as error:
            return error


def _outlive_signals(worker: int) -> None:
    """Leave Ctrl-C and SIGTERM to the main process, which may want further batches first.

    Workers end with the main process however that ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@atexit.register
def _end_workers() -> None:
    """End all workers before Python waits for those that it has sent the signal they ignore."""
    for reading in list(_READING):
        reading.close()
