"""The card of a training package, in Markdown with the front matter of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lightning_gan.components.spec import printable

SCORES = ("fid", "kid", "precision", "recall", "density", "coverage")


@dataclass
class PackageFacts:
    """What a card tells.

    Attributes:
        name: Of the package.
        license: An SPDX identifier, or "other" where the licence is a text of its own, or None.
        spec: That of the module.
        progress: Its counts.
        sizes: How many weights and statistics each network has.
        origins: What training began with, newest first.
        scores: The newest score card's numbers.
        has_config: Whether the run's configuration is in it.
        has_picture: Whether a picture is.
        version: That of lightning-gan.
    """

    name: str
    license: str | None
    spec: Any
    progress: Mapping[str, Any]
    sizes: Mapping[str, int]
    origins: Sequence[Mapping[str, str]] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    has_config: bool = False
    has_picture: bool = False
    version: str = ""


def package_card(facts: PackageFacts) -> str:
    """Return the text of ``README.md``."""
    return "\n".join(_lines(facts)) + "\n"


def _lines(facts: PackageFacts) -> Iterator[str]:
    yield from ("---", f"license: {facts.license or 'unknown'}", "library_name: lightning-gan")
    yield from ("tags:", "- gan", "- lightning-gan", "---", "", f"# {facts.name}", "")
    yield (
        "A GAN with all that its training needs: both networks, the averaged generator, both "
        f"optimizers and the counts, in safetensors and JSON. Written by lightning-gan "
        f"{facts.version}."
    )
    if facts.has_picture:
        yield from ("", "![samples](samples.png)")
    yield from ("", "## Fine-tune it", "", "```sh")
    if facts.has_config:
        yield f"lightning-gan fit --config {facts.name}/config.json --init_from={facts.name}"
    else:
        yield f"lightning-gan fit init_from={facts.name}"
    yield from ("```", "", "## What it is", "", "| part | what |", "| --- | --- |")
    arguments = _mapping(_mapping(facts.spec).get("init_args"))
    for part in ("generator", "discriminator", "loss"):
        count = facts.sizes.get(part)
        more = "" if count is None else f", {count:,} weights and statistics"
        yield f"| {part} | `{_class(arguments.get(part))}`{more} |"
    for name, term in _mapping(_mapping(arguments.get("regularizers")).get("dict")).items():
        yield f"| regularizer {_cell(name)} | `{_class(term)}` |"
    for title, key in (("images seen", "images"), ("batches", "batches")):
        number = facts.progress.get(key, 0)
        yield f"| {title} | {number if type(number) is int else 0:,} |"
    if facts.scores:
        yield from ("", "## Scores", "", "| score | value |", "| --- | --- |")
        for name, value in facts.scores.items():
            yield f"| {_cell(name)} | {value:.4g} |"
    yield from ("", "## Where it comes from", "")
    if not facts.origins:
        yield "Trained from new weights."
    for number, origin in enumerate(facts.origins):
        begun = "Fine-tuned from" if number == 0 else "That was fine-tuned from"
        yield f"{number + 1}. {begun} {_cell(origin['name'])} ({_cell(origin['kind'])}), weights "
        yield f"   SHA-256 `{origin['sha256']}`"
    yield from ("", "## Licence", "")
    if facts.license is None:
        yield "None is stated. Ask who made it before you use or share it."
    else:
        yield f"{facts.license}, see `LICENSE`. The licence of the training data is another matter."


def _mapping(node: Any) -> Mapping[str, Any]:
    return node if isinstance(node, Mapping) else {}


def _class(node: Any) -> str:
    path = _mapping(node).get("class_path")
    return _cell(str(path).rpartition(".")[2]) if path else "not described"


def _cell(text: object) -> str:
    return printable(str(text)).replace("|", "/").replace("`", "'")
