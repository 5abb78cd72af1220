"""``experiment=few_shot``: what the experiment leaves open, chosen by what the folder holds.

Choices are overrides that could have been typed. They stand before those that were, which win.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from hydra.core.override_parser.types import Override

from lightning_gan.cli.settings import compose
from lightning_gan.data.file_tree import file_tree
from lightning_gan.data.folder_facts import sizes
from lightning_gan.data.folder_layout import read_layout
from lightning_gan.data.folder_page import same_bytes
from lightning_gan.data.image_headers import Header, read_headers
from lightning_gan.errors import InputError

EXPERIMENT = "few_shot"
LEAST = 8  # images below which there is nothing to learn from
FEW, MANY = 50, 5_000  # images that the experiment is made for
ADAPTIVE = 2_000  # images from which on the augmentation adapts
BATCH = 64
GROUPS, GROUPED = 16, 500  # groups of images that look alike, and images from which on
SIDES = (8, 16, 32, 64, 128, 256)
LARGEST = {"cpu": 64, "gpu": 256}  # side of an image, by what trains
# Side from which on FastGAN takes the place of DCGAN, with what its paper (Liu et al. 2021) says.
FASTGAN_FROM = 128
FASTGAN = {
    "generator": "fastgan",
    "discriminator": "fastgan",
    "loss": "hinge",
    "regularizers": "[self_supervised_reconstruction]",
    "optimizer": "adam",
    "model.generator.base_channels": "32",
    "model.discriminator.base_channels": "32",
    "model.generator_lr_scheduler": "null",
    "model.discriminator_lr_scheduler": "null",
}


class Choice(NamedTuple):
    """One setting that was chosen.

    Attributes:
        key: What would be typed before the equals sign.
        value: And behind it.
        why: The reason, a clause.
    """

    key: str
    value: str
    why: str


class Chosen(NamedTuple):
    """What was chosen, and what is said about it.

    Attributes:
        words: All overrides of the run.
        lines: What to print.
    """

    words: Sequence[str]
    lines: Sequence[str]


def fill_in(words: Sequence[str]) -> Chosen:
    """Fill in what ``experiment=few_shot`` leaves open; other words are returned as they are.

    Raises:
        InputError: The folder is absent, holds no images, or too few.
    """
    parsed = [compose.parse(word) for word in words]
    named = {override.key_or_group: override for override in parsed}
    root = _folder(named)
    if root is None:
        return Chosen(words, ())
    tree = file_tree(root)
    layout = read_layout(tree)
    names = layout.names
    headers, _ = read_headers(tree, names)
    if not headers:  # the data module says what is wrong with them
        return Chosen(words, ())
    if len(headers) < LEAST:
        raise InputError(
            f"{EXPERIMENT} needs {LEAST} images or more, and {FEW} to {MANY:,} are what it is made "
            f"for; {root} holds {len(headers)}: add some"
        )
    found = list(headers.values())
    choices = [
        each
        for each in _choices(found, layout.labels is not None, named)
        if not _is_typed(each.key, named)
    ]
    width = max((len(f"{each.key}={each.value}") for each in choices), default=0)
    lines = [f"{EXPERIMENT}: chosen for {root}; whatever you type instead wins"]
    lines += [f"  {f'{each.key}={each.value}':<{width}}  {each.why}" for each in choices]
    lines += [f"  note: {each}" for each in _advice(found, same_bytes(tree, names))]
    return Chosen([*(f"{each.key}={each.value}" for each in choices), *words], lines)


def _folder(named: dict[str, Override]) -> Path | None:
    """Return the folder of a run of the experiment; None for all other runs."""
    experiment, data, root = (named.get(key) for key in ("experiment", "data", "data.root"))
    if experiment is None or compose.choices_of(experiment) != [EXPERIMENT] or root is None:
        return None
    if data is not None and compose.choices_of(data) != ["folder"]:
        return None
    value = None if root.is_delete() or root.is_sweep_override() else root.value()
    return Path(os.path.expanduser(value)) if isinstance(value, str) else None


def _device(named: dict[str, Override]) -> str:
    asked = named.get("trainer.accelerator")
    accelerator = "auto" if asked is None else asked.value()
    if accelerator == "auto":
        return "gpu" if torch.cuda.is_available() else "cpu"
    return "cpu" if accelerator == "cpu" else "gpu"


def _is_typed(key: str, named: dict[str, Override]) -> bool:
    return any(each == key or each in (f"model.{key}", f"{key}+") for each in named)


def _choices(
    headers: Sequence[Header], labeled: bool, named: dict[str, Override]
) -> Iterator[Choice]:
    side, count = _side(headers, _device(named)), len(headers)
    yield side
    typed = named.get(side.key)
    pixels = int(side.value) if typed is None else typed.value()
    networks_typed = {"generator", "discriminator"} & named.keys()
    if isinstance(pixels, int) and pixels >= FASTGAN_FROM and not networks_typed:
        for key, value in FASTGAN.items():
            yield Choice(key, value, f"{FASTGAN_FROM} pixels a side or more: FastGAN")
    batch = min(BATCH, 1 << (count.bit_length() - 1))
    yield Choice("data.batch_size", str(batch), f"{count:,} images")
    if count >= GROUPED and not labeled:
        why = f"{GROUPED} images or more, without classes: groups of those that look alike"
        yield Choice("data.clusters", str(GROUPS), why)
    if "augment" in named:
        return
    if count < ADAPTIVE:
        why = f"fewer than {ADAPTIVE:,} images: the same strength from the first batch on"
        yield Choice("augment", "diffaugment", why)
        yield Choice("model.augment.policy", "[translation]", "shifts by up to an eighth")
    else:
        why = f"{ADAPTIVE:,} images or more: only as strong as they need"
        yield Choice("augment", "ada", why)


def _side(headers: Sequence[Header], device: str) -> Choice:
    """Return the side that images get: their own where networks take it, or a power of two."""
    largest, found = LARGEST[device], sizes(headers)
    machine = f"the largest side on a {device.upper()}"
    (width, height), *others = found
    if not others and width == height <= largest and width % 4 == 0:
        return Choice("data.image_size", str(width), "the size that all have")
    shorter = sorted(min(header.width, header.height) for header in headers)
    middle = shorter[len(shorter) // 2]
    fitting = [side for side in SIDES if side <= min(middle, largest)]
    side = fitting[-1] if fitting else SIDES[0]
    if side == largest:
        return Choice("data.image_size", str(side), f"{machine}; the shorter sides are {middle}")
    return Choice(
        "data.image_size", str(side), f"the power of two up to {middle}, the middle of the sides"
    )


def _advice(headers: Sequence[Header], same: Sequence[Sequence[str]]) -> Iterator[str]:
    count, found = len(headers), sizes(headers)
    if count < FEW:
        yield f"{count} images are few: samples will be near copies of them; add more if you can"
    if count > MANY:
        yield f"{count:,} images are more than {MANY:,}: wider networks and a longer run pay off"
    if len(found) > 1:
        flat = sum(n for (width, height), n in found.items() if width != height)
        cut = f"; of {flat:,} that are not square the middle is kept" if flat else ""
        yield f"images of {len(found):,} sizes become one{cut}"
    modes = Counter(header.mode for header in headers)
    if len(modes) > 1:
        kinds = ", ".join(f"{n:,} {mode}" for mode, n in modes.most_common())
        yield f"images of {len(modes)} modes ({kinds}): a run learns such differences, too"
    copies = sum(len(names) - 1 for names in same)
    if copies:
        yield (
            f"{copies:,} of the images are copies, such as {' = '.join(same[0][:2])}: they count "
            "twice; lightning-gan data inspect lists all"
        )
