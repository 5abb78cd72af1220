"""The Hydra grammar: groups, experiments and ``key=value`` overrides, composed into one dict.

Hydra puts groups and experiments together and builds nothing. Every registered component is a
choice of its group without a YAML file of its own, and so is any dotted class path. Choosing
another component or optimizer than the experiment's takes it with its own defaults: what the
experiment says about the old one is left out. Of another data set's settings the experiment keeps
its word wherever the data set's own YAML has that key too, such as the batch size.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.resources import files
from inspect import signature
from typing import Any

import yaml
from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lightning_gan.cli.settings import trees
from lightning_gan.cli.settings.short_names import CALLBACKS, SLOTS, normalise, put
from lightning_gan.components import installed, offered, registry
from lightning_gan.errors import InputError, PluginError, nearest

TOP = (
    *("model", "data", "trainer", "seed_everything", "threads", "ckpt_path", "init_from"),
    *CALLBACKS,
)
KIND_GROUPS = {**{kind: kind for kind in SLOTS}, "regularizers": "regularizer"}
# Where the choice of a group lands; another choice replaces what stands there.
GROUP_PATHS: dict[str, tuple[str, ...]] = {
    **{group: (f"model.{group}",) for group in KIND_GROUPS},
    "data": ("data",),
    "optimizer": ("model.generator_optimizer", "model.discriminator_optimizer"),
}
BESIDE = "chosen_on_the_command_line"  # where Hydra puts what is taken from there
HOMELESS = (
    "a YAML file of the group 'regularizers' must begin with '# @package model.regularizers.NAME'"
)
EMPTY = (
    "{0}= has no value, as if a variable were not set; write {0}=null for none, or {0}=\"''\" for "
    "an empty text"
)
SHOWN = r"[^'\"\\$`!]{1,60}"  # text that an error repeats in quotes of the shell and of Hydra
PLAIN_TEXT = r"[^\[{'\"\n$,][^\n$,]*"  # what is no list, no dict, no interpolation and not quoted
SPECIAL = r"[^\[\]{}'\"(),$]*"  # what Hydra reads as plain text, once quoted


def settings(overrides: Sequence[str]) -> dict[str, Any]:
    """Compose the settings of a run, in short form, from Hydra overrides.

    Raises:
        InputError: An override is not understood, or names no setting, group or choice.
    """
    parsed = [parse(text) for text in overrides]
    for override in parsed:
        check_override(override)
    chosen = {o.key_or_group: o for o in parsed if _is_choice(o) and o.key_or_group in GROUP_PATHS}
    others = [_text(o) for o in parsed if is_group(o) and o not in chosen.values()]
    others += _replaced_by_experiment(parsed, chosen)
    _store(chosen.values())
    # What is chosen is composed beside the rest, without what the experiment says about its own.
    named = [(group, name) for group, o in chosen.items() for name in choices_of(o)]
    beside = [f"+{g}@{BESIDE}.n{i}={_quoted(name)}" for i, (g, name) in enumerate(named)]
    content = _compose([*others, *beside])
    alone = content.pop(BESIDE, {})
    fresh: dict[str, Any] = {}
    for number, (group, name) in enumerate(named):
        fresh = trees.merge(fresh, _placed(group, name, alone.get(f"n{number}", {})))
    fresh = normalise(trees.shorten(fresh))
    if "data" in chosen:
        fresh = _with_experiment(fresh, _compose([*others, _text(chosen["data"])]))
    content = _replace(content, fresh, chosen)
    for override in parsed:
        if not is_group(override):
            content = apply(content, override)
    return resolve_references(content)


def _replaced_by_experiment(
    parsed: Sequence[Override], chosen: Mapping[str, Override]
) -> list[str]:
    """Return overrides that drop the default choices in whose place an experiment puts a class.

    Hydra would give that class the arguments of the default one.
    """
    names = [n for o in parsed if o.key_or_group == "experiment" for n in choices_of(o)]
    dropped = []
    for name in names:
        content = yaml.safe_load(_files().get(("experiment", name), "")) or {}
        overridden = str(content.get("defaults"))
        for group, (path, *_) in GROUP_PATHS.items():
            node = _get(content, path)
            names_class = isinstance(node, Mapping) and "class_path" in node
            if names_class and group not in chosen and f"/{group}'" not in overridden:
                dropped.append(f"~{group}")
    return dropped


def choice(group: str, name: str) -> dict[str, Any]:
    """Return the settings (short form) that one choice of a group of one place stands for.

    Raises:
        InputError: There is no such choice.
    """
    override = parse(f"{group}={name}")
    check_override(override)
    _store([override])
    content = resolve_references(_compose(["~experiment", f"{group}={name}"]))
    for key in trees.keys(GROUP_PATHS[group][0]):
        content = content[key]
    return content


def parse(text: str) -> Override:
    """Read one override; plain text, such as the name of a folder, needs no quotes.

    Raises:
        InputError: Hydra does not understand it, or nothing stands behind ``=``.
    """
    key, equals, value = text.partition("=")
    if equals and key.endswith(("+", "-")):  # += and -= for one item of a list
        override = parse(f"{key[:-1]}={value}")
        override.key_or_group, override.input_line = key.lstrip("+"), text
        return override
    if equals and not value.strip() and not key.startswith("~"):
        raise InputError(EMPTY.format(key))
    if re.fullmatch(f"{SPECIAL}={SPECIAL}", value):
        text = f"{key}='{value}'"
    try:
        return _parsed(text)
    except (HydraException, ValueError, RecursionError) as error:  # numbers or brackets without end
        if equals and re.fullmatch(PLAIN_TEXT, value):
            with suppress(HydraException, ValueError, RecursionError):
                return _parsed(f"{key}={in_quotes(value)}")
        text_of = f"'{value}'" if re.fullmatch(SHOWN, value) else "'...'"
        hint = f'; quote a value with special characters: "{key}={text_of}"' if equals else ""
        raise InputError(f"{text!r} is not understood; expected key=value{hint}") from error


def _parsed(text: str) -> Override:
    override: Override = OverridesParser.create().parse_override(text)
    return override


PLAYERS = ("generator_", "discriminator_")  # settings of GANModule begin with these


def check_override(override: Override) -> None:
    """Check that an override names a setting or a group, and every choice it makes.

    Raises:
        InputError: It does not.
    """
    name = override.key_or_group.rstrip("+-")
    if is_group(override):
        for chosen in choices_of(override):
            check_choice(name, chosen)
    elif name.split(".")[0] not in TOP:
        head, _, rest = name.partition(".")
        of_model = head in (*KIND_GROUPS, "ema", "schedules") or head.startswith(PLAYERS)
        hint = nested(name) or nearest(head, (*TOP, *groups()))
        if rest and of_model:
            hint = f", did you mean 'model.{name}'?"
        raise InputError(
            f"unknown setting or group {name!r}{hint or '.'} "
            f"Groups: {', '.join(groups())}. Settings begin with {', '.join(TOP)}"
        )


def nested(name: str) -> str:
    """Return ``", did you mean 'trainer.max_steps'?"`` for the last part of a usual setting."""
    from lightning_gan.training.module import GANModule

    defaults = settings([])
    known = {**defaults, "model": {**defaults["model"], **signature(GANModule).parameters}}
    found = [key for key in ("model", "data", "trainer") if name in known[key]]
    return f", did you mean '{found[0]}.{name}'?" if found else ""


def check_choice(group: str, name: str) -> None:
    """Check one choice of a group: a YAML file, a registered name or a dotted class path.

    Raises:
        InputError: There is no such choice.
    """
    if name in choices(group) or (group in GROUP_PATHS and _is_class(group, name)):
        if (group, name) not in _files() and group in KIND_GROUPS and not _is_class_path(name):
            _find(group, name)
        return
    if group in KIND_GROUPS:
        _find(group, name)
        return
    available = choices(group)
    raise InputError(
        f"{group}: unknown choice {name!r}"
        f"{offered.how_to_get(group, name) or nearest(name, available) or '.'} "
        f"Available: {', '.join(available) or 'none'}"
    )


def is_group(override: Override) -> bool:
    """Whether an override chooses from a group rather than setting a value."""
    name = override.key_or_group
    return name in groups() and (name not in TOP or _is_choice(override))


def choices_of(override: Override) -> list[str]:
    """Return the names that an override chooses; none for a deletion or several values."""
    if override.is_delete() or override.is_sweep_override():
        return []
    value = override.value()
    return [
        item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)
    ]


def groups() -> list[str]:
    """Return the names of all config groups: folders of YAML files, and the kinds of component."""
    return sorted(set(KIND_GROUPS) | {group for group, _ in _files()})


def choices(group: str) -> list[str]:
    """Return the choices of a group: its YAML files and the registered components."""
    registered = registry.names(KIND_GROUPS[group]) if group in KIND_GROUPS else []
    return sorted({name for folder, name in _files() if folder == group} | set(registered))


def description(group: str, name: str) -> str:
    """Return the first comment line of a choice's YAML file, or an empty string."""
    text = _files().get((group, name), "")
    comments = [line[2:] for line in text.splitlines() if re.match("# [^@]", line)]
    return comments[0] if comments else ""


def where(error: Exception) -> str:
    """Return what is wrong with a YAML text, and in which line, without the text itself."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if not isinstance(error, (yaml.YAMLError, ValueError)):
        return "a value does not fit its tag"
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{problem} in line {mark.line + 1}" if mark else str(problem)


def _compose(overrides: Sequence[str]) -> dict[str, Any]:
    """Return what Hydra composes, in short form, interpolations unresolved."""
    ours, *theirs = _packages()
    places = [(package, installed.package_folder(package)) for package in theirs]
    found = [f"pkg://{package}" if at is None else f"file://{at}" for package, at in places]
    search = f"hydra.searchpath=[{','.join(map(in_quotes, found))}]"
    _store()
    GlobalHydra.instance().clear()
    try:
        with initialize_config_module(ours, version_base="1.3"):
            config = compose("config", [search, *overrides])
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        name = f" ({mark.name})" if mark else ""
        raise InputError(f"a configuration file{name} is not valid YAML: {where(error)}") from error
    except (
        HydraException,
        OmegaConfBaseException,
        ValueError,
        TypeError,
    ) as error:  # lists of lists
        raise InputError(f"the configuration cannot be composed: {_first(error)}") from error
    content = OmegaConf.to_container(config, resolve=False)
    result: dict[str, Any] = normalise(trees.shorten(content))
    for group in KIND_GROUPS:  # a file of a group that does not say where it belongs
        if group == "regularizers" and group in result:
            raise InputError(HOMELESS)
        if group in result:
            result = trees.merge({"model": {group: result.pop(group)}}, result)
    return result


def _placed(group: str, name: str, content: Any) -> dict[str, Any]:
    """Return what a choice says, where it says that it belongs."""
    text = _files().get((group, name))
    header = None if text is None else re.search(r"^# @package (\S+)", text, re.MULTILINE)
    place, *others = GROUP_PATHS[group]
    if text is not None and header is None and group == "regularizers":
        raise InputError(HOMELESS)
    if text is None and others:  # a class for each of two players
        owner = place.rpartition(".")[0]
        content = {path.rpartition(".")[2]: content for path in (place, *others)}
        place = owner
    if text is None and group == "regularizers":
        place += "." + re.split("[.:]", name)[-1]
    if header is not None and header[1] != "_group_":
        place = "" if header[1] == "_global_" else header[1]
    for key in reversed([key for key in place.split(".") if key]):
        content = {key: content}
    placed: dict[str, Any] = content
    return placed


def in_quotes(text: str) -> str:
    """Return text as Hydra takes it, whatever is in it.

    Example:
        >>> print(in_quotes("O'Brien"), in_quotes("[2020] photos"), in_quotes("plain"))
        "O'Brien" '[2020] photos' 'plain'
    """
    quote = '"' if "'" in text and '"' not in text else "'"

    def escaped(found: re.Match[str]) -> str:  # a backslash counts before a quote alone
        return found[1] * 2 + (f"\\{quote}" if found[2] else "")

    return quote + re.sub(rf"(\\*)({quote}|$)", escaped, text) + quote


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w.]+", name) else in_quotes(name)


def _with_experiment(fresh: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """Give a data set what the experiment says about data, as far as it has these settings.

    Args:
        fresh: The settings with the data set, but without the experiment.
        whole: The settings with both.
    """
    own, said = fresh.get("data"), whole.get("data")
    if _get(fresh, "data.class_path") != _get(whole, "data.class_path") or not own or not said:
        return fresh  # the experiment names a class itself
    return {**fresh, "data": {key: said[key] for key in own}}


def _replace(
    content: dict[str, Any], fresh: dict[str, Any], chosen: Iterable[str]
) -> dict[str, Any]:
    """Put the choices of the command line in place of those that the experiment made."""
    for group in chosen:
        for path in GROUP_PATHS[group]:
            chosen_now = _get(fresh, path)
            content = trees.assign(content, path, {} if chosen_now is None else chosen_now)
    return content


def apply(content: dict[str, Any], override: Override) -> dict[str, Any]:
    """Return the settings (short form) with one override that is no choice of a group.

    Raises:
        InputError: It is a sweep, or leads nowhere.
    """
    if override.is_delete():
        return trees.remove(content, override.key_or_group)
    if override.is_sweep_override():
        raise InputError(
            f"{override.key_or_group}: got several values, {override.get_value_string()!r}; "
            f"add -m to run them one after the other, or write a list as [a,b]"
        )
    value = override.value()
    trees.check_size(value, override.key_or_group)
    path = override.key_or_group.rstrip("+-")
    if override.key_or_group.endswith("-"):
        return trees.take_out(content, path, value)
    return put(content, path, value, append=override.key_or_group.endswith("+"))


def resolve_references(content: dict[str, Any]) -> dict[str, Any]:
    """Return settings (short form) with every ``${...}`` and every ``~`` at a beginning resolved.

    Raises:
        InputError: One leads nowhere.
    """
    if "${now:" in repr(content):
        raise InputError(
            "${now:...} is not supported: every process of a run composes its own configuration; "
            "runs are numbered version_0, version_1, ... instead"
        )
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(content), resolve=True)
    except OmegaConfBaseException as error:
        raise InputError(f"the configuration cannot be resolved: {_first(error)}") from error
    result = normalise(_at_home(trees.shorten(resolved)))
    assert isinstance(result, dict)
    return result


def _at_home(value: Any) -> Any:
    """Return settings in which ``~`` or ``~name`` before a slash is the home folder of a user."""
    if isinstance(value, dict):
        return {key: _at_home(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_at_home(item) for item in value]
    home = isinstance(value, str) and re.match(r"~[\w.-]*(/|$)", value)
    return os.path.expanduser(value) if home else value


def _store(chosen: Iterable[Override] = ()) -> None:
    """Make every registered component, and every class path chosen, a choice of its group."""
    named = [(o.key_or_group, name) for o in chosen for name in choices_of(o)]
    for group, kind in KIND_GROUPS.items():
        named += [(group, name) for name in registry.names(kind)]
        named += [(group, f"{entry.distribution}:{entry.name}") for entry in registry.entries(kind)]
    for group, name in named:
        if (group, name) not in _files():  # a YAML file of that name wins
            (package, *_) = GROUP_PATHS[group]
            if group == "regularizers":
                package += "." + re.split("[.:]", name)[-1]
            node = {"class_path": name}
            ConfigStore.instance().store(group=group, name=name, package=package, node=node)


def _text(override: Override) -> str:
    """Return the override of a group as Hydra takes it; ``group=null`` means without it."""
    if not override.is_delete() and override.value() is None:
        return f"~{override.key_or_group}"
    text = override.input_line
    assert text is not None
    return text


def _is_choice(override: Override) -> bool:
    return override.key_or_group in groups() and bool(
        choices_of(override) or override.key_or_group == "regularizers"
    )


def _is_class(group: str, name: str) -> bool:
    """Whether a choice is a class path, or the name of a class of torch.optim or our data."""
    home = {"optimizer": "torch.optim", "data": "lightning_gan.data"}.get(group)
    return _is_class_path(name) or (
        home is not None and name[:1].isupper() and hasattr(importlib.import_module(home), name)
    )


def _is_class_path(name: str) -> bool:
    return "." in name and re.fullmatch(r"[\w.]+", name) is not None


def _find(group: str, name: str) -> None:
    try:
        registry.find_entry(KIND_GROUPS[group], name)
    except PluginError as error:
        raise PluginError(f"{group}: {error}") from error


@functools.cache
def _read_package(package: str) -> dict[tuple[str, str], str]:
    """Return the text of every ``group/name.yaml`` of a config package; imports it at need only."""
    found = {}
    for folder in (installed.package_folder(package) or files(package)).iterdir():
        if folder.is_dir():
            for file in folder.iterdir():
                if file.name.endswith(".yaml"):
                    group, name = folder.name, file.name.removesuffix(".yaml")
                    found[group, name] = file.read_text(encoding="utf-8")
    return found


def _files() -> dict[tuple[str, str], str]:
    """Return the text of every YAML file of all groups; the first package that has it wins."""
    found: dict[tuple[str, str], str] = {}
    for package in reversed(_packages()):
        found.update(_read_package(package))
    return found


def _packages() -> list[str]:
    """Return the config packages that can be read, ours first."""
    readable = []
    for entry in registry.config_packages():
        try:
            _read_package(entry.value)
            readable.append(entry.value)
        except Exception as error:
            warnings.warn(
                f"the configurations of {entry.distribution} {entry.version} ({entry.value}) "
                f"cannot be read: {type(error).__name__}: {error}",
                stacklevel=2,
            )
    return readable


def _get(content: Mapping[str, Any], path: str) -> Any:
    node: Any = content
    for key in trees.keys(path):
        node = node.get(key) if isinstance(node, Mapping) else None
    return node


def _first(error: Exception) -> str:
    return str(error).strip().split("\n\n")[0].replace("\n", " ")
