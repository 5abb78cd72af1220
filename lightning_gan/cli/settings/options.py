"""The LightningCLI grammar: ``--config`` files and ``--key=value`` options, read into one dict."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lightning_gan.cli.settings import compose, trees
from lightning_gan.cli.settings.compose import where
from lightning_gan.cli.settings.short_names import normalise, put
from lightning_gan.errors import InputError, nearest


class Loader(yaml.SafeLoader):
    """YAML with floats as people write them, 1e-3, and in which no key may stand twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping.

        Raises:
            ConstructorError: A key stands twice: the first block would be thrown away.
        """
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen and key.value != "<<":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(getattr(key, "value", None) if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


Loader.yaml_implicit_resolvers = {
    key: [(tag, regex) for tag, regex in resolvers if tag != "tag:yaml.org,2002:float"]
    for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+"
        r"|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


def settings_of_options(options: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the settings of a run in short form.

    The base is what the ``--config`` files say, the later over the earlier; where they do not say
    what the networks are, they change the default configuration. Then every ``--key=value`` is set
    in turn; ``--key+=value`` appends to a list, ``--key-=name`` takes an item out.

    Raises:
        InputError: A file is missing or broken, or an option is unknown.
    """
    files = [value for name, value in options if name == "config"]
    base: Any = {}
    for path in files:
        base = trees.merge(base, normalise(trees.shorten(_read(path))))
    if not isinstance(base.get("model"), dict) or "generator" not in base["model"]:
        base = trees.merge(compose.settings([]), base)  # a part of a configuration, or none
    for name, text in options:
        if name != "config":
            base = _set(base, name, text)
    return compose.resolve_references(base)


def _set(base: dict[str, Any], name: str, text: str) -> dict[str, Any]:
    path = name.rstrip("+-")
    check_key(path)
    if not text.strip():
        raise InputError(compose.EMPTY.format(f"--{path}"))
    try:
        value = yaml.load(text, Loader)
    except Exception as error:  # what does not fit its tag fails in any way
        raise InputError(f"{path}: got {text!r}; {where(error)}") from error
    trees.check_size(value, path)
    if text.strip() == "~":
        value = "~"  # the home folder, and not YAML's second word for null
    if path == "data" and isinstance(value, str):
        value = compose.choice("data", value)
    if name.endswith("-"):
        return trees.take_out(base, path, value)
    return put(base, path, value, append=name.endswith("+"))


def check_key(path: str) -> None:
    """Check the first part of a path.

    Raises:
        InputError: It is none of the top-level settings.
    """
    key = path.split(".")[0]
    if key in compose.TOP:
        return
    if key in compose.groups():
        instead = [f"--{place}=NAME" for place in compose.GROUP_PATHS.get(key, ())]
        raise InputError(
            f"{key!r} is a config group, not an option; write {' '.join(instead)}"
            if instead
            else f"{key!r} is a config group; write {key}=NAME, and key=value for all the others"
        )
    raise InputError(
        f"unknown setting {path!r}{compose.nested(path) or nearest(key, compose.TOP) or '.'} "
        f"Settings begin with {', '.join(compose.TOP)}"
    )


def _read(path: str) -> Any:
    file = Path(path)
    if not os.path.isfile(file):
        if os.path.isdir(file):  # of names that are too long, too
            inside = sorted(str(other) for other in file.glob("*.y*ml"))
            hint = f"; it holds {', '.join(inside[:3])}" if inside else ""
            raise InputError(f"--config: {path} is a folder, expected a YAML file{hint}")
        beside = file.parent.glob("*.y*ml") if os.path.isdir(file.parent) else ()
        raise InputError(f"--config: no file at {path}{nearest(path, map(str, beside))}")
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader)
    except OSError as error:
        raise InputError(f"--config: {path} cannot be read: {error.strerror}") from error
    except Exception as error:
        raise InputError(f"--config: {path} is not valid YAML: {where(error)}") from error
    trees.check_size(content, f"--config: {path}")
    if not isinstance(content, dict):
        what = "is empty" if content is None else f"holds a {type(content).__name__}"
        raise InputError(f"--config: {path} {what}; expected key: value")
    for key in content:
        check_key(str(key))
    data = content.get("data")
    name = data.get("class_path") if isinstance(data, dict) else data
    if isinstance(data, str) or (isinstance(name, str) and name in compose.choices("data")):
        more = trees.shorten(data) if isinstance(data, dict) else {}
        chosen = compose.choice("data", str(name))
        content["data"] = {**chosen, **more, "class_path": chosen["class_path"]}
    return content
