"""Resumable loading: the order of the samples, the place in it, and samples held in memory."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import tee
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from lightning_gan.data.window import EIGHT_BITS, Window
from lightning_gan.errors import InputError


class EpochPermutation:
    """Order of the samples in an epoch, dealt out to processes without repetition.

    The order is a function of (seed, epoch) alone: no global random state is read or changed.
    Process r of w takes the places r, r + w, r + 2w, ... of it.

    Args:
        n: Number of samples.
        seed: Key of the permutations, at least 0.
        shuffle: Permute; otherwise every epoch has the order 0..n-1.
        rank: Number of this process, from 0.
        world_size: Number of processes.
        drop_last: Leave out the last ``n % world_size`` samples of the order, so that all
            processes have equally many. Otherwise they differ by one sample at most.

    Raises:
        InputError: There are fewer samples than processes, or the seed is negative.
    """

    def __init__(
        self,
        n: int,
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        world_size: int = 1,
        drop_last: bool = True,
    ) -> None:
        if n < world_size:
            raise InputError(f"{world_size} processes cannot share {n} images: use fewer processes")
        if seed < 0:
            raise InputError(f"seed must be at least 0, got {seed}")
        self.n = n
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self._places = range(rank, n - n % world_size if drop_last else n, world_size)

    def __len__(self) -> int:
        return len(self._places)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0; Lightning calls this when an epoch begins."""
        self.epoch = epoch

    def indices(self, epoch: int | None = None) -> Tensor:
        """Return this process's samples in the order of an epoch, int64 of shape (len(self),).

        Args:
            epoch: Number of the epoch; None for the one that was set.
        """
        places = slice(self._places.start, self._places.stop, self._places.step)
        if not self.shuffle:
            return torch.arange(self.n)[places]
        key = (self.seed, self.epoch if epoch is None else epoch)
        return torch.from_numpy(np.random.default_rng(key).permutation(self.n)).long()[places]


class ResumableLoader(ABC):
    """Serves float batches in a known order, from a known place; subclasses read the samples.

    Yields ``(x, y)``, or ``x`` without labels: x is float32 in [-1, 1] of shape (B, *sample_shape),
    y int64 of shape (B,). All processes have the same number of batches, ``len(loader)``, in an
    epoch and in an iteration.

    With ``shuffle`` the batches of epochs 0, 1, 2, ... form one endless sequence, a function of the
    seed. An iteration goes on where the last one ended, also where that was in mid-epoch
    (``limit_train_batches``), and a loader that loads a ``state_dict`` where the saved one ended.
    Batches count when they are delivered, whatever was read ahead.
    ``sampler.set_epoch`` says where a new loader begins and nothing later: Lightning's number of
    the epoch runs ahead in a run resumed after ``max_steps``, the sequence does not.

    Without ``shuffle`` every iteration begins with the first sample, except that the first after
    ``load_state_dict`` goes on.

    Args:
        n: Number of samples, N.
        labels: int64, shape (N,), or None.
        batch_size: Samples in a batch of this process, B.
        shuffle: Visit the samples in a new order in every epoch.
        drop_last: Leave out the samples that do not fill a batch on every process.
        seed: Key of the orders, at least 0.
        rank: Number of this process, from 0.
        world_size: Number of processes.
        window: Which values of samples become -1 and 1.

    Raises:
        InputError: There are fewer samples than processes, or the seed is negative.
    """

    batch_sampler = None  # Lightning reads it of every loader that has a sampler

    def __init__(
        self,
        n: int,
        labels: Tensor | None,
        batch_size: int,
        shuffle: bool,
        drop_last: bool,
        seed: int,
        rank: int,
        world_size: int,
        window: Window = EIGHT_BITS,
    ) -> None:
        self.labels = labels
        self.window = window
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = EpochPermutation(n, seed, shuffle, rank, world_size, drop_last)
        self._device = torch.device("cpu")  # of the order of an epoch
        self._delivered: int | None = None  # batches since the beginning of epoch 0
        self._resumes = False

    @abstractmethod
    def _read(self, chosen: Iterable[Tensor], first: int) -> Iterable[Tensor]:
        """Read the samples of some batches, one after the other.

        Args:
            chosen: Samples of each batch, int64 of shape (B,).
            first: Number of the first of them since the beginning of epoch 0.

        Returns:
            New tensors of the samples' own type and values, (B, *sample_shape) each.
        """

    def __len__(self) -> int:
        if self.drop_last:
            return len(self.sampler) // self.batch_size
        most = -(-self.sampler.n // self.sampler.world_size)  # of any process, rounded up
        return -(-most // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        # A generator: nothing below runs before the first batch is asked for, because Lightning
        # calls iter() before it sets the epoch.
        if self._delivered is None or not (self.sampler.shuffle or self._resumes):
            self._delivered = self.sampler.epoch * len(self)
        self._resumes = False
        first = self._delivered
        chosen, ahead = tee(self._chosen(first))
        batches = zip(chosen, self._read(ahead, first), strict=True)
        for number, (indices, samples) in enumerate(batches, first + 1):
            x = self.window.scaled(samples)
            self._delivered = number
            if self.labels is None:
                yield x
            else:
                yield x, self.labels.index_select(0, indices.to(self.labels.device))

    def _chosen(self, first: int) -> Iterator[Tensor]:
        """Yield the samples of an epoch's number of batches, beginning with batch ``first``."""
        begun = -1
        for number in range(first, first + len(self)):
            epoch, batch = divmod(number, len(self))
            if epoch != begun:
                begun, indices = epoch, self.sampler.indices(epoch).to(self._device)
            yield indices[self._start(batch) : self._start(batch + 1)]

    def _start(self, batch: int) -> int:
        """Return the place of a batch's first sample, keeping one sample for each later batch."""
        return min(batch * self.batch_size, len(self.sampler) - (len(self) - batch))

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch, the number of its batches delivered, and what both depend on."""
        if self._delivered is None:
            epoch, position = self.sampler.epoch, 0
        else:
            epoch, position = divmod(self._delivered, len(self))
        return {"epoch": epoch, "position": position, **self._order()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on after the last batch that a saved loader delivered.

        Where the order of the samples or the size of the batches has changed since, there is no
        such place: the interrupted epoch begins again, with a warning.
        """
        epoch, position = state.get("epoch", 0), state.get("position", 0)
        changed = [
            f"{name} {state.get(name)} (now {value})"
            for name, value in self._order().items()
            if state.get(name) != value
        ]
        if changed and position:
            warnings.warn(
                f"the checkpoint stopped after batch {position} of an epoch with "
                f"{', '.join(changed)}: that epoch begins again with its first batch",
                stacklevel=2,
            )
        self._delivered = epoch * len(self) + (0 if changed else position)
        self._resumes = True

    def _order(self) -> dict[str, int]:
        """Return all that the order and the size of the batches depend on."""
        return {
            "samples": self.sampler.n,
            "batch_size": self.batch_size,
            "world_size": self.sampler.world_size,
            "seed": self.sampler.seed,
            "shuffle": self.sampler.shuffle,
            "drop_last": self.drop_last,
        }


class Rows(Protocol):
    """Samples that are picked as the rows of a tensor are, of shape (N, *sample_shape)."""

    def __len__(self) -> int:
        """Return N."""

    def index_select(self, dim: int, index: Tensor, /) -> Tensor:
        """Return new samples, (B, *sample_shape), by their places along ``dim``, which is 0."""


class TensorLoader(ResumableLoader):
    """Iterates over one tensor in float batches: one index_select, one normalization.

    The batches and the place in them are those of :class:`ResumableLoader`.

    Args:
        samples: Of any type, uint8 as a rule, shape (N, *sample_shape): a tensor, on whose device
            the batches are made, or what picks rows as one does.
        labels: int64, shape (N,), or None.
        batch_size: Samples in a batch of this process, B.
        shuffle: Visit the samples in a new order in every epoch.
        drop_last: Leave out the samples that do not fill a batch on every process.
        seed: Key of the orders, at least 0.
        rank: Number of this process, from 0.
        world_size: Number of processes.
        window: Which values of samples become -1 and 1.

    Raises:
        InputError: There are fewer samples than processes, or the seed is negative.
    """

    def __init__(
        self,
        samples: Tensor | Rows,
        labels: Tensor | None = None,
        batch_size: int = 64,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        window: Window = EIGHT_BITS,
    ) -> None:
        super().__init__(
            len(samples), labels, batch_size, shuffle, drop_last, seed, rank, world_size, window
        )
        self.samples = samples
        if isinstance(samples, Tensor):  # once an epoch: for every copy the host waits for a GPU
            self._device = samples.device

    def _read(self, chosen: Iterable[Tensor], first: int) -> Iterator[Tensor]:
        samples = self.samples
        if not isinstance(samples, Tensor):
            return (samples.index_select(0, indices) for indices in chosen)
        return (picked_rows(samples, indices) for indices in chosen)


def picked_rows(samples: Tensor, indices: Tensor) -> Tensor:
    """Return rows of a tensor of any type; torch lacks much for some, which copies do not need."""
    signed = {torch.uint16: torch.int16, torch.uint32: torch.int32}.get(samples.dtype)
    if signed is None:
        return samples.index_select(0, indices)
    return samples.view(signed).index_select(0, indices).view(samples.dtype)
