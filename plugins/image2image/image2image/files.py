"""Digits and their edges as folders of images, to try what reads folders."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from torchvision.transforms.functional import to_pil_image

from image2image.edges import Source, digits, edges_of
from lightning_gan import InputError


def write_pairs(
    out: str | Path, source: Source, root: str, image_size: int, train: int, test: int
) -> int:
    """Write edges to folders trainA and testA, the digits of them to trainB and testB.

    Args:
        out: The folder, which must be new or empty.
        source: "mnist" or "digits".
        root: Folder that holds ``MNIST/raw``.
        image_size: Side of the images.
        train: Pairs for training.
        test: Pairs for testing.

    Returns:
        How many pairs were written.

    Raises:
        InputError: The folder holds something, or the digits cannot be read.
    """
    if min(train, test) < 1:
        raise InputError(f"train and test must be at least 1, got {train} and {test}")
    folder = Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} exists and is not empty; choose another folder")
    data = digits(source, root, False, image_size)
    parts = {"train": data.images("train")[0][:train], "test": data.images("test")[0][:test]}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".unfinished-") as unfinished:
        made = Path(unfinished, "pairs")
        for split, images in parts.items():
            for domain, part in (("A", edges_of(images)), ("B", images)):
                place = made / f"{split}{domain}"
                place.mkdir(parents=True)
                for number, image in enumerate(part):
                    to_pil_image(image).save(place / f"{number:05d}.png")
        made.rename(folder)  # whole, or not there
    return sum(map(len, parts.values()))
