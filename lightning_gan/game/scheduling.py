"""Numbers of a GAN that follow schedules over the images seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from lightning_gan.errors import InputError, nearest
from lightning_gan.game.side import SideSettings
from lightning_gan.schedules.base import Schedule

OPTIONS = ("weight", "clip_norm", "clip_value")


class Scheduled:
    """The scheduled numbers of a GAN, found once.

    Args:
        root: The GAN that the paths start from, such as ``"regularizers.r1.weight"``.
        schedules: Schedules by path.
        settings: Of both sides: their numbers go by ``generator_weight`` and the like.

    Raises:
        InputError: A path names no number.
    """

    def __init__(
        self, root: nn.Module, schedules: Mapping[str, Schedule], *settings: SideSettings
    ) -> None:
        of_sides = dict(_of_sides(settings))
        self._places = [
            (*(of_sides.get(path) or _find_number(root, path, of_sides)), schedule)
            for path, schedule in schedules.items()
        ]

    def apply(self, images: int) -> None:
        """Set every number to its value after ``images`` real images over all processes."""
        for owner, name, schedule in self._places:
            current, value = getattr(owner, name), schedule.at(images)
            if isinstance(current, Tensor):
                current.fill_(value)
            else:  # a count stays a whole number
                setattr(owner, name, round(value) if isinstance(current, int) else value)


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
