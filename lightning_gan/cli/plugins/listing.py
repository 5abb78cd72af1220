"""``lightning-gan plugins``: what is registered, read from metadata, without torch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from lightning_gan.cli.plugins.faults import fault
from lightning_gan.components import developing, installed, registry
from lightning_gan.components.registry import Entry
from lightning_gan.errors import InputError, PluginError, nearest
from lightning_gan.files.columns import columns

ACTIONS = ("list", "show", "check", "new", "doctor", "schema")
FLAGS = ("--json", "--check")
BAD = ("broken", "half installed", "outdated")
COLUMNS = ("kind", "name", "distribution", "version", "status")
USAGE = """\
usage: lightning-gan plugins list [--json] [--check]
       lightning-gan plugins show [KIND] NAME [--json]
       lightning-gan plugins check NAME | DISTRIBUTION
       lightning-gan plugins new NAME --kind KIND [--out FOLDER]
       lightning-gan plugins doctor DISTRIBUTION [--tests FOLDER]
       lightning-gan plugins schema [--out FILE]

List every registered component: kind, name, distribution, version and status.
  --json    as JSON, with class paths
  --check   import each one and say which are broken (exit code 1)

Or show one: its formula and source, its arguments with their ranges, what it declares, and a line
that uses it. The kind is needed where two kinds share a name; distribution:name is understood.
  --json    as JSON

check looks at the metadata of a component, or of all of a distribution, imports it, and checks the
contract of its kind (exit code 1 where something is wrong). new writes a distribution with one
component that installs and passes its tests. doctor runs the conformance kit and a distribution's
own tests against this version. schema writes a JSON schema of the whole configuration for editors.

LIGHTNING_GAN_PLUGINS=module registers the components of a module without installing it;
LIGHTNING_GAN_DISABLE=distribution switches one off.

examples:
  lightning-gan plugins show wgan_gp
  lightning-gan plugins show generator dcgan
  lightning-gan plugins new my-hinge --kind loss"""


def show(words: Sequence[str]) -> int:
    """Print the registered components, or do what else the first word says; return the exit code.

    Returns:
        1 if something that is checked is bad, else 0.

    Raises:
        InputError: The words are not understood.
    """
    if words and words[0] in ACTIONS and words[0] != "list":
        return _act(words[0], words[1:])
    if not words or words[0] != "list":
        got = f", got {words[0]!r}{nearest(words[0], ACTIONS)}" if words else ""
        raise InputError(f"expected: lightning-gan plugins {', '.join(ACTIONS)}{got}")
    for word in words[1:]:
        if word not in FLAGS:
            raise InputError(
                f"plugins list: unknown option {word!r}{nearest(word, FLAGS) or '.'} "
                f"Options: {', '.join(FLAGS)}"
            )
    check = "--check" in words
    rows = [row for kind in registry.KINDS for row in _rows(kind, check)] + _problems()
    if "--json" in words:
        print(json.dumps(rows, indent=2))
    else:
        print(columns([COLUMNS, *([row[column] for column in COLUMNS] for row in rows)]))
    return int(check and any(row["status"].startswith(BAD) for row in rows))


def _act(action: str, words: Sequence[str]) -> int:
    """Do what is not listing; torch is imported where it is needed."""
    if action == "show":
        from lightning_gan.cli.plugins import showing

        return showing.show_one(words)
    if action == "new":
        from lightning_gan.cli.plugins import scaffold

        return scaffold.write(words)
    if action == "schema":
        from lightning_gan.cli.plugins import schema

        return schema.write_schema(words)
    from lightning_gan.cli.plugins import checking

    return checking.check(words) if action == "check" else checking.doctor(words)


def _rows(kind: str, check: bool) -> list[dict[str, str]]:
    entries = registry.entries(kind)
    rows = []
    for entry in (*entries, *registry.disabled_entries(kind)):
        same_name = [other for other in entries if other.name == entry.name]
        status = fault(entry) or (check and _broken(entry)) or _status(entry, same_name, check)
        row = {key: value for key, value in dataclasses.asdict(entry).items() if key in COLUMNS}
        rows.append({**row, "class_path": entry.class_path, "status": status})
    return rows


def _problems() -> list[dict[str, str]]:
    """Return a row for whatever has no component that could be listed, with the reason."""
    found = [(p.distribution, p.version, p.reason) for p in installed.problems()]
    for module in developing.modules():
        reason = developing.import_failure(module)
        if reason:
            found.append((module, developing.VERSION, f"{developing.VARIABLE}: {reason}"))
    there = set(map(installed.normalised, installed.distributions()))
    for name in installed.words_of(installed.DISABLE):
        if installed.normalised(name) == registry.DISTRIBUTION:
            found.append((name, "", f"{installed.DISABLE}: ours cannot be switched off"))
        elif installed.normalised(name) not in there:
            found.append((name, "", f"{installed.DISABLE}: there is no such distribution"))
    return [
        {
            **dict.fromkeys(("kind", "name"), "-"),
            "distribution": distribution,
            "version": version,
            "class_path": "",
            "status": reason,
        }
        for distribution, version, reason in found
    ]


def _status(entry: Entry, same_name: Sequence[Entry], check: bool) -> str:
    """Return what a bare name means; ``distribution:name`` always works."""
    if len(same_name) == 1 or entry.ours:
        return "ok" if check else "registered"
    settled = f"use {entry.distribution}:{entry.name}"
    return f"shadowed by ours, {settled}" if same_name[0].ours else f"ambiguous, {settled}"


def _broken(entry: Entry) -> str:
    try:
        registry.load_entry(entry)
    except PluginError as error:
        return f"broken: {str(error).removeprefix(f'{entry} ')}"
    return ""
