"""Numbers of a GAN, and of its optimizers, that follow schedules over the images seen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from lightning_gan.averages.base import Average
from lightning_gan.components.hints import members
from lightning_gan.components.part import Part
from lightning_gan.components.taking import arguments_of
from lightning_gan.errors import InputError, nearest
from lightning_gan.game.conditions import CPU
from lightning_gan.game.randomness import all_preserved
from lightning_gan.game.side import Side, SideSettings
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.schedules.base import Schedule
from lightning_gan.types import Player

OPTIONS = ("weight", "clip_norm", "clip_value")
PROBES = (0, *(2**exponent for exponent in range(31)))  # images, up to a billion
NEARER = PROBES[:25]  # up to 17 millions: what is halved for longer than that is 0 at some time


class OptimizerNumber(NamedTuple):
    """A number of an optimizer.

    Attributes:
        player: Whose optimizer.
        key: Its name in the groups of parameters.
        place: Which of several it is (betas).
    """

    player: Player
    key: str
    place: int | None = None


class Scheduled:
    """The scheduled numbers of a GAN, found once.

    Args:
        root: The GAN that the paths start from, such as ``"regularizers.r1.weight"``.
        schedules: Schedules by path.
        sides: Both players: their numbers go by ``generator_weight`` and the like, and those of
            their optimizers, where they have one by now, by ``generator_optimizer.lr`` or
            ``generator_optimizer.betas.1``.

    Raises:
        InputError: A path names no number, a value leaves its range, or a learning-rate scheduler
            moves the number as well.
    """

    def __init__(
        self, root: nn.Module, schedules: Mapping[str, Schedule], sides: Sequence[Side]
    ) -> None:
        of_sides = dict(_of_sides([side.settings for side in sides]))
        self._places = []
        self._of_optimizers: list[tuple[str, OptimizerNumber, Schedule]] = []
        for path, schedule in schedules.items():
            setting = _find_setting(path, sides)
            if setting is not None:
                self._of_optimizers.append((path, setting, schedule))
                for images in _probes(PROBES, schedule):
                    _check_setting(path, setting, schedule.at(images), images)
                continue
            owner, name = of_sides.get(path) or _find_number(root, path, of_sides)
            self._places.append((path, owner, name, _is_whole(owner, name), schedule))
            if _is_interval(owner, name):  # known before training, wherever it ends
                for images in _probes(PROBES, schedule):
                    _check_interval(path, schedule.at(images), images)
        self._check_ranges()

    def _check_ranges(self) -> None:
        """Refuse values that a part's constructor does not take: new ones are made with them.

        All numbers of a part at once, as some have to lie above others, where a schedule turns and
        at some places between. Parts that hold networks or read files are not made again.
        """
        owners: dict[int, Any] = {
            id(owner): owner for _, owner, *_ in self._places if _is_light(owner)
        }
        for key, owner in owners.items():
            cls: type = type(owner)
            takes = arguments_of(cls)
            moved = [each for each in self._places if id(each[1]) == key and each[2] in takes]
            if not moved:  # a buffer that its constructor makes
                continue
            whole = {name for _, _, name, is_whole, _ in moved if is_whole}
            for images in _probes(NEARER, *(schedule for *_, schedule in moved)):
                values = {name: schedule.at(images) for _, _, name, _, schedule in moved}
                given = {n: round(v) if n in whole else v for n, v in values.items()}
                try:
                    with all_preserved(CPU):
                        cls(**{**owner.arguments(), **given})
                except (InputError, ValueError, TypeError) as error:
                    paths = " and ".join(
                        f"{path!r} is {values[name]:g}" for path, _, name, *_ in moved
                    )
                    raise InputError(
                        f"schedules: {paths} after {images:,} images, which "
                        f"{cls.__name__} does not take: {error}"
                    ) from error

    def apply(self, images: int, sides: Iterable[Side] = ()) -> None:
        """Set every number to its value after ``images`` real images over all processes.

        Args:
            images: The images seen.
            sides: The players whose optimizers are to follow.

        Raises:
            InputError: A value leaves its range.
        """
        for path, owner, name, whole, schedule in self._places:
            current, value = getattr(owner, name), schedule.at(images)
            if _is_interval(owner, name):
                _check_interval(path, value, images)
            if isinstance(current, Tensor):  # a count stays a whole number
                current.fill_(value if current.is_floating_point() else round(value))
            else:
                setattr(owner, name, round(value) if whole else value)
        if self._of_optimizers:
            by_player = {side.player: side for side in sides}
            for path, setting, schedule in self._of_optimizers:
                if setting.player in by_player:
                    side, value = by_player[setting.player], schedule.at(images)
                    _check_setting(path, setting, value, images)
                    _check_alone(path, setting, side)  # configure_optimizers may have added one
                    _set(path, side, setting, value)


def _find_setting(path: str, sides: Sequence[Side]) -> OptimizerNumber | None:
    """Return the number of an optimizer that a path names; None where it names none of them."""
    head, _, rest = path.partition(".")
    side = next((side for side in sides if head == side.settings.named("optimizer")), None)
    if side is None:
        return None
    if side.optimizer is None:
        raise InputError(
            f"schedules: {path!r} names an optimizer, and the {side.player.value} has none here"
        )
    found = {}
    for group in side.optimizer.param_groups:
        for key, value in group.items():
            if _is_number(value):
                found[key] = OptimizerNumber(side.player, key)
            elif isinstance(value, (tuple, list)) and key != "params":
                several = [i for i, each in enumerate(value) if _is_number(each)]
                found |= {f"{key}.{i}": OptimizerNumber(side.player, key, i) for i in several}
    if rest not in found:
        raise InputError(
            f"schedules: {path!r} names no number of an optimizer{nearest(rest, found) or '.'} "
            f"{type(side.optimizer).__name__} has: {', '.join(sorted(found)) or 'none'}"
        )
    _check_alone(path, found[rest], side)
    return found[rest]


def _check_alone(path: str, setting: OptimizerNumber, side: Side) -> None:
    """Refuse a number that a learning-rate scheduler moves as well."""
    moved = [] if side.scheduler is None else ["lr"]
    if getattr(side.scheduler, "cycle_momentum", False):
        moved += ["betas", "momentum"]
    if setting.key in moved:
        raise InputError(
            f"schedules: {path!r} is moved by {side.settings.named('lr_scheduler')} "
            f"({type(side.scheduler).__name__}) as well: leave out one of them"
        )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) or (isinstance(value, Tensor) and value.numel() == 1)


def _check_setting(path: str, setting: OptimizerNumber, value: float, images: int) -> None:
    share = setting.key == "betas"
    if value < 0 or (share and value >= 1):
        raise InputError(
            f"schedules: {path!r} must stay {'in [0, 1)' if share else 'at 0 or more'}, and is "
            f"{value:g} after {images:,} images"
        )


def _set(path: str, side: Side, setting: OptimizerNumber, value: float) -> None:
    """Give all groups of a player's parameters a number; a learning rate times each one's own."""
    assert side.optimizer is not None
    for group, rate in zip(side.optimizer.param_groups, side.rates(), strict=True):
        own, now = value * rate if setting.key == "lr" else value, group.get(setting.key)
        if now is None:
            raise InputError(
                f"schedules: {path!r} names no number of the optimizer that configure_optimizers "
                f"returns, {type(side.optimizer).__name__}"
            )
        if isinstance(now, Tensor):
            now.fill_(own)
        elif setting.place is None:
            group[setting.key] = own
        else:
            group[setting.key] = tuple(
                own if place == setting.place else each for place, each in enumerate(now)
            )


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


def _probes(at: Iterable[int], *schedules: Schedule) -> list[int]:
    """Return numbers of images to try, in order: those given, and where schedules turn."""
    turns = {math.ceil(1000 * kimg) for schedule in schedules for kimg in schedule.turns()}
    return sorted({*at, *turns})


def _is_light(owner: Any) -> bool:
    """Whether a part may be made again only to see whether its constructor takes some numbers."""
    if not isinstance(owner, (Part, Average)) or getattr(owner, "weights_from", None) is not None:
        return False
    return next(owner.children(), None) is None and next(owner.parameters(), None) is None


def _of_sides(settings: Iterable[SideSettings]) -> Iterator[tuple[str, tuple[Any, str]]]:
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
