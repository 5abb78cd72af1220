"""``lightning-gan evaluate``: a score card for a checkpoint.

Words and paths are checked before torch, which takes seconds, is imported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override

from lightning_gan.cli.arguments import Request
from lightning_gan.cli.settings import compose, options
from lightning_gan.errors import InputError, nearest
from lightning_gan.evaluation.card import ScoreCard
from lightning_gan.evaluation.plan import Plan
from lightning_gan.files.claims import numbered_names, write_first_free
from lightning_gan.files.names import CHECKPOINTS, CONFIG, SCORECARDS

RUNS = Path("runs")
LISTED = 1000
PLANNED = tuple(field.name for field in dataclasses.fields(Plan))
OWN = {
    "output": "where the score card goes; scorecards/ in the run's folder by default",
    "device": "where to compute: cpu, cuda, cuda:1, ...; by default a GPU where there is one",
    "threads": "CPU threads; those of the run by default",
    "trust": "true: import whatever class the checkpoint and the config.yaml beside it name",
}


USAGE = """\
usage: lightning-gan evaluate CHECKPOINT [key=value ...]

Score a checkpoint against real images. The data are those of the run, as config.yaml in its folder
says; data=NAME and data.KEY=... change them. The card goes to scorecards/ in the run's folder.

settings, with their defaults:
{settings}

examples:
  lightning-gan evaluate runs/mnist_dcgan/version_0/checkpoints/last.ckpt
  lightning-gan evaluate runs/mnist_dcgan/version_0/checkpoints/last.ckpt n_fake=100000 split=test
  lightning-gan evaluate model.ckpt data=mnist data.root=data metrics=[fid,precision_recall]"""


def usage() -> str:
    """Return the help page, with the settings of an evaluation."""
    from lightning_gan.cli.layout import as_setting, columned
    from lightning_gan.components.taking import arguments_of
    from lightning_gan.evaluation.plan import METRICS

    rows = {}
    for argument in arguments_of(Plan).values():
        doc = argument.doc.replace("METRICS", ", ".join(METRICS)).replace("None", "null")
        rows[f"{argument.name}={as_setting(argument.default)}"] = doc
    rows |= {f"{name}=": doc for name, doc in OWN.items()}
    return USAGE.format(settings=columned(rows.items()))


def run(request: Request) -> int:
    """Score the checkpoint; write the card and its pictures.

    Returns:
        0.

    Raises:
        InputError: Anything that the user can put right.
    """
    words = request.words
    path, overrides = _checkpoint(words), [compose.parse(word) for word in words[1:]]
    given = _given(overrides)
    plan = Plan(**{name: given[name] for name in PLANNED if name in given})
    config = next((f / CONFIG for f in path.parents[:2] if (f / CONFIG).is_file()), None)
    settings = _settings(config, path, overrides, given.get("trust") is True)
    output = _output(given.get("output"), path)

    import torch

    from lightning_gan.callbacks.sink import shown_path
    from lightning_gan.cli.devices import chosen_device
    from lightning_gan.cli.settings.resolve import resolve
    from lightning_gan.cli.trainer.building import build_data
    from lightning_gan.cli.watching import shown
    from lightning_gan.evaluation.evaluator import evaluate
    from lightning_gan.training.checkpoint import read_checkpoint
    from lightning_gan.training.module import GANModule

    settings = resolve({**settings, **{key: given[key] for key in ("threads",) if key in given}})
    if settings["threads"] is not None:
        torch.set_num_threads(settings["threads"])
    device = chosen_device(given.get("device"))
    step = read_checkpoint(path, map_location="meta").get("global_step")
    gan = GANModule.load_from_checkpoint(path, device, trust=given.get("trust") is True)
    data = build_data(settings)
    print(f"evaluating {shown_path(path)} on {device}", flush=True)
    wanted = {name: getattr(plan, name) for name in PLANNED}
    with shown():
        card = evaluate(gan, data, **wanted)
    about = {"path": str(shown_path(path)), "step": step, **card.checkpoint}
    card = dataclasses.replace(card, checkpoint=about)
    output = write_first_free(output.parent, numbered_names(output.name), card.text())
    print(f"{card.table()}\n\n{card.summary()}\nscore card: {shown_path(output)}")
    for picture in _draw(card, output):
        print(f"picture: {shown_path(picture)}")
    return 0


def _checkpoint(words: Sequence[str]) -> Path:
    """Return the checkpoint, the first word.

    Raises:
        InputError: It is missing or no file, or a later word is not key=value.
    """
    example = "lightning-gan evaluate runs/NAME/version_0/checkpoints/last.ckpt n_fake=10000"
    first = words[0] if words else "nothing"
    if not words or first.startswith("-") or ("=" in first and not Path(first).exists()):
        raise InputError(f"evaluate expects a checkpoint first, got {first}: {example}")
    for word in words[1:]:
        if "=" not in word or word.startswith("-"):
            raise InputError(
                f"evaluate expects key=value after the checkpoint, got {word!r}: {example}"
            )
    path = Path(words[0])
    if path.is_file():
        return path
    runs = list(islice(RUNS.rglob("*.ckpt"), LISTED))
    if path.is_dir():
        near = [*path.glob("*.ckpt"), *path.glob("checkpoints/*.ckpt")]
        found = sorted(str(file) for file in (*near, *runs) if path in file.parents)
        instead = f": name one, such as {found[-1]}" if found else " without a checkpoint in it"
        raise InputError(f"evaluate expects a checkpoint, got the folder {path}{instead}")
    # Not the folders above: for an absolute path that would be the whole disk.
    found = sorted({str(file) for file in (*path.parent.glob("*.ckpt"), *runs)})
    raise InputError(f"no checkpoint at {path}{nearest(str(path), found)}")


def _given(overrides: Sequence[Override]) -> dict[str, Any]:
    """Return the settings of the evaluation itself; those of the data are only checked.

    Raises:
        InputError: A setting is unknown.
    """
    given = {}
    known = (*PLANNED, *OWN)
    for override in overrides:
        name = override.key_or_group
        if name in known and not override.is_delete() and not override.is_sweep_override():
            given[name] = override.value()
        elif name.split(".")[0] == "data":
            compose.check_override(override)
        else:
            raise InputError(
                f"evaluate: unknown setting {override.input_line!r}{nearest(name, known) or '.'} "
                f"Settings are data=NAME, data.KEY=..., {', '.join(known)}"
            )
    return given


def _settings(
    config: Path | None, path: Path, overrides: Sequence[Override], trust: bool
) -> dict[str, Any]:
    """Return the settings of a run, in short form, with the data that were asked for.

    Raises:
        InputError: Nothing says what the data are, or they are of a class that is not trusted.
    """
    settings = compose.settings([])
    if config is not None:
        saved = options.settings_of_options([("config", str(config))])
        kept = ("data", "seed_everything", "threads")
        settings = {**settings, **{key: saved[key] for key in kept if key in saved}}
    asked = [o for o in overrides if o.key_or_group.split(".")[0] == "data"]
    chosen = [o for o in asked if o.key_or_group == "data" and len(compose.choices_of(o)) == 1]
    if config is None and not chosen:
        raise InputError(
            f"there is no {CONFIG} of the run beside {path} or above it: say what the data are, "
            "for example data=mnist data.root=data"
        )
    for override in chosen:
        settings["data"] = compose.choice("data", *compose.choices_of(override))
    for override in asked:
        if override not in chosen:
            settings = compose.apply(settings, override)
    if config is not None and not chosen and not trust:
        _check_trust(config, settings["data"], asked)
    return settings


def _check_trust(config: Path, data: Any, asked: Sequence[Override]) -> None:
    """Refuse to import what a configuration that nobody named on the command line asks for.

    Raises:
        InputError: Its data are of a class that is not the library's, or use one.
    """
    typed = {value for o in asked for value in _class_paths({o.key_or_group: o.value()})}
    for name in _class_paths(data):
        if name not in typed and not name.startswith("lightning_gan.data."):
            raise InputError(
                f"{config} names {name} for the data, which is not a class of lightning_gan.data "
                "and would be imported: add trust=true if you trust that file, or say what the "
                "data are, for example data=mnist data.root=data"
            )


def _class_paths(node: Any) -> Iterator[str]:
    """Yield every class path in settings, and texts that jsonargparse could read as one."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if str(key).endswith("class_path") and isinstance(value, str):
                yield value
            else:
                yield from _class_paths(value)
    elif isinstance(node, list):
        for item in node:
            yield from _class_paths(item)
    elif isinstance(node, str) and "class_path" in node:
        yield node


def _output(given: Any, path: Path) -> Path:
    """Return where the card goes; where the file exists at the end, beside it and numbered.

    Raises:
        InputError: The user's file exists.
    """
    if given is not None:
        output = Path(str(given))
        if output.exists():
            raise InputError(f"output: {output} exists already; choose another name")
        return output
    run = path.parent.parent if path.parent.name == CHECKPOINTS else path.parent
    return run / SCORECARDS / f"{path.stem}.json"


def _draw(card: ScoreCard, output: Path) -> Iterator[Path]:
    """Draw beside a card what it knows of the classes; yield the path of each picture."""
    from lightning_gan.callbacks.pictures.class_histogram import class_histogram, class_sharpness
    from lightning_gan.callbacks.sink import write_png

    pictures = {}
    if shares := card.details.get("class_shares"):
        values = (shares[key] for key in ("share", "low", "high", "expected"))
        pictures["classes"] = class_histogram(*values)
    if sharpness := card.details.get("sharpness_per_class"):
        values = (sharpness[f"sharpness_{key}"] for key in ("margin", "above_95"))
        pictures["sharpness"] = class_sharpness(*values)
    for name, picture in pictures.items():
        path = output.with_name(f"{output.stem}-{name}.png")
        write_png(picture, path)
        yield path
