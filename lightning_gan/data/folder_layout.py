"""Which files of a folder or zip are images, and what their classes are; no file is decoded."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from lightning_gan.data.dataset_json import DATASET_JSON, read_dataset_json
from lightning_gan.data.file_listing import FileTree, Listing
from lightning_gan.data.zip_tree import ZipTree
from lightning_gan.errors import InputError

# Formats of Pillow that start other programs, cannot be decoded without further ones, are movies,
# or dress a folder rather than show something.
_NO_PICTURES = {
    "BUFR", "CUR", "EPS", "GRIB", "HDF5", "ICNS", "ICO", "IPTC", "MPEG", "WMF",
}  # fmt: skip
_TRAINING = ("train", "training")
_SPLITS = {*_TRAINING, "test", "testing", "val", "valid", "validation", "dev", "eval"}


@dataclass(frozen=True)
class Layout:
    """Images and classes below a root.

    Attributes:
        names: The images, sorted.
        class_names: Names of the classes, or None for unlabeled images.
        labels: Number of each image's class, or None.
        left_out: Other files by their kind: an ending, or what the listing says of them.
    """

    names: list[str]
    class_names: list[str] | None
    labels: list[int] | None
    left_out: dict[str, list[str]]

    def without(self, broken: Sequence[str], root: Path) -> Layout:
        """Return the layout of all images but some.

        Raises:
            InputError: None are left, or none of a class.
        """
        gone = set(broken)
        kept = [place for place, name in enumerate(self.names) if name not in gone]
        labels = None if self.labels is None else [self.labels[place] for place in kept]
        if not kept:
            raise InputError(f"all images in {root} are broken, {broken[0]} for one: repair them")
        lost = set(self.labels or ()) - set(labels or ())
        if lost and self.class_names is not None:
            raise InputError(
                f"all images of the class {self.class_names[min(lost)]} in {root} are broken: "
                "repair them, or remove the class"
            )
        names = [self.names[place] for place in kept]
        return Layout(names, self.class_names, labels, self.left_out)


@functools.cache
def image_endings() -> frozenset[str]:
    """Return the endings of files that Pillow, as it is installed, can decode; in lower case."""
    Image.init()
    formats = Image.OPEN.keys() - _NO_PICTURES
    return frozenset(e for e, kind in Image.registered_extensions().items() if kind in formats)


def read_layout(tree: FileTree) -> Layout:
    """Find the images below a root and their classes.

    Raises:
        InputError: There are none, or they are not laid out as classes.
    """
    found = tree.listing()
    files = set(found.files)
    images = [name for name in found.files if _ending(name) in image_endings()]
    left_out = dict(found.passed_over)
    for name in found.files:
        if _ending(name) not in image_endings():
            left_out.setdefault(_ending(name) or "without an ending", []).append(name)
    if not images:
        raise InputError(_no_images(tree.root, found, left_out))
    around = _around(found.folders, images)
    for path in (place + DATASET_JSON for place in ("", *around)):
        told = read_dataset_json(tree, path, images) if path in files else None
        if told is not None:
            left_out[".json"] = [name for name in left_out[".json"] if name != path]
            return Layout(images, *told, {kind: n for kind, n in left_out.items() if n})
    below = around[-1] if around else ""
    tops = [_top(name, below) for name in images]
    direct = next((n for n, top in zip(images, tops, strict=True) if top is None), None)
    classes = sorted({top for top in tops if top is not None})
    if direct is not None and classes:
        raise InputError(
            f"root {tree.root} has images both in class folders ({classes[0]}) and beside them "
            f"({direct}): move or remove one kind"
        )
    if direct is not None:
        return Layout(images, None, None, left_out)
    _check_classes(tree, found, images, classes, below, left_out)
    numbers = {name: number for number, name in enumerate(classes)}
    return Layout(images, classes, [numbers[top] for top in tops if top is not None], left_out)


def _check_classes(
    tree: FileTree,
    found: Listing,
    images: Sequence[str],
    classes: Sequence[str],
    below: str,
    left_out: dict[str, list[str]],
) -> None:
    """Refuse folders that are no classes: of a split, with folders in them, or empty."""
    training = next((c for c in classes if c.lower() in _TRAINING), None)
    if training is not None and any(c.lower() in _SPLITS for c in classes if c != training):
        raise InputError(
            f"root {tree.root} has the folders of a split ({', '.join(classes)}), not of classes: "
            f"{_go_to(tree, below + training)}"
        )
    deep = next((name for name in images if name[len(below) :].count("/") > 1), None)
    if deep is not None:
        top = below + deep[len(below) :].split("/")[0]
        raise InputError(
            f"root {tree.root} has images below its class folders ({deep}): the folders in root "
            f"must be the classes; for those in {top}, {_go_to(tree, top)}"
        )
    tops = {top for name in found.folders if (top := _first(name, below))}
    empty = sorted(tops - set(classes))
    if empty:
        inside = below + empty[0] + "/"
        others = Counter(
            kind for kind, names in left_out.items() for name in names if name.startswith(inside)
        )
        what = f" but {counted(others)}" if others else ""
        raise InputError(
            f"the class folder {empty[0]} in {tree.root} has no images{what}: remove or fill it"
        )


def counted(kinds: Counter[str] | dict[str, int]) -> str:
    """Return counts in words: '12 .txt, 1 hidden'."""
    return ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))


def _go_to(tree: FileTree, folder: str) -> str:
    if isinstance(tree, ZipTree):
        return f"unpack it, and set root to its folder {folder}"
    return f"set root to {tree.root / folder}"


def _no_images(root: Path, found: Listing, left_out: dict[str, list[str]]) -> str:
    if "images.npy" in found.files:
        return f"root {root} has images.npy, not image files, in it: use ArrayImages for arrays"
    if not left_out:
        return f"root {root} is empty: set it to a folder of images or a zip of one"
    counts = counted({kind: len(names) for kind, names in left_out.items()})
    zipped = next((name for name in found.files if _ending(name) == ".zip"), None)
    if zipped is not None:
        return f"root {root} has no images in it, but {counts}: set root to {root / zipped}"
    return (
        f"root {root} has no images in it, but {counts}: "
        "set it to a folder of images that Pillow can read (.png, .jpg, .webp, .tif and others)"
    )


def _around(folders: Sequence[str], images: Sequence[str]) -> list[str]:
    """Return the single folders around everything, the outermost first, with a slash each."""
    around: list[str] = []
    names: Iterable[str] = {*images, *(f"{folder}/" for folder in folders)}
    below = ""
    while True:
        names = [name for name in names if name != below]
        tops = {name[len(below) :].partition("/")[:2] for name in names}
        if len(tops) != 1 or not (only := tops.pop())[1]:
            return around
        below += "".join(only)
        around.append(below)


def _top(name: str, below: str) -> str | None:
    """Return the folder below ``below`` that an image is in, or None where it lies beside them."""
    first, slash, _ = name[len(below) :].partition("/")
    return first if slash else None


def _first(folder: str, below: str) -> str:
    """Return the first part of a folder's name below ``below``, "" where it is not below it."""
    return folder[len(below) :].partition("/")[0] if folder.startswith(below) else ""


def _ending(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
