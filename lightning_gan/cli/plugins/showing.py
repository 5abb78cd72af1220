"""``lightning-gan plugins show``: what there is to know of one registered component."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from lightning_gan.cli.plugins.formulas import plain, rewritten
from lightning_gan.components import registry
from lightning_gan.components.registry import Entry
from lightning_gan.errors import InputError, PluginError, nearest

USAGE = "lightning-gan plugins show [KIND] NAME [--json]"
WIDTH = 96
SECTIONS = re.compile(r"^(?:Args|Attributes|Raises|Examples?|Returns|Yields|Notes?):$", re.M)
ROLE = re.compile(r":\w+:`~?(?:[\w.]+\.)?(\w+)`")
OWN_EXAMPLE = re.compile(
    r"^ +(lightning-gan [^\\\n]*(?:\\\n[^\\\n]*)*)$", re.M
)  # with lines that go on
# How a component of a kind is chosen; its arguments are below.
PLACES = {
    "regularizer": ("regularizers=[{name}]", "model.regularizers.{short}"),
    "average": ("model.ema={name}", "model.ema"),
    "balance": ("model.balance={name}", "model.balance"),
    "optimizer": ("model.generator_optimizer={name}", "model.generator_optimizer"),
    "lr_scheduler": ("model.generator_lr_scheduler={name}", "model.generator_lr_scheduler"),
    "schedule": (
        "model.schedules.generator_weight={name}",
        "model.schedules.generator_weight",
    ),
}
VALUES = {float: "1.0", int: "1", bool: "true"}  # of arguments that must be given


def show_one(words: Sequence[str]) -> int:
    """Print what there is to know of a component and return the exit code, 0.

    Args:
        words: Its name or its kind and its name, and perhaps ``--json``.

    Raises:
        InputError: There are more or fewer words, the name is that of components of two kinds, or
            there is no such component.
    """
    options = [word for word in words if word.startswith("-")]
    named = [word for word in words if not word.startswith("-")]
    for option in options:
        if option != "--json":
            raise InputError(f"plugins show: unknown option {option!r}. Options: --json")
    if len(named) not in (1, 2):
        raise InputError(f"expected: {USAGE}, for example plugins show loss wasserstein")
    found = described(find_named(named[-1], named[0] if len(named) == 2 else None))
    print(json.dumps(found, indent=2, ensure_ascii=False) if options else "\n\n".join(_page(found)))
    return 0


def described(entry: Entry) -> dict[str, Any]:
    """Return what there is to know of a component, in plain values.

    Raises:
        PluginError: It is broken.
    """
    from lightning_gan.components.hints import describe_hint
    from lightning_gan.components.taking import arguments_of

    cls = registry.load_entry(entry)
    doc = inspect.getdoc(cls) or ""
    text = _as_text(SECTIONS.split(doc)[0]).strip()
    summary, _, rest = text.partition("\n\n")
    skip = 1 if entry.kind in ("optimizer", "lr_scheduler") else 0  # what they are made for
    arguments = arguments_of(cls, skip)
    return {
        "kind": entry.kind,
        "name": entry.name,
        "distribution": entry.distribution,
        "version": entry.version,
        "class_path": entry.class_path,
        "summary": " ".join(summary.split()),
        "description": rest,
        "arguments": [
            {
                "name": argument.name,
                "type": describe_hint(argument.hint),
                "required": argument.required,
                "default": None if argument.required else _jsonable(argument.default),
                "text": " ".join(_as_text(argument.doc).split()),
            }
            for argument in arguments.values()
        ],
        "declares": _declared(entry.kind, cls),
        "example": _example(entry, doc, arguments),
    }


def find_named(name: str, kind: str | None = None) -> Entry:
    """Return the component of a name, or of a kind and a name.

    Raises:
        PluginError: There is none, or one of each of two kinds.
    """
    if kind is not None:
        return registry.find_entry(registry.kind(kind).name, name)
    distribution, _, short = name.rpartition(":")
    there = [each for kind_name in registry.KINDS for each in registry.entries(kind_name)]
    kinds = dict.fromkeys(
        each.kind
        for each in there
        if each.name == short and distribution in ("", each.distribution)
    )
    if not kinds:
        known = {f"{e.distribution}:{e.name}" if distribution else e.name for e in there}
        hints = (registry.elsewhere(each, name) for each in registry.KINDS)
        hint = next(filter(None, hints), "") or nearest(name, sorted(known)) or "."
        raise PluginError(
            f"unknown component {name!r}{hint} All of them: lightning-gan plugins list"
        )
    if len(kinds) > 1:
        choices = " or ".join(f"lightning-gan plugins show {each} {name}" for each in kinds)
        raise PluginError(f"{name!r} names components of {len(kinds)} kinds. Write {choices}")
    return registry.find_entry(next(iter(kinds)), name)


def _declared(kind: str, cls: type) -> dict[str, Any]:
    """Return the attributes of a class that differ from those of its kind's base class."""
    if registry.KINDS[kind].home is not None:
        return {}
    base = registry.KINDS[kind].load_base()
    ours = [each for each in base.__mro__ if each.__module__.startswith("lightning_gan.")]
    names = [name for each in reversed(ours) for name in vars(each) if name[0] != "_"]
    found = {}
    for name in dict.fromkeys(names):
        default, value = getattr(base, name), getattr(cls, name)
        if not callable(default) and not isinstance(default, property) and value != default:
            found[name] = _jsonable(value)
    return found


def _example(entry: Entry, doc: str, arguments: Mapping[str, Any]) -> str:
    """Return the line that the docstring has, or one that chooses the component."""
    own = OWN_EXAMPLE.search(doc)
    if own:
        return " ".join(own[1].replace("\\\n", " ").split())
    name = f"{entry.distribution}:{entry.name}" if len(_namesakes(entry)) > 1 else entry.name
    choice, place = PLACES.get(entry.kind, ("{kind}={name}", "model.{kind}"))
    words = [part.format(kind=entry.kind, name=name, short=entry.name) for part in (choice, place)]
    filled = ("sample_shape", "num_classes") if entry.kind in ("generator", "discriminator") else ()
    given = [
        f"{words[1]}.{argument.name}={VALUES.get(argument.hint, '...')}"
        for argument in arguments.values()
        if argument.required and argument.name not in filled
    ]
    return " ".join(["lightning-gan fit", words[0], *given])


def _namesakes(entry: Entry) -> list[Entry]:
    return [each for each in registry.entries(entry.kind) if each.name == entry.name]


def _as_text(doc: str) -> str:
    """Return a docstring without its markup."""
    text = rewritten(doc, plain, lambda latex: f"    {plain(latex)}")
    return ROLE.sub(r"`\1`", text).replace("``", "`")


def _jsonable(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(_jsonable(each) for each in value)
    if isinstance(value, (tuple, list)):
        return [_jsonable(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, (str, int, float, type(None))) else str(value)


def _page(found: Mapping[str, Any]) -> list[str]:
    """Return the paragraphs of a component's page."""
    from lightning_gan.cli.layout import as_setting, stacked

    paragraphs = [
        f"{found['kind']} {found['name']}\n"
        f"  from   {found['distribution']} {found['version']}\n"
        f"  class  {found['class_path']}",
        textwrap.fill(found["summary"], WIDTH),
        *map(_paragraph, filter(None, found["description"].split("\n\n"))),
    ]
    rows = [
        (
            f"{each['name']}: {each['type']} = "
            f"{'required' if each['required'] else as_setting(each['default'])}",
            each["text"],
        )
        for each in found["arguments"]
    ]
    paragraphs.append(f"arguments:\n{stacked(rows)}" if rows else "It takes no arguments.")
    if found["declares"]:
        lines = [f"  {name} = {as_setting(value)}" for name, value in found["declares"].items()]
        paragraphs.append("\n".join(["declares:", *lines]))
    return [*paragraphs, f"example:\n  {found['example']}"]


def _paragraph(text: str) -> str:
    """Return a paragraph wrapped; tables, lists and formulas keep their lines."""
    lines = text.splitlines()
    groups: list[list[str]] = []
    for line in lines:
        if line[:1] in ("|", " ", "-") or not groups or groups[-1][-1][:1] in ("|", " "):
            groups.append([line])
        else:
            groups[-1].append(line)
    kept = [
        group[0] if group[0][:1] in ("|", " ") else textwrap.fill(" ".join(group), WIDTH)
        for group in groups
    ]
    return "\n".join(kept)
