"""A checkpoint made into a training package: a folder, or a zip of it."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from safetensors.torch import save

from lightning_gan.callbacks.pictures.grid import grid
from lightning_gan.callbacks.pictures.shown_range import mapped, shown_bounds
from lightning_gan.callbacks.sink import as_uint8, write_png
from lightning_gan.components.spec import printable
from lightning_gan.errors import InputError
from lightning_gan.evaluation import scores as scores_of
from lightning_gan.evaluation.card import ScoreCard
from lightning_gan.files.bounded import excess
from lightning_gan.files.names import CONFIG, SCORECARDS
from lightning_gan.files.whole import unfinished_name
from lightning_gan.game.conditions import NoConditionError
from lightning_gan.game.origins import origins_in
from lightning_gan.packages.card import PackageFacts, package_card
from lightning_gan.training.checkpoint import KEY, read_checkpoint
from lightning_gan.training.module import GANModule
from lightning_gan.training.package import DESCRIPTION, FORMAT, KIND, STATE, is_package, take_apart

PLAYERS = ("generator", "discriminator")
CONFIGURATION, CARD, LICENSE, PICTURE = "config.json", "README.md", "LICENSE", "samples.png"
SAMPLES, COLUMNS = 64, 8
MOST_CARDS = 100
DEEPEST, MOST = 40, 100_000  # of a configuration
MOST_PARTS = 3_000_000  # of a checkpoint
NO_LICENSE = "No licence is stated. Ask who made this package before you use or share it.\n"


def export_training_package(
    checkpoint: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    license: str | None = None,
    trust: bool = False,
) -> Path:
    """Write all of a training in safetensors and JSON, with card, licence and picture.

    Both networks, the averaged generator, both optimizers, the states of all other parts, counts,
    specs, and, from the run's folder, the configuration and the score cards. It is there whole or
    not at all.

    Args:
        checkpoint: Of a GANModule, such as ``runs/digits_dcgan/version_0/checkpoints/last.ckpt``.
        folder: Where to write; it must not exist. With the ending ``.zip``, a zip is written.
        license: An SPDX identifier such as "MIT", or the path of a file with the text. None: the
            package says that none is stated.
        trust: Import whatever class the file names, for the picture.

    Returns:
        ``folder``.

    Raises:
        InputError: The checkpoint is missing, damaged, foreign or holds weights alone; the folder
            exists or cannot be written.
    """
    source, target = Path(checkpoint), Path(folder)
    if target.exists() or target.is_symlink():
        raise InputError(f"{target} exists already; choose another name")
    if is_package(source):
        raise InputError(f"{source} is a training package already")
    content = read_checkpoint(source, map_location="cpu")
    if "optimizer_states" not in content:
        raise InputError(f"{source} holds weights alone, and a training package all of its state")
    zipped = target.suffix == ".zip"
    beside = target.parent / unfinished_name()
    try:
        beside.mkdir(parents=True)
        _write(beside, content, source, target.stem if zipped else target.name, license, trust)
        if zipped:
            _zip(beside, target)
        else:
            os.rename(beside, target)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def _write(
    folder: Path,
    content: dict[str, Any],
    source: Path,
    name: str,
    license: str | None,
    trust: bool,
) -> None:
    saved: Mapping[str, Any] = content[KEY]
    trained = _trained(saved.get("configured"))
    too_much = excess(content, deepest=DEEPEST, most=MOST_PARTS)
    if too_much:
        raise InputError(f"{source} {too_much}")
    tree, files = take_apart(content, trained)
    fingerprints = {}
    for file, tensors in files.items():
        written = save(tensors, metadata={"format": "pt"})
        fingerprints[file] = hashlib.sha256(written).hexdigest()
        (folder / file).write_bytes(written)
    _json(folder / STATE, tree)
    state = content["state_dict"].get("_extra_state")
    origins = origins_in(state)
    progress = state.get("progress") if isinstance(state, Mapping) else None
    progress = progress if isinstance(progress, Mapping) else {}
    run = source.resolve().parent.parent
    configuration = _configuration(run)
    if configuration is not None:
        _json(folder / CONFIGURATION, configuration)
    scores = _score_cards(run, folder)
    identifier, text = _license(license)
    (folder / LICENSE).write_text(text, encoding="utf-8")
    facts = PackageFacts(
        name=name,
        license=identifier,
        spec=saved["spec"],
        progress=progress,
        sizes={
            player: sum(t.numel() for t in files.get(f"{player}.safetensors", {}).values())
            for player in PLAYERS
        },
        origins=origins,
        scores=scores,
        has_config=configuration is not None,
        has_picture=_picture(source, folder, trust),
        version=version("lightning-gan"),
    )
    (folder / CARD).write_text(package_card(facts), encoding="utf-8")
    description = {
        "kind": KIND,
        "format": FORMAT,
        "version": version("lightning-gan"),
        "license": identifier,
        "progress": dict(progress),
        "spec": saved["spec"],
        "origins": origins,
        "files": fingerprints,
    }
    _json(folder / DESCRIPTION, description)


def _trained(configured: Any) -> list[str]:
    """Return the players that have an optimizer, in the order of the checkpoint."""
    sides = configured if isinstance(configured, list) else []
    pairs = zip(PLAYERS, sides, strict=False)
    return [name for name, own in pairs if isinstance(own, Mapping) and own.get("optimizer")]


def _json(path: Path, content: Any) -> None:
    try:
        text = json.dumps(content, indent=1, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path.name} cannot be written: {printable(error)}") from error
    path.write_text(text + "\n", encoding="utf-8")


def _configuration(run: Path) -> Any:
    """Return the configuration of a run, without what belongs to that run alone, or None."""
    try:
        found = yaml.safe_load((run / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return None
    if not isinstance(found, dict) or excess(found, deepest=DEEPEST, most=MOST):
        return None
    return {**found, "ckpt_path": None, "init_from": None}


def _score_cards(run: Path, folder: Path) -> dict[str, float]:
    """Copy the score cards of a run, and return what the newest says."""
    newest: tuple[float, str] = (-math.inf, "")
    found: dict[str, float] = {}
    for path in sorted((run / SCORECARDS).glob("*.json"))[-MOST_CARDS:]:
        try:
            read = ScoreCard.load(path)
        except InputError as error:
            print(f"left out of the package: {error}")
            continue
        read.save(folder / SCORECARDS / path.name)
        step = read.checkpoint.get("step")
        age = (float(-1 if step is None else step), path.name)
        if age > newest:
            newest = age
            names = scores_of.headline(read.scores)
            found = {n: read.scores[n] for n in names if math.isfinite(read.scores[n])}
    return found


def _license(given: str | None) -> tuple[str | None, str]:
    """Return the identifier and the text of a licence."""
    if given is None:
        return None, NO_LICENSE
    path = Path(given)
    if path.is_file():
        try:
            return "other", path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise InputError(f"license: {path} is no text") from error
    if not given.replace("-", "").replace(".", "").replace("+", "").isalnum():
        raise InputError(
            f"license: got {given!r}; expected an SPDX identifier such as MIT, or a file"
        )
    return given.lower(), f"{given}: the text is at https://spdx.org/licenses/{given}.html\n"


def _picture(source: Path, folder: Path, trust: bool) -> bool:
    """Draw samples, where they are images and conditions are at hand."""
    try:
        gan = GANModule.load_from_checkpoint(source, trust=trust)
        if len(gan.generator.sample_shape) != 3:
            return False
        drawn = gan.sample(SAMPLES, seed=0)
    except (InputError, NoConditionError) as error:
        print(f"no picture in the package: {printable(error)}")
        return False
    picture = grid(mapped(drawn, shown_bounds(gan, drawn)), COLUMNS)
    write_png(as_uint8(picture), folder / PICTURE)
    return True


def _zip(folder: Path, target: Path) -> None:
    beside = target.parent / unfinished_name()
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
            for path in _files(folder):
                archive.write(path, f"{target.stem}/{path.relative_to(folder).as_posix()}")
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file())
