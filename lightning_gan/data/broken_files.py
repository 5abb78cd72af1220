"""Image files that cannot be read: refused by name, or found by decoding all and left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from pytorch_lightning.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor

from lightning_gan.data.file_listing import FileTree, why
from lightning_gan.data.folder_layout import Layout
from lightning_gan.data.image_files import ImageFiles, remedy
from lightning_gan.data.image_headers import Header
from lightning_gan.data.many_files import in_threads, kept_of, outcome
from lightning_gan.errors import InputError

_NAMED = 5  # broken files that a message names


def check_headers(root: Path, names: Sequence[str], broken: Mapping[str, str]) -> None:
    """Refuse images whose headers cannot be read, before any other is decoded.

    Raises:
        InputError: There are some.
    """
    first = next((name for name in names if name in broken), None)
    if first is None:
        return
    more = f", and {len(broken) - 1:,} more" if len(broken) > 1 else ""
    raise InputError(
        f"cannot read the image {first} in {root} ({broken[first]}){more}: {remedy(root)}"
    )


def broken_pixels(
    tree: FileTree, names: Sequence[str], headers: Mapping[str, Header]
) -> dict[str, str]:
    """Decode images, and return why those that cannot be decoded cannot."""
    found = dict.fromkeys(names, "")

    def check(name: str) -> None:
        header = headers[name]
        shape = (header.channels, header.height, header.width)
        # Any range will do: whether floats lie in 0..1 is no question of damage.
        window = {"black": 0.0, "white": 1.0} if header.type.is_float else {}
        ImageFiles(tree, [name], shape, 1, None, pixel_type=header.type, **window)[0]

    for name, result in zip(names, in_threads(partial(outcome, check), names), strict=True):
        if isinstance(result, Exception):
            cause = result.__cause__
            found[name] = why(cause if isinstance(cause, Exception) else result)
    return {name: reason for name, reason in found.items() if reason}


def sound(
    tree: FileTree, layout: Layout, headers: Mapping[str, Header], broken: Mapping[str, str]
) -> Layout:
    """Return the layout of the images that can be decoded; a warning names the others.

    Raises:
        InputError: None can, or none of a class.
    """
    readable = [name for name in layout.names if name not in broken]

    def make() -> dict[str, Tensor]:
        if len(readable) >= 1000:
            rank_zero_info(f"{tree.root}: decoding {len(readable):,} images to find broken ones")
        damaged = broken_pixels(tree, readable, headers)
        return {"sound": torch.tensor([name not in damaged for name in readable])}

    fine = kept_of("sound images", tree, readable, make)["sound"].tolist()
    damaged = [name for name, good in zip(readable, fine, strict=True) if not good]
    left_out = sorted([*broken, *damaged])
    if not left_out:
        return layout
    shown = ", ".join([*left_out[:_NAMED], *(["..."] if len(left_out) > _NAMED else [])])
    rank_zero_warn(
        f"{tree.root}: broken and left out, {len(left_out):,} of {len(layout.names):,} images: "
        f"{shown}"
    )
    return layout.without(left_out, tree.root)
