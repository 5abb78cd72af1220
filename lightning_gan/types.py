"""Values that cross the boundaries between rooms: players, batches, outputs and counts."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from numbers import Real
from types import NoneType
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lightning_gan.errors import InputError

SampleRange = Literal["symmetric", "unit", "free"] | tuple[float, float] | None


class Player(str, Enum):
    """One of the two networks that play the game."""

    GENERATOR = "generator"
    DISCRIMINATOR = "discriminator"

    @property
    def opponent(self) -> Player:
        """The other player."""
        return Player.DISCRIMINATOR if self is Player.GENERATOR else Player.GENERATOR


class ParameterGroup(NamedTuple):
    """Parameters of a network that are trained alike.

    Attributes:
        name: What they are, such as "mapping".
        parameters: The parameters; those that no group names make one of their own.
        rate: Factor of the learning rate.
    """

    name: str
    parameters: Sequence[nn.Parameter]
    rate: float = 1.0


class Batch(NamedTuple):
    """What the game reads of a batch.

    Attributes:
        real: Real samples, shape (N, *sample_shape).
        y: The condition that both networks get: class labels, int64 of shape (N,), or any tensor,
            dict or tuple of tensors with N first (an input image, a spectrogram, attributes); None
            without one.
        extra: What terms of the objective ask for and networks do not get (masks, weights), by
            name, tensors with N first.
    """

    real: Tensor
    y: Any = None
    extra: Mapping[str, Any] = {}


@dataclass(frozen=True)
class GeneratorOutput:
    """What a generator with by-products returns.

    Attributes:
        samples: Generated samples, shape (N, *sample_shape).
        extra: By-products by name: a codebook loss, the w of a mapping, a mean and a log-variance,
            the start of a slice. Tensors (N, ...) or scalars, or trees of them.
    """

    samples: Tensor
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DiscriminatorOutput:
    """What a discriminator with more than one head returns.

    Attributes:
        logits: Raw real/fake logits, shape (N, ...), no sigmoid; or a sequence of such tensors, one
            for each scale, period or discriminator. The loss sees one at a time.
        class_logits: Class logits, shape (N, K), or None.
        features: Intermediate features: a tensor, or any tree of lists and dicts of them, N first;
            None where there are none.
        extra: Anything else a term asks for, by name.
    """

    logits: Tensor | Sequence[Tensor]
    class_logits: Tensor | None = None
    features: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def heads(self) -> tuple[Tensor, ...]:
        """The logits of each head; one for a discriminator that returns a tensor."""
        return (self.logits,) if isinstance(self.logits, Tensor) else tuple(self.logits)

    def total(self) -> Tensor:
        """Return the sum of all logits: its gradient holds those of each sample, as penalties ask.

        The logits of trailing shape and of all heads are summed for each sample.
        """
        total, *others = [logits.sum() for logits in self.heads]
        for each in others:
            total = total + each
        return total


class Deferred(Mapping[str, Any]):
    """By-products of a network that are made when they are first read, and once.

    For the ``extra`` of an output whose entries cost a pass of further layers, and which not every
    update reads: those of real samples, say, and not those of fakes. They are made with or without
    autocast and a graph as they would have been when this object was.

    Args:
        device: Type of the device of the network, such as "cpu".
        make: What makes each of them, by name.
    """

    def __init__(self, device: str, make: Mapping[str, Callable[[], Any]]) -> None:
        self._device, self._make = device, dict(make)
        self._made: dict[str, Any] = {}
        self._graph = torch.is_grad_enabled()
        # A device without autocast, such as meta, refuses its context as well.
        self._has_cast = torch.amp.is_autocast_available(device)
        self._cast = self._has_cast and torch.is_autocast_enabled(device)
        self._dtype = torch.get_autocast_dtype(device) if self._cast else None

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            make = self._make[name]
            with torch.set_grad_enabled(self._graph), self._casting():
                self._made[name] = make()
        return self._made[name]

    def _casting(self) -> AbstractContextManager[Any]:
        if not self._has_cast:
            return nullcontext()
        return torch.autocast(self._device, dtype=self._dtype, enabled=self._cast)

    def __contains__(self, name: object) -> bool:
        return name in self._make

    def __iter__(self) -> Iterator[str]:
        return iter(self._make)

    def __len__(self) -> int:
        return len(self._make)

    def then(self, function: Callable[[Any], Any]) -> Deferred:
        """Return by-products that are what a function returns for these."""

        def later(name: str) -> Callable[[], Any]:
            return lambda: function(self[name])

        return Deferred(self._device, {name: later(name) for name in self})


@dataclass(frozen=True)
class Progress:
    """Counts since the start of training, equal on all ranks.

    Attributes:
        batches: Batches seen by one process, which is ``trainer.global_step``.
        discriminator_steps: Optimizer steps of the discriminator.
        generator_steps: Optimizer steps of the generator.
        rounds: Turns of the discriminator that a turn of the generator followed.
        images: Real samples seen, over all ranks.
        last_player: Whose step was the last, or None before the first.
    """

    batches: int = 0
    discriminator_steps: int = 0
    generator_steps: int = 0
    rounds: int = 0
    images: int = 0
    last_player: Player | None = None

    def steps(self, player: Player) -> int:
        """Optimizer steps of one player."""
        return self.generator_steps if player is Player.GENERATOR else self.discriminator_steps

    def after_step(self, player: Player) -> Progress:
        """Return the counts after one more optimizer step of a player."""
        turn_ends = player is Player.GENERATOR and self.last_player is Player.DISCRIMINATOR
        return Progress(
            self.batches,
            self.discriminator_steps + (player is Player.DISCRIMINATOR),
            self.generator_steps + (player is Player.GENERATOR),
            self.rounds + turn_ends,
            self.images,
            last_player=player,
        )

    def after_batch(self, images: int) -> Progress:
        """Return the counts after one more batch of ``images`` samples over all ranks."""
        return Progress(
            self.batches + 1,
            self.discriminator_steps,
            self.generator_steps,
            self.rounds,
            self.images + images,
            self.last_player,
        )

    def state_dict(self) -> dict[str, int | str | None]:
        """Return plain values for a checkpoint."""
        return {**vars(self), "last_player": self.last_player and self.last_player.value}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> Progress:
        """Return the counts that :meth:`state_dict` described."""
        last = state["last_player"]
        return cls(**{**state, "last_player": None if last is None else Player(last)})


@dataclass(frozen=True)
class Feedback:
    """What an observer sees once per batch: scalars on the device, averaged over ranks.

    Logits are those of the discriminator's first update on the batch, computed before any step on
    it; where only the generator steps, those of the generator's first update, and of real samples
    where the loss needed them or the discriminator is among what the observer ``measures``. A loss
    is that of its player's first update on the batch; that of a player that does not step is
    measured where ``measures`` names it, on the opponent's samples and before its step. A value is
    None where it was neither computed nor asked for: where the weight of the adversarial term is 0,
    or where the player rests.

    Attributes:
        progress: The counts after this batch.
        phases: The players that stepped, in order.
        discriminator_loss: Adversarial part of D's loss, mean over samples, without its weight.
        generator_loss: Adversarial part of G's loss, mean over samples, without its weight.
        real_logits: Mean logit of real samples, over all heads.
        fake_logits: Mean logit of fakes, over all heads.
        real_sign: Mean sign of the logits of real samples, in [-1, 1].
        fake_sign: Mean sign of the logits of fakes, in [-1, 1].
        reports: What parts reported with ``step.report``, by ``part/name``; of two updates on the
            batch that report one name, the first one's.
        own: Those of the part that is told, by their names alone.
    """

    progress: Progress
    phases: tuple[Player, ...]
    discriminator_loss: Tensor | None = None
    generator_loss: Tensor | None = None
    real_logits: Tensor | None = None
    fake_logits: Tensor | None = None
    real_sign: Tensor | None = None
    fake_sign: Tensor | None = None
    reports: Mapping[str, Tensor] = field(default_factory=dict)
    own: Mapping[str, Tensor] = field(default_factory=dict)


def range_bounds(declared: SampleRange) -> tuple[float, float] | None:
    """Return the least and the largest value of a declared range; None where there are none.

    Raises:
        InputError: It is no range.
    """
    if declared is None or declared == "free":
        return None
    if isinstance(declared, str):
        if declared in ("symmetric", "unit"):
            return (-1.0 if declared == "symmetric" else 0.0), 1.0
    elif isinstance(declared, (tuple, list)) and len(declared) == 2:
        low, high = declared
        if all(isinstance(b, Real) and math.isfinite(b) for b in declared) and low < high:
            return float(low), float(high)
    raise InputError(
        f"sample_range must be 'symmetric' for [-1, 1], 'unit' for [0, 1], 'free', or a pair such "
        f"as (0.0, 50.0), got {declared!r}"
    )


def fits(shape: Sequence[int], declared: Sequence[int | None]) -> bool:
    """Whether a shape is the declared one, whose entries may be None for any size."""
    if shape == declared:
        return True
    same = len(shape) == len(declared)
    return same and all(d is None or s == d for s, d in zip(shape, declared, strict=True))


def is_low_precision(x: Tensor) -> bool:
    """Whether a tensor is float16 or bfloat16."""
    return x.dtype in (torch.float16, torch.bfloat16)


def widened(x: Tensor) -> Tensor:
    """Return a tensor of half precision as float32, and any other as it is."""
    return x.float() if is_low_precision(x) else x


def map_tensors(function: Callable[[Tensor], Any], tree: Any) -> Any:
    """Apply a function to every tensor of a tree of dicts, tuples, lists and dataclasses.

    Example:
        >>> map_tensors(lambda x: x + 1, {"a": torch.zeros(1), "b": (None, torch.ones(1))})
        {'a': tensor([1.]), 'b': (None, tensor([2.]))}
    """
    if isinstance(tree, Tensor):
        return function(tree)
    if isinstance(tree, Mapping):
        return {key: map_tensors(function, value) for key, value in tree.items()}
    if isinstance(tree, (tuple, list)):
        items = [map_tensors(function, value) for value in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        fields = {f.name: getattr(tree, f.name) for f in dataclasses.fields(tree)}
        return replace(tree, **{key: map_tensors(function, v) for key, v in fields.items()})
    return tree


def map_columns(function: Callable[[Any], Any], tree: Any, n: int | None = None) -> Any:
    """Apply a function to whatever of a tree has one entry for each sample.

    These are tensors with N first, NumPy arrays as well, and lists of strings such as captions.

    Args:
        function: Gets a tensor, an array or a list; the list that it returns for a tuple becomes
            one.
        tree: Dicts, tuples, lists and dataclasses; scalars are left as they are.
        n: Number of samples; where it is known, a list of so many values of any kind that holds no
            tensors, and is not so many lists of n strings, counts as well.

    Example:
        >>> map_columns(len, {"text": ["a cat", "a dog"], "x": torch.ones(2, 3), "size": 5})
        {'text': 2, 'x': 2, 'size': 5}
    """
    if isinstance(tree, (Tensor, np.ndarray)):
        return function(tree) if tree.ndim else tree
    if isinstance(tree, Mapping):
        return {key: map_columns(function, value, n) for key, value in tree.items()}
    if isinstance(tree, (tuple, list)):
        if _is_column(tree, n):
            made = function(list(tree))
            return type(tree)(made) if isinstance(made, list) else made
        items = [map_columns(function, value, n) for value in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        fields = {f.name: getattr(tree, f.name) for f in dataclasses.fields(tree)}
        return replace(tree, **{key: map_columns(function, v, n) for key, v in fields.items()})
    return tree


def _is_column(items: Sequence[Any], n: int | None) -> bool:
    if not items or hasattr(items, "_fields"):
        return False
    if all(isinstance(item, (str, bytes)) for item in items):
        return True
    if len(items) != n or any(_holds_arrays(item) for item in items):
        return False
    # As many lists of n strings are entries of a tree, as as many tensors are.
    return not all(
        isinstance(i, (tuple, list)) and len(i) == n and _is_column(i, None) for i in items
    )


def _holds_arrays(tree: Any) -> bool:
    if isinstance(tree, (tuple, list, Mapping)):
        return any(map(_holds_arrays, tree.values() if isinstance(tree, Mapping) else tree))
    return isinstance(tree, (Tensor, np.ndarray))


def rows(tree: Any, index: slice | Tensor, n: int | None = None) -> Any:
    """Return these rows of whatever of a tree has one for each sample, as map_columns finds it.

    Args:
        tree: Tensors, NumPy arrays and lists of strings in a tree; a scalar stands for all rows.
        index: Which rows.
        n: Number of samples, where it is known.

    Example:
        >>> rows({"a": torch.arange(3), "b": torch.tensor(7), "c": list("xyz")}, slice(1, 3))
        {'a': tensor([1, 2]), 'b': tensor(7), 'c': ['y', 'z']}
    """

    def pick(column: Any) -> Any:
        if isinstance(index, slice):
            return column[index]
        if isinstance(column, Tensor):
            return column[index.to(column.device)]
        places = index.tolist()
        return column[places] if isinstance(column, np.ndarray) else [column[i] for i in places]

    return map_columns(pick, tree, n)


def columns_in(tree: Any, n: int | None = None) -> list[Any]:
    """Return whatever of a tree has one entry for each sample, as map_columns finds it."""
    found: list[Any] = []
    map_columns(found.append, tree, n)
    return found


def tensors_in(tree: Any) -> list[Tensor]:
    """Return the tensors of a tree, in order."""
    found: list[Tensor] = []
    map_tensors(found.append, tree)
    return found


def as_generator_output(output: Any) -> GeneratorOutput:
    """Return what a generator made as a GeneratorOutput.

    Raises:
        InputError: Its by-products have no names.
    """
    if not isinstance(output, GeneratorOutput):
        return GeneratorOutput(output)
    _check_extra(output.extra, "generator")
    return output


def as_discriminator_output(output: Any) -> DiscriminatorOutput:
    """Return what a discriminator said as a DiscriminatorOutput, in float32 or wider throughout.

    Raises:
        InputError: It is neither logits, a sequence of them, nor a DiscriminatorOutput; or one of
            its fields is of another kind.
    """
    if isinstance(output, Tensor):
        return DiscriminatorOutput(widened(output))
    if not isinstance(output, DiscriminatorOutput):
        output = DiscriminatorOutput(output)
    logits = output.logits
    if isinstance(logits, Tensor):
        logits = widened(logits)
    elif isinstance(logits, (list, tuple)) and logits and all(map(torch.is_tensor, logits)):
        logits = [widened(each) for each in logits]
    else:
        raise InputError(
            "a discriminator must return logits, a sequence of logits, or a DiscriminatorOutput of "
            f"either, got {describe(logits)}"
        )
    classes = output.class_logits
    if not isinstance(classes, (Tensor, NoneType)):
        raise InputError(
            "class_logits of a discriminator must be a tensor of shape (N, K) or None, got "
            f"{describe(classes)}: put more of them into extra"
        )
    _check_extra(output.extra, "discriminator")
    extra = output.extra
    if isinstance(extra, Deferred):
        extra = extra.then(partial(map_tensors, widened))
    elif extra:
        extra = map_tensors(widened, extra)
    return DiscriminatorOutput(
        logits,
        None if classes is None else widened(classes),
        map_tensors(widened, output.features),
        extra,
    )


def _check_extra(extra: Any, whose: str) -> None:
    if not isinstance(extra, Mapping):
        raise InputError(
            f"extra of a {whose}'s output must be a mapping of names and values, got "
            f"{describe(extra)}"
        )


def finite(value: Any, what: str) -> float:
    """Return a number as a float.

    Args:
        value: The number.
        what: What it is called.

    Raises:
        InputError: It is none, or NaN or infinite.
    """
    try:
        found = math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError, RuntimeError):  # the last one of a tensor of several
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"{what} must be a finite number, got {value!r}")
    return found


def not_negative(value: Any, what: str) -> float:
    """Return a number of 0 or more as a float.

    Args:
        value: The number.
        what: What it is called.

    Raises:
        InputError: It is none, or negative, NaN or infinite.
    """
    found = finite(value, what)
    if found < 0:
        raise InputError(f"{what} must be at least 0, got {value!r}")
    return found


def describe(value: Any) -> str:
    """Return what a value is, for a sentence about one that was not expected."""
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype} and shape {tuple(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)} ({', '.join(map(describe, value))})"
    if isinstance(value, Mapping):
        return f"a {type(value).__name__} of {', '.join(map(str, value)) or 'nothing'}"
    return type(value).__name__
