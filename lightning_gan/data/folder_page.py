"""All about a folder of images on a page: what is there, what is broken, what would be served."""

from __future__ import annotations

import hashlib
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import torch
from pytorch_lightning.utilities import rank_zero_info

from lightning_gan.data.broken_files import broken_pixels
from lightning_gan.data.file_listing import FileTree
from lightning_gan.data.file_tree import file_tree
from lightning_gan.data.folder_facts import FolderFacts, sizes
from lightning_gan.data.folder_layout import Layout, read_layout
from lightning_gan.data.holdout import Holdout
from lightning_gan.data.image_headers import Header, read_headers
from lightning_gan.data.many_files import in_threads, outcome
from lightning_gan.errors import InputError

_WIDTH = 80  # columns
_LABEL = 12
_SHOWN = 20  # of a long list that is not the broken files, which are all shown
_MANY = 1000  # images from which on a line says that it will take a while


@dataclass(frozen=True)
class FolderPage:
    """What was found in a folder or zip whose images have all been decoded.

    Attributes:
        root: The folder or zip.
        layout: All images, broken ones too, their classes, and what is left out.
        headers: Of the images whose headers can be read, by name.
        broken: Why the broken images cannot be read, by name.
        duplicates: Names of images with the same bytes, a list for each.
    """

    root: Path
    layout: Layout
    headers: Mapping[str, Header]
    broken: Mapping[str, str]
    duplicates: Sequence[Sequence[str]]

    def text(self) -> str:
        """Return the page, 80 columns wide but for names that are longer."""
        lines = [str(self.root)]
        for label, content, rows in self._parts():
            lines += textwrap.wrap(
                content,
                _WIDTH,
                initial_indent=f"  {label:<{_LABEL}}",
                subsequent_indent=" " * (_LABEL + 2),
                break_long_words=False,
                break_on_hyphens=False,
            )
            lines += [f"    {row}" for row in rows]
        return "\n".join(lines)

    def _parts(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield a label, what is said of it, and a list below."""
        names, none = self.layout.names, list[str]()
        yield "images", f"{len(names):,}", none
        yield "classes", *self._classes()
        headers = list(self.headers.values())
        if headers:
            yield "sizes", self._sizes(headers), none
            transparent = sum(header.transparent for header in headers)
            more = f"; {transparent:,} may have transparent pixels" if transparent else ""
            yield "modes", _frequent(Counter(header.mode for header in headers)) + more, none
        yield "endings", _frequent(Counter(PurePosixPath(name).suffix for name in names)), none
        for kind, others in sorted(self.layout.left_out.items()):
            yield "left out", f"{len(others):,} {kind}, {others[0]} for one", none
        reasons = [f"{name}: {reason}" for name, reason in sorted(self.broken.items())]
        yield "broken", f"{len(reasons):,}" if reasons else "none", reasons
        yield "duplicates", *self._duplicates()
        yield "served as", self._served(), none

    def _classes(self) -> tuple[str, list[str]]:
        if self.layout.class_names is None or self.layout.labels is None:
            return "none: there are no folders of classes", []
        counts = Counter(self.layout.labels)
        rows = [f"{counts[n]:>9,}  {name}" for n, name in enumerate(self.layout.class_names)]
        return f"{len(rows):,}", rows

    def _sizes(self, headers: Sequence[Header]) -> str:
        def three(values: Sequence[int]) -> str:
            ordered = sorted(values)
            return f"{ordered[0]}, {ordered[len(ordered) // 2]}, {ordered[-1]}"

        found = sizes(headers)
        flat = sum(count for (width, height), count in found.items() if width != height)
        if len(found) == 1:
            ((width, height),) = found
            return f"all {width}x{height}" + (", not square" if flat else "")
        return (
            f"{len(found):,} different ones; smallest, median and largest width "
            f"{three([h.width for h in headers])}, height {three([h.height for h in headers])}; "
            f"{flat:,} not square"
        )

    def _duplicates(self) -> tuple[str, list[str]]:
        if not self.duplicates:
            return "none", []
        copies = sum(len(names) - 1 for names in self.duplicates)
        labels = dict(zip(self.layout.names, self.layout.labels or [], strict=False))
        mixed = sum(len({labels.get(name) for name in names}) > 1 for names in self.duplicates)
        rows = [" = ".join(names) for names in self.duplicates[:_SHOWN]]
        if len(self.duplicates) > _SHOWN:
            rows.append(f"... and {len(self.duplicates) - _SHOWN:,} more")
        across = f", {mixed:,} of them with copies in another class" if mixed else ""
        return f"{copies:,} to remove{across}", rows

    def _served(self) -> str:
        """Return what the data module would make of the images."""
        try:
            layout = self.layout.without(list(self.broken), self.root)
        except InputError as error:
            return f"nothing: {error}"
        facts = FolderFacts(self.root, layout, [self.headers[name] for name in layout.names])
        labels = None if layout.labels is None else torch.tensor(layout.labels)
        holdout = Holdout(len(layout.names), 0.1, labels)
        channels, height, width = facts.native_shape
        kind = {1: "gray (channels 1)", 3: "color (channels 3)"}[channels]
        size = f"{width}x{height} pixels"
        if len(sizes(facts.headers)) > 1:
            size = "the size that you set (image_size), cropped at the center where not square"
        classes = len(layout.class_names or ())
        said = [
            f"{len(layout.names):,} images in {kind} of {size}",
            f"{classes:,} classes" if classes else "no labels",
            f"{holdout.size:,} held out",
            *facts.surprises(),
            *([short] if (short := holdout.shortage()) else []),
        ]
        if self.broken:
            said.append("broken images end training, unless skip_broken is true")
        return "; ".join(said)


def folder_page(root: Path) -> FolderPage:
    """Look at all files of a folder or zip, and decode all images.

    Raises:
        InputError: The root is absent, has no images, or is not laid out as ImageFolder reads it.
    """
    tree = file_tree(root)
    layout = read_layout(tree)
    if len(layout.names) >= _MANY:
        rank_zero_info(f"{root}: decoding {len(layout.names):,} images")
    headers, broken = read_headers(tree, layout.names)
    readable = [name for name in layout.names if name in headers]
    broken = broken | broken_pixels(tree, readable, headers)
    return FolderPage(root, layout, headers, broken, same_bytes(tree, layout.names))


def same_bytes(tree: FileTree, names: Sequence[str]) -> list[list[str]]:
    """Return the names of files with the same bytes."""

    def digest(name: str) -> bytes:
        return hashlib.sha256(tree.read(name)).digest()

    same: defaultdict[bytes, list[str]] = defaultdict(list)
    for name, found in zip(names, in_threads(partial(outcome, digest), names), strict=True):
        if isinstance(found, bytes):
            same[found].append(name)
    return [group for group in same.values() if len(group) > 1]


def _frequent(kinds: Counter[str]) -> str:
    """Return counts, the most frequent first."""
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
