"""Numbers of a GAN that follow schedules over the images seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from lightning_gan.components.hints import members
from lightning_gan.components.taking import arguments_of
from lightning_gan.errors import InputError, nearest
from lightning_gan.game.side import SideSettings
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.schedules.base import Schedule

OPTIONS = ("weight", "clip_norm", "clip_value")
PROBES = (0, *(2**exponent for exponent in range(31)))  # images, up to a billion


class Scheduled:
    """The scheduled numbers of a GAN, found once.

    Args:
        root: The GAN that the paths start from, such as ``"regularizers.r1.weight"``.
        schedules: Schedules by path.
        settings: Of both sides: their numbers go by ``generator_weight`` and the like.

    Raises:
        InputError: A path names no number, or the interval of a regularizer falls below 1.
    """

    def __init__(
        self, root: nn.Module, schedules: Mapping[str, Schedule], *settings: SideSettings
    ) -> None:
        of_sides = dict(_of_sides(settings))
        self._places = []
        for path, schedule in schedules.items():
            owner, name = of_sides.get(path) or _find_number(root, path, of_sides)
            self._places.append((path, owner, name, _is_whole(owner, name), schedule))
            if _is_interval(owner, name):  # known before training, wherever it ends
                for images in PROBES:
                    _check_interval(path, schedule.at(images), images)

    def apply(self, images: int) -> None:
        """Set every number to its value after ``images`` real images over all processes.

        Raises:
            InputError: The interval of a regularizer falls below 1.
        """
        for path, owner, name, whole, schedule in self._places:
            current, value = getattr(owner, name), schedule.at(images)
            if _is_interval(owner, name):
                _check_interval(path, value, images)
            if isinstance(current, Tensor):  # a count stays a whole number
                current.fill_(value if current.is_floating_point() else round(value))
            else:
                setattr(owner, name, round(value) if whole else value)


def _is_whole(owner: Any, name: str) -> bool:
    """Whether a number is whole whatever it is set to; 1 for a float in between is a float."""
    cls: type = type(owner)
    known = arguments_of(cls).get(name)
    if known is None or known.hint is Any:  # nothing says what it is but its value
        return isinstance(getattr(owner, name), int)
    return int in members(known.hint) and float not in members(known.hint)


def _is_interval(owner: Any, name: str) -> bool:
    return isinstance(owner, Regularizer) and name == "interval"


def _check_interval(path: str, value: float, images: int) -> None:
    if round(value) < 1:
        raise InputError(
            f"schedules: {path!r} must stay at 1 or more, and is {value:g} after {images:,} "
            "images; to leave the term out, let its weight fall to 0"
        )


def _of_sides(settings: tuple[SideSettings, ...]) -> Iterator[tuple[str, tuple[Any, str]]]:
    for side in settings:
        for option in OPTIONS:
            if getattr(side, option) is not None:
                yield side.named(option), (side, option)


def _find_number(root: nn.Module, path: str, of_sides: Mapping[str, Any]) -> tuple[nn.Module, str]:
    where, _, name = path.rpartition(".")
    owner = root
    for key in filter(None, where.split(".")):
        children = dict(owner.named_children())
        if key not in children:
            raise InputError(
                f"schedules: {path!r} names no part of this GAN{nearest(key, children) or '.'} "
                f"Parts here: {', '.join(children) or 'none'}"
            )
        owner = children[key]
    numbers = {key for key, value in vars(owner).items() if type(value) in (int, float)}
    numbers = {key for key in numbers if key[0] != "_"} | set(dict(owner.named_buffers("", False)))
    if owner is root:
        numbers |= of_sides.keys()
    if name not in numbers:
        raise InputError(
            f"schedules: {path!r} names no number{nearest(name, numbers) or '.'} "
            f"{type(owner).__name__} has: {', '.join(sorted(numbers)) or 'none'}"
        )
    return owner, name
