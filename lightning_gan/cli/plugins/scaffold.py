"""``lightning-gan plugins new``: a distribution that installs and passes as it is written."""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Sequence
from pathlib import Path

from lightning_gan.cli.plugins.plugin_words import one_name, read_options
from lightning_gan.cli.plugins.skeletons import SKELETONS, TESTS, USES
from lightning_gan.components import installed, registry
from lightning_gan.errors import InputError
from lightning_gan.files.claims import new_folder

NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9]")
PROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{distribution}"
version = "0.1.0"
description = "A {kind} for lightning-gan."
readme = "README.md"
requires-python = ">=3.10"
dependencies = ["lightning-gan"]

# The version of the plugin interface that this is written for.
[project.entry-points."{api}"]
{version} = "{module}"

[project.entry-points."{group}"]
{name} = "{module}.{name}:{cls}"

# What the conformance kit tries it with, beside what is conventional.
[project.entry-points."{cases}"]
{name} = "{module}.cases:CASES"

[tool.setuptools]
packages = ["{module}"]

[tool.pytest.ini_options]
testpaths = ["tests"]
addopts = ["--lightning-gan-plugin={distribution}"]
"""
README = """\
# {distribution}

{article} {kind} for lightning-gan.

```sh
pip install -e .
pytest
{use}
```

`pytest` runs the tests of this folder, and lightning-gan's conformance kit on all that
`pyproject.toml` registers. What a constructor needs beside what is conventional stands in
`{module}/cases.py`.
"""
CASES = '''\
"""What the conformance kit tries components with, by name: keywords of check_component."""

CASES = {{
    "{name}": {arguments},
}}
'''


def write(words: Sequence[str]) -> int:
    """Write a distribution with one component to a new folder and return the exit code, 0.

    Raises:
        InputError: The name or the kind cannot be one, or the folder exists.
    """
    usage = f"NAME --kind {'|'.join(registry.KINDS)}"
    names, given = read_options("new", words, {"--kind": "KIND", "--out": "FOLDER"})
    distribution = one_name("new", names, usage)
    if "--kind" not in given:
        raise InputError(f"plugins new: --kind is missing; expected: plugins new {usage}")
    kind = registry.kind(given["--kind"])
    folder = Path(given.get("--out", distribution))
    files = files_of(distribution, kind)
    try:
        with new_folder(folder) as beside:
            for path, text in files.items():
                (beside / path).parent.mkdir(parents=True, exist_ok=True)
                (beside / path).write_text(text, encoding="utf-8")
    except FileExistsError as error:
        raise InputError(
            f"{folder} exists already; choose another name, or --out FOLDER"
        ) from error
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}") from error
    print(f"wrote {folder}: {', '.join(files)}")
    print(f"next: cd {folder} && pip install -e . && pytest")
    return 0


def files_of(distribution: str, kind: registry.Kind) -> dict[str, str]:
    """Return the texts of a distribution's files by their paths.

    Args:
        distribution: Its name.
        kind: The kind of its component.

    Raises:
        InputError: The name is none that packaging and Python take, or is taken.
    """
    if not NAME.fullmatch(distribution):
        raise InputError(
            f"plugins new: {distribution!r} is no name of a distribution; expected letters, digits "
            "and hyphens, such as my-gan"
        )
    module = re.sub(r"[-.]+", "_", distribution).lower()
    if keyword.iskeyword(module) or importlib.util.find_spec(module) is not None:
        raise InputError(
            f"plugins new: the module {module} is there already; choose another name, such as "
            f"{distribution}-gan"
        )
    name = module.removesuffix(f"_{kind.name}")
    ending = kind.base.removeprefix("Adversarial")
    words = {
        "distribution": distribution,
        "kind": kind.name,
        "article": "An" if kind.name[0] in "aeiou" else "A",
        "module": module,
        "name": name,
        "cls": "".join(part.capitalize() for part in name.split("_")) + ending,
        "group": kind.group,
        "cases": f"{installed.PREFIX}.cases",
        "api": installed.API_GROUP,
        "version": registry.API_VERSION,
    }
    source, arguments = SKELETONS[kind.name]
    use = USES.get(kind.name, "lightning-gan fit {kind}={name}").format(**words)
    test = TESTS[kind.name if kind.home is not None else "component"]
    return {
        "pyproject.toml": PROJECT.format(**words),
        "README.md": README.format(**words, use=use),
        f"{module}/__init__.py": f'"""{words["article"]} {kind.name} for lightning-gan."""\n',
        f"{module}/{name}.py": _filled(source, words["cls"]),
        f"{module}/cases.py": CASES.format(**words, arguments=arguments),
        f"tests/test_{name}.py": _filled(test.format(**words), words["cls"]),
    }


def _filled(source: str, cls: object) -> str:
    return source.replace("CLASS", str(cls))
