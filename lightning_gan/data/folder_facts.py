"""What a folder of images holds and how it is served, in one line and in a warning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lightning_gan.data.cropping import Crop
from lightning_gan.data.file_listing import HIDDEN
from lightning_gan.data.folder_layout import Layout, counted
from lightning_gan.data.image_headers import Header
from lightning_gan.data.window import PixelType
from lightning_gan.errors import InputError

_NAMED = 6  # classes and endings that are named one by one
_KINDS = {1: "gray", 3: "color"}
# Endings of what lies beside images on purpose; of any other left-out file a warning tells.
_BESIDE = {".csv", ".db", ".htm", ".html", ".ini", ".json", ".md", ".txt", ".xml", ".yaml", ".yml"}


@dataclass(frozen=True)
class FolderFacts:
    """What was found, and what was decided.

    Attributes:
        root: The folder or zip.
        layout: Images, classes, and what is left out.
        headers: Of all images, in the order of the layout.
        chosen: Channels that the user asked for, or None.
        image_size: Side to which images are resized, or None.
        crop: What becomes of images that are not square.
    """

    root: Path
    layout: Layout
    headers: Sequence[Header]
    chosen: int | None = None
    image_size: int | None = None
    crop: Crop = "center"

    @property
    def channels(self) -> int:
        """Channels that all images are served with: as chosen, else 3 where any has color."""
        return self.chosen or max(header.channels for header in self.headers)

    @property
    def native_shape(self) -> tuple[int, int, int]:
        """Shape of the first image before resizing, with the channels of all."""
        return (self.channels, self.headers[0].height, self.headers[0].width)

    @property
    def pixel_type(self) -> PixelType:
        """The type with the most bits, to which unsigned ones of fewer are scaled."""
        return max((header.type for header in self.headers), key=lambda each: each.white)

    def check(self, *, windowed: bool) -> None:
        """Refuse images that nothing makes the same: their sizes, channels or kinds of numbers.

        Args:
            windowed: Whether black or white are given, which is about the values of one type.

        Raises:
            InputError: There are such images.
        """
        self._check_alike(windowed)
        self._check_sizes()

    def _check_alike(self, windowed: bool) -> None:
        kind = self.pixel_type
        for name, header in zip(self.layout.names, self.headers, strict=True):
            unsigned = header.type.name[0] == kind.name[0] == "u"
            if header.type != kind and (windowed or not unsigned):
                raise InputError(
                    f"images in {self.root} have pixels of {kind}, and {name} of {header.type}: "
                    "convert them to one type"
                )
            if header.channels != self.channels and {header.channels, self.channels} != {1, 3}:
                raise InputError(
                    f"{name} in {self.root} has {header.channels} channels, and {self.channels} "
                    "are expected: convert it, or leave it out"
                )

    def _check_sizes(self) -> None:
        found = sizes(self.headers)
        if self.image_size is not None or len(found) == 1:
            return
        first, other = self.headers[0], None
        for name, header in zip(self.layout.names, self.headers, strict=True):
            if (header.width, header.height) != (first.width, first.height):
                other = f"{name} {_size(header.width, header.height)}"
                break
        raise InputError(
            f"{self.layout.names[0]} has {_size(first.width, first.height)} pixels and {other} in "
            f"{self.root}, which has images of {len(found)} sizes: "
            "set image_size to resize all images"
        )

    def line(self) -> str:
        """Return what there is and what becomes of it, in one line."""
        said = f"{self.root}: {self._images()}{self._classes()}, {self.pixels()}"
        kinds = Counter(PurePosixPath(name).suffix for name in self.layout.names)
        said += f", {_some(kinds)}"
        left_out = {kind: len(names) for kind, names in self.layout.left_out.items()}
        return said + (f"; left out: {counted(left_out)}" if left_out else "")

    def surprises(self) -> list[str]:
        """Return what a user may not expect, a clause each."""
        found = Counter(header.channels for header in self.headers)
        clauses = []
        if self.chosen is None and len(found) > 1:
            clauses.append(
                f"gray images, {found[1]:,} of {len(self.headers):,}, are served in color like the "
                "others (set channels to 1 for all in gray)"
            )
        transparent = sum(header.transparent for header in self.headers)
        if transparent:
            clauses.append(f"transparent pixels of {_images(transparent)} are put on white")
        others = {
            kind: names
            for kind, names in self.layout.left_out.items()
            if kind not in _BESIDE and kind != HIDDEN
        }
        if others:
            counts = counted({kind: len(names) for kind, names in others.items()})
            example = min(names[0] for names in others.values())
            clauses.append(f"left out are {counts}, {example} for one")
        return clauses

    def pixels(self) -> str:
        """Return the sizes that there are and the one that is served."""
        found = sizes(self.headers)
        by_area = sorted(found, key=lambda size: (size[0] * size[1], size))
        smallest, largest = by_area[0], by_area[-1]
        deep = "" if self.pixel_type.name == "uint8" else f" of {self.pixel_type}"
        said = f"{_size(*smallest)} pixels{deep}"
        if len(found) > 1:
            said = f"{_size(*smallest)} to {_size(*largest)} pixels{deep} ({len(found):,} sizes)"
        side = self.image_size
        if side is None or found.keys() == {(side, side)}:
            return said
        flat = sum(count for (width, height), count in found.items() if width != height)
        how = {"center": "cropped at the center", "random": "cropped at random", None: "squashed"}
        cut = f", {flat:,} not square and {how[self.crop]}" if flat else ""
        small = sum(count for size, count in found.items() if min(size) < side)
        larger = f", {small:,} enlarged" if small else ""
        return f"{said}, resized to {_size(side, side)}{cut}{larger}"

    def _images(self) -> str:
        found = Counter(header.channels for header in self.headers)
        kind = f"{_kind(self.channels)} " if len(found) == 1 and self.channels in found else ""
        mixed = ", ".join(f"{count:,} {_kind(each)}" for each, count in sorted(found.items()))
        served = "" if kind else f" ({mixed}; served in {_kind(self.channels)})"
        return f"{_images(len(self.headers), kind)}{served}"

    def _classes(self) -> str:
        names, labels = self.layout.class_names, self.layout.labels
        if names is None or labels is None:
            return " without classes"
        counts = Counter(labels)
        if len(names) <= _NAMED:
            each = ", ".join(f"{name} {counts[number]:,}" for number, name in enumerate(names))
        else:
            few, many = min(counts.values()), max(counts.values())
            each = f"{few:,} each" if few == many else f"{few:,} to {many:,} images each"
        return f" in {len(names):,} {'class' if len(names) == 1 else 'classes'} ({each})"


def _kind(channels: int) -> str:
    return _KINDS.get(channels, f"{channels}-channel")


def sizes(headers: Sequence[Header]) -> Counter[tuple[int, int]]:
    """Return how many images there are of each (width, height)."""
    return Counter((header.width, header.height) for header in headers)


def _images(count: int, kind: str = "") -> str:
    return f"{count:,} {kind}{'image' if count == 1 else 'images'}"


def _size(width: int, height: int) -> str:
    return f"{width}x{height}"


def _some(kinds: Counter[str]) -> str:
    """Return counts by ending, the most frequent first; many are cut short."""
    first = kinds.most_common(_NAMED)
    rest = sum(kinds.values()) - sum(count for _, count in first)
    said = ", ".join(f"{count:,} {kind}" for kind, count in first)
    return f"{said}, {rest:,} others" if rest else said
