"""Settings of optimizers and schedulers that changed between two parts of one training.

Loading the state of an optimizer or a scheduler brings back its settings of then: a learning rate
given anew would be overruled without a word. What was configured is therefore saved beside the
state; what has changed since takes effect, or is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from lightning_gan.errors import InputError
from lightning_gan.game.side import Side

PARTS = ("optimizer", "lr_scheduler")
KERNELS = ("foreach", "fused", "capturable", "differentiable")  # how, not what, is computed
# Of schedulers: where they are, and what follows from the optimizer.
MOVING = ("last_epoch", "base_lrs", "_last_lr", "_step_count", "_is_initial", "_initial_step")
Configured = Sequence[Mapping[str, Any]]  # of each side: optimizer, lr_scheduler


def configured(sides: Sequence[Side]) -> list[dict[str, Any]]:
    """Return the classes and plain settings of new optimizers and schedulers, side by side."""
    return [
        {"optimizer": _settings(side.optimizer), "lr_scheduler": _settings(side.scheduler)}
        for side in sides
    ]


def check_same_kinds(sides: Sequence[Side], then: Configured, now: Configured) -> None:
    """Check that states can be loaded: they are those of the same classes.

    Args:
        sides: Both sides.
        then: What :func:`configured` returned in the training that saved them.
        now: What it returns today.

    Raises:
        InputError: An optimizer or a scheduler is of another class, was added or left out, or an
            optimizer has more or fewer parameter groups, or parameters in one of them.
    """
    for side, before, after in zip(sides, then, now, strict=True):
        for part in PARTS:
            old, new = before.get(part), after.get(part)
            names = [None if each is None else each.get("class") for each in (old, new)]
            if names[0] != names[1]:
                raise InputError(
                    f"{side.settings.named(part)}: the checkpoint holds the state of {names[0]}, "
                    f"and {names[1]} cannot go on from it; set it back, or begin a new training "
                    "without the checkpoint"
                )
            numbers = [len((each or {}).get("groups", ())) for each in (old, new)]
            if numbers[0] != numbers[1]:
                raise InputError(
                    f"{side.settings.named(part)}: the checkpoint has {numbers[0]} parameter "
                    f"groups, and there are {numbers[1]} now; set it back"
                )
            sizes = [(each or {}).get("parameters", ()) for each in (old, new)]
            for index, (was, number) in enumerate(zip(*sizes, strict=True)):
                if was != number:
                    raise InputError(
                        f"{side.settings.named(part)}: the checkpoint trains {was} parameters in "
                        f"group {index}, and {number} are trained now; freeze what was frozen "
                        "then, or begin a new training from its weights"
                    )


def take_effect(sides: Sequence[Side], then: Configured, now: Configured) -> list[str]:
    """Give loaded optimizers and schedulers the settings that have changed since.

    A learning rate that a scheduler moves is changed in proportion.

    Args:
        sides: Both sides.
        then: What :func:`configured` returned in the training that saved the states.
        now: What it returned today, before they were loaded.

    Returns:
        What has changed, to be told.

    Raises:
        InputError: A setting within a scheduler made of others has changed.
    """
    changed = []
    for side, old, new in zip(sides, then, now, strict=True):
        if side.optimizer is None:
            continue
        groups = (old["optimizer"]["groups"], new["optimizer"]["groups"])
        for index, (before, after) in enumerate(zip(*groups, strict=True)):
            changed += _change_group(side, index, before, after)
        if side.scheduler is not None:
            changed += _change_scheduler(side, old["lr_scheduler"], new["lr_scheduler"])
    return changed


def _change_group(side: Side, index: int, then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    optimizer, scheduler, name = side.optimizer, side.scheduler, side.settings.named("optimizer")
    assert optimizer is not None
    group: dict[str, Any] = optimizer.param_groups[index]
    changed = []
    for key, value in now.items():
        if key in KERNELS:
            group[key] = value
        elif key not in ("lr", "initial_lr") and then.get(key) != value:
            group[key] = value
            changed.append(f"{name}.{key} {then.get(key)} -> {value}")
    if group.get("fused"):  # torch leaves the counts on the CPU where they were saved without it
        for parameter in group["params"]:
            state = optimizer.state.get(parameter, {})
            if isinstance(state.get("step"), Tensor):
                state["step"] = state["step"].to(parameter.device)
    rate = "initial_lr" if "initial_lr" in now else "lr"
    if then.get(rate) != now.get(rate):
        old, new = then[rate], now[rate]
        group["lr"] = group["lr"] * new / old if old else new + 0 * group["lr"]
        if scheduler is not None:
            group["initial_lr"] = new
        for each in _flat(scheduler):
            if hasattr(each, "base_lrs"):
                each.base_lrs[index] = new
        changed.append(f"{name}.lr {old} -> {new}")
    return changed


def _change_scheduler(side: Side, then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    scheduler, name = side.scheduler, side.settings.named("lr_scheduler")
    assert scheduler is not None
    changed = []
    for key, value in now["settings"].items():
        old = then["settings"].get(key)
        if old == value:
            continue
        if key.startswith("_"):  # made from settings, such as the schedulers of a SequentialLR
            raise InputError(
                f"{name}: a setting inside {now['class']} has changed, which "
                "a resumed training cannot take over; set it back"
            )
        scheduler.load_state_dict({**scheduler.state_dict(), key: value})
        changed.append(f"{name}.{key} {old} -> {value}")
    return changed


def _flat(scheduler: Any) -> Iterator[Any]:
    """Return a scheduler and those that it is made of."""
    if scheduler is not None:
        yield scheduler
        for each in getattr(scheduler, "_schedulers", ()):
            yield from _flat(each)


def _settings(part: Any) -> dict[str, Any] | None:
    if part is None:
        return None
    name = f"{type(part).__module__}.{type(part).__qualname__}"
    if isinstance(part, Optimizer):
        groups = [{k: v for k, v in group.items() if k != "params"} for group in part.param_groups]
        sizes = [len(group["params"]) for group in part.param_groups]
        return {"class": name, "groups": _plain(groups), "parameters": sizes}
    return {"class": name, "settings": _plain(part.state_dict())}


def _plain(value: Any) -> Any:
    """Return a value without what is neither a number, a string nor a container of such."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k not in MOVING and _is_plain(v)}
        return {k: _plain(v) for k, v in kept.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(each) for each in value if _is_plain(each))
    return value.item() if isinstance(value, Tensor) else value


def _is_plain(value: Any) -> bool:
    if isinstance(value, Tensor):  # a learning rate may be one
        return value.numel() == 1
    return value is None or isinstance(value, (bool, int, float, str, dict, list, tuple))
