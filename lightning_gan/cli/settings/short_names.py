"""Short names to class paths, wherever settings name a component.

Only metadata is read here: nothing is imported, so that one name can be compared with another
before it is known which of them will be used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning_gan.cli.settings import trees
from lightning_gan.components import registry
from lightning_gan.components.locating import class_path

MODULE = "lightning_gan.training.module.GANModule"
# Arguments of the module that hold one component of the kind of their name.
SLOTS = ("generator", "discriminator", "loss", "alternation", "augment", "prior", "balance")
# Other arguments that hold one object, by kind.
OTHERS = {
    "ema": "average",
    "generator_optimizer": "optimizer",
    "discriminator_optimizer": "optimizer",
    "generator_lr_scheduler": "lr_scheduler",
    "discriminator_lr_scheduler": "lr_scheduler",
}
SWITCHES = {"off": False, "no": False, "on": True, "yes": True}
# Callbacks with a key of their own, in the order in which they act; Lightning moves checkpoints to
# the end.
CALLBACKS = {
    "best": "lightning_gan.callbacks.BestCheckpoint",
    "checkpoint": "lightning_gan.callbacks.RunCheckpoint",
    "samples": "lightning_gan.callbacks.SampleGrid",
    "curves": "lightning_gan.callbacks.LossCurves",
    "evaluation": "lightning_gan.callbacks.Evaluation",
    "health": "lightning_gan.callbacks.HealthMonitor",
    "export": "lightning_gan.callbacks.GeneratorExport",
    "summary": "lightning_gan.callbacks.RunSummary",
    "predictions": "lightning_gan.callbacks.PredictionWriter",
}


def normalise(settings: Any) -> Any:
    """Return settings (short form) with the class path of every component written out.

    A component may be ``"dcgan"``, ``{"class_path": "dcgan", ...}`` or a dotted class path;
    ``regularizers`` may be a list of names. Names of classes stay where averages, schedules,
    optimizers and learning-rate schedulers stand.

    Raises:
        PluginError: An unknown or ambiguous name.
    """
    if not isinstance(settings, Mapping):
        return settings
    result = dict(settings)
    if isinstance(result.get("data"), str):
        result["data"] = {"class_path": result["data"]}
    if isinstance(result.get("init_from"), str):
        result["init_from"] = {"path": result["init_from"]}
    if isinstance(result.get("best"), str) and result["best"] not in SWITCHES:
        result["best"] = {"monitor": result["best"]}
    model = result.get("model")
    if isinstance(model, str):
        model = {"class_path": model}
    if isinstance(model, Mapping):
        model = {k: v for k, v in model.items() if (k, v) != ("class_path", MODULE)}  # the default
        for slot in SLOTS:
            if slot in model:
                model[slot] = _component(slot, f"model.{slot}", model[slot])
        for key, kind in OTHERS.items():
            if key in model:
                model[key] = _other(kind, f"model.{key}", model[key])
        schedules = model.get("schedules")
        if isinstance(schedules, Mapping):
            model["schedules"] = {
                path: _other("schedule", f"model.schedules.{path}", item)
                for path, item in schedules.items()
            }
        if "regularizers" in model:
            model["regularizers"] = _regularizers(model["regularizers"])
        result["model"] = model
    return result


def put(settings: dict[str, Any], path: str, value: Any, *, append: bool = False) -> dict[str, Any]:
    """Return settings (short form) with one value set, as a user's override sets it.

    See :func:`trees.assign`; names of components are written out on both sides first, so that an
    override with the class that is there already keeps its arguments.
    """
    value = trees.shorten(value)
    if not append:
        value = _at(normalise(_nested(path, value)), path)
    changed = normalise(trees.assign(settings, path, value, append=append))
    assert isinstance(changed, dict)
    return changed


def _component(kind: str, where: str, value: Any) -> Any:
    if isinstance(value, str):
        value = {"class_path": value}
    if isinstance(value, Mapping) and isinstance(value.get("class_path"), str):
        return {**value, "class_path": class_path(kind, where, value["class_path"])}
    return value


def _other(kind: str, where: str, value: Any) -> Any:
    name = value.get("class_path") if isinstance(value, Mapping) else value
    if isinstance(name, str) and class_path(kind, where, name) != name:
        return _component(kind, where, value)
    return value  # an interpolation, the name of a class, or arguments alone


def _regularizers(value: Any) -> Any:
    if isinstance(value, str):
        value = [value]
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        value = {name.rpartition(":")[2].rpartition(".")[2]: name for name in value}
    if not isinstance(value, Mapping):
        return value
    result = {}
    for key, item in value.items():
        if isinstance(item, Mapping) and "class_path" not in item and _registered(key):
            item = {"class_path": key, **item}
        result[key] = _component("regularizer", f"model.regularizers.{key}", item)
    return result


def _registered(name: str) -> bool:
    return name in registry.names("regularizer")


def _nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(trees.keys(path)):
        value = {key: value}
    nested: dict[str, Any] = value
    return nested


def _at(node: Any, path: str) -> Any:
    for key in trees.keys(path):
        node = node[key]
    return node
