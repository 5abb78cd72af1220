"""Batches as people have them, read as the game plays them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from lightning_gan.components.spec import Component
from lightning_gan.errors import InputError, nearest
from lightning_gan.types import Batch, describe

PrepareBatch = Callable[[Any], Any]
Key = int | str  # in this order "0" of a command line is a position


def prepare_batch(batch: Any) -> Batch:
    """Read a batch ``(x, y)``, ``(x,)`` or ``x``: samples, and their condition where there is one.

    Raises:
        InputError: The batch is none of these.
    """
    if isinstance(batch, Batch):
        return batch
    if isinstance(batch, Tensor):
        return Batch(batch)
    if isinstance(batch, (tuple, list)) and batch and isinstance(batch[0], Tensor):
        if len(batch) == 1:
            return Batch(batch[0])
        if len(batch) == 2:
            return Batch(batch[0], batch[1])
    if isinstance(batch, Mapping):
        names = ", ".join(map(repr, batch))
        way = f"name its entries ({names}): prepare_batch=BatchKeys(real=..., y=...)"
    elif isinstance(batch, (tuple, list)) and batch and isinstance(batch[0], Tensor):
        way = "say which is which: prepare_batch=BatchKeys(real=0, y=[1, 2])"
    else:
        way = "let the data module's dataset yield (x, y) or x"
    raise InputError(
        "a batch must be a tensor of samples or a pair (samples, labels), got "
        f"{describe(batch)}; {way}"
    )


class BatchKeys(Component):
    """Reads batches that are dicts, or tuples of any length, by the keys of their entries.

    A batch that is a tensor counts as a tuple of one. ``BatchKeys(real=0, y=0)`` gives an
    autoencoder its samples as the condition.

    Args:
        real: Entry of the real samples: a name, or the position in a tuple.
        y: Entry of the condition that both networks get; several, as a list or a mapping of new
            names, make a dict of them. None: there is none.
        extra: Entries that terms of the objective ask for, ``step.extra``, and networks do not get:
            a list, or a mapping of new names.

    Raises:
        InputError: A batch lacks one of the entries.

    Example:
        >>> import torch
        >>> read = BatchKeys(real="hr", y="lr", extra=["mask"])
        >>> batch = read({"hr": torch.ones(2, 3), "lr": torch.zeros(2, 1), "mask": torch.ones(2)})
        >>> batch.y.shape, list(batch.extra)
        (torch.Size([2, 1]), ['mask'])
    """

    def __init__(
        self,
        real: Key,
        y: Key | list[Key] | dict[str, Key] | None = None,
        extra: list[Key] | dict[str, Key] | None = None,
    ) -> None:
        super().__init__()
        self.real, self.y, self.extra = real, y, extra

    def forward(self, batch: Any) -> Batch:
        """Return the entries that were named."""
        if isinstance(batch, Tensor):
            batch = (batch,)
        real = _entry(batch, self.real)
        if not isinstance(real, Tensor):
            raise InputError(
                f"the entry {self.real!r} of a batch must be a tensor of samples, got "
                f"{describe(real)}"
            )
        y = self.y
        if isinstance(y, (list, dict)):
            return Batch(real, _entries(batch, y), _entries(batch, self.extra))
        return Batch(real, None if y is None else _entry(batch, y), _entries(batch, self.extra))


def read_batch(prepare: PrepareBatch | None, batch: Any) -> Batch:
    """Read a batch as a GAN was told to.

    Args:
        prepare: Its ``prepare_batch``: returns a Batch, or whatever :func:`prepare_batch` takes.
        batch: What the data yield.

    Raises:
        InputError: The batch cannot be read.
    """
    found = prepare_batch(batch if prepare is None else prepare(batch))
    if not isinstance(found.extra, Mapping):
        raise InputError(f"extra of a batch must be a mapping, got {describe(found.extra)}")
    return found


def _entries(batch: Any, keys: Any) -> dict[str, Any]:
    if not isinstance(keys, dict):
        keys = {str(key): key for key in keys or ()}
    return {name: _entry(batch, key) for name, key in keys.items()}


def _entry(batch: Any, key: Key) -> Any:
    try:
        return batch[key]
    except (KeyError, IndexError, TypeError) as error:
        known = [str(each) for each in batch] if isinstance(batch, Mapping) else []
        raise InputError(
            f"prepare_batch asks for the entry {key!r}, and a batch is {describe(batch)}"
            f"{nearest(str(key), known)}"
        ) from error
