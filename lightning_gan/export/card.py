"""The model card of an exported generator: Markdown, with the head that the hub reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lightning_gan.components.spec import printable
from lightning_gan.evaluation.card import ScoreCard
from lightning_gan.files.names import CHECKPOINTS, CONFIG
from lightning_gan.game.gan import GAN
from lightning_gan.report.records import read_cards
from lightning_gan.report.settings import read_settings

LOADING = {
    "safetensors": (
        "safetensors",
        "from lightning_gan import load_generator\n"
        'generator = load_generator(".")  # this folder, or hf://user/name\n'
        "{given}samples = generator.sample(16, seed=0{labels})",
    ),
    "torch_export": (
        "torch.export, in plain torch",
        "import torch, safetensors.torch\n"
        'given = safetensors.torch.load_file("reference.safetensors")  # or your own tensors\n'
        'generator = torch.export.load("{file}").module()\n'
        "samples = generator({arguments})",
    ),
    "onnx": (
        "ONNX",
        "import onnxruntime, safetensors.numpy\n"
        'given = safetensors.numpy.load_file("reference.safetensors")  # or your own arrays\n'
        'session = onnxruntime.InferenceSession("{file}")\n'
        'samples = session.run(["samples"], {{{feed}}})[0]',
    ),
}


@dataclass(frozen=True)
class Origin:
    """What is known of the training that a generator comes from.

    Attributes:
        name: What the model is called.
        data: What it was trained on.
        scores: The score card of the checkpoint, or None.
    """

    name: str | None = None
    data: str | None = None
    scores: ScoreCard | None = None

    @classmethod
    def of(cls, checkpoint: Path, step: int | None) -> Origin:
        """Return what the folder of a checkpoint's run says; nothing in it is imported."""
        folder = checkpoint.parent
        run = folder.parent if folder.name == CHECKPOINTS else folder
        settings = read_settings(run / CONFIG)
        cards, _ = read_cards(run)
        mine = [c.card for c in cards if step is not None and c.step == step]
        name = settings.experiment
        of_data = dict(settings.parts).get("data")
        root = settings.at("data", "init_args", "root")
        if of_data is not None and isinstance(root, str) and Path(root).name not in ("", "data"):
            of_data = f"{of_data} ({printable(Path(root).name)})"
        return cls(
            name=printable(name) if name else None,
            data=printable(of_data) if of_data else None,
            scores=mine[-1] if mine else None,
        )


def card(gan: GAN, contract: Mapping[str, Any], origin: Origin, license: str, picture: bool) -> str:
    """Return the text of README.md.

    Args:
        gan: The module.
        contract: That of the folder.
        origin: What is known of its training.
        license: For the head.
        picture: Whether samples.png lies beside it.
    """
    return "\n\n".join(_parts(gan, contract, origin, license, picture)) + "\n"


def _parts(
    gan: GAN, contract: Mapping[str, Any], origin: Origin, license: str, picture: bool
) -> Iterator[str]:
    image = len(gan.generator.sample_shape) == 3
    takes = [about["name"] for about in contract["inputs"] if about["name"] != "z"]
    conditional = bool(takes) and gan.conditions.classes is None
    head: dict[str, Any] = {
        "library_name": "lightning-gan",
        "license": license,
        "tags": ["gan", "generative-adversarial-network", *(["image-generation"] if image else [])],
    }
    if image:
        head["pipeline_tag"] = "image-to-image" if conditional else "unconditional-image-generation"
    yield f"---\n{yaml.safe_dump(head, sort_keys=False)}---"
    yield f"# {origin.name or contract['generator']}"
    shape = " x ".join("any" if size is None else str(size) for size in gan.generator.sample_shape)
    kind = "averaged generator" if gan.generator_ema is not None else "generator"
    yield (
        f"The {kind} of a GAN ({contract['generator']}), which makes samples of shape {shape}"
        + _given(gan, contract, takes)
        + f", trained with lightning-gan {contract['version']}."
    )
    if picture:
        yield "![Samples, not picked](samples.png)"
    yield "## Training\n\n" + "\n".join(_training(gan, origin))
    if origin.scores is not None:
        yield f"## Scores\n\n```text\n{origin.scores.table()}\n```\n\n{origin.scores.summary()}."
    yield "## Use"
    for name, file in contract["files"].items():
        title, code = LOADING[name]
        yield f"### {title}\n\n```python\n{_code(code, contract, file)}\n```"
    yield "\n".join(_interface(contract))
    yield (
        "`contract.json` says the same for programs. `reference.safetensors` holds inputs and what "
        "the generator made of them; the files here differ from it by at most "
        + ", ".join(f"{off:.2g} ({name})" for name, off in contract["largest_difference"].items())
        + "."
    )


def _given(gan: GAN, contract: Mapping[str, Any], takes: list[str]) -> str:
    if gan.conditions.classes is not None:
        return f" of {gan.conditions.classes} classes"
    return f" from an input ({', '.join(takes)})" if takes else ""


def _training(gan: GAN, origin: Origin) -> Iterator[str]:
    progress = gan.progress
    yield f"- batches: {progress.batches:,}"
    yield f"- real samples seen: {progress.images:,}"
    yield f"- data: {origin.data or 'not known'}"
    yield f"- loss: {type(gan.loss).__name__}"
    terms = [type(term).__name__ for term in gan.terms().values()]
    yield f"- regularizers: {', '.join(terms) or 'none'}"
    yield f"- discriminator: {type(gan.discriminator).__name__}"


def _code(code: str, contract: Mapping[str, Any], file: str) -> str:
    names = [about["name"] for about in contract["inputs"]]
    conditions = [name for name in names if name != "z"]
    given, labels = "", ""
    if conditions == ["y"] and contract["num_classes"] is not None:
        labels = ", labels=0"
    elif conditions:
        given = (
            "import safetensors.torch\n"
            'given = safetensors.torch.load_file("reference.safetensors")  # or your own tensors\n'
        )
        labels = f", labels={_condition(conditions)}"
    text = code.format(
        file=file,
        given=given,
        labels=labels,
        arguments=", ".join(f'given["{name}"]' for name in names),
        feed=", ".join(f'"{name}": given["{name}"]' for name in names),
    )
    several = len(contract["outputs"]) > 1
    return (
        text.replace("samples = generator(", "samples, *others = generator(") if several else text
    )


def _condition(names: list[str]) -> str:
    """Return the code of a condition out of tensors by their names, such as y or y.image."""
    if names == ["y"]:
        return 'given["y"]'
    if names[0] == "y.0":  # of a tuple
        parts = [f'given["{name}"]' for name in names]
        return f"({', '.join(parts)},)"
    entries = [f'"{name.partition(".")[2]}": given["{name}"]' for name in names]
    return f"{{{', '.join(entries)}}}"


def _interface(contract: Mapping[str, Any]) -> Iterator[str]:
    yield "| tensor | direction | type | shape | range |\n| --- | --- | --- | --- | --- |"
    for direction in ("inputs", "outputs"):
        for about in contract[direction]:
            bounds = about.get("range")
            shown = "" if bounds is None else f"{bounds[0]:g} to {bounds[1]:g}"
            shape = ", ".join(str(size) for size in about["shape"])
            cells = (f"`{about['name']}`", direction[:-1], about["dtype"], f"({shape})", shown)
            yield f"| {' | '.join(cells)} |"
    prior = contract["prior"]
    if prior["latent_dim"]:
        said = ", ".join(f"{key}={value}" for key, value in prior["arguments"].items())
        yield f"\nLatents `z` are drawn so: {prior['text']}{f' ({said})' if said else ''}."
    names = contract["class_names"]
    if names:
        yield "\nClasses: " + ", ".join(f"{place} {name}" for place, name in enumerate(names)) + "."
