"""Pictures of a run as data URIs: small enough that hundreds of them fit into one page."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageSequence

from lightning_gan.report.files import link_to, natural
from lightning_gan.report.thinning import spread

MOST_FRAMES = 40  # of one family
MOST_FRAMES_IN_ALL = 240
MOST_FAMILIES = 60
MOST_OTHERS = 24  # pictures without a step
AS_IT_IS = 48 * 1024  # bytes of a PNG up to which it is taken unchanged
LARGEST_PNG = 384 * 1024  # bytes above which a picture is made smaller
LARGEST_SIDE = 1024  # pixels
SMALLEST_SIDE = 128  # pixels
MOST_PIXELS = 64 * 2**20  # of a file that is opened at all
GIF_AS_IT_IS = 2 * 2**20  # bytes
GIF_FRAMES, GIF_SIDE = 48, 360

_STEPPED = re.compile(r"(?P<name>.+)-(?P<step>\d{8,18})")
# What Pillow raises for files that are cut off, damaged or made to exhaust the memory.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Picture:
    """An embedded picture.

    Attributes:
        name: What it shows.
        source: Data URI.
        size: Width and height in pixels.
        link: Relative URL of its file.
        step: When it was taken, if its name tells.
        note: How it differs from its file.
    """

    name: str
    source: str
    size: tuple[int, int]
    link: str
    step: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Family:
    """Pictures of the same thing over steps.

    Attributes:
        name: For example "grid".
        frames: In the order of their steps; none if no file could be read.
        total: How many files there are.
        unreadable: How many of those that were opened are cut off or damaged.
    """

    name: str
    frames: tuple[Picture, ...]
    total: int
    unreadable: int = 0


def read_families(folder: Path) -> tuple[list[Family], list[str]]:
    """Return the series of pictures in samples/, thinned, and a note if there are too many."""
    files: dict[str, list[tuple[int, Path]]] = {}
    for path in folder.glob("samples/*.png"):
        if match := _STEPPED.fullmatch(path.stem):
            files.setdefault(match["name"], []).append((int(match["step"]), path))
    names = sorted(files, key=natural)
    shown = names[:MOST_FAMILIES]
    limit = max(2, min(MOST_FRAMES, MOST_FRAMES_IN_ALL // max(1, len(shown))))
    left = len(names) - len(shown)
    notes = [f"{left} more series of pictures lie in samples/."] if left else []
    return [_family(folder, name, sorted(files[name]), limit) for name in shown], notes


def read_others(folder: Path) -> tuple[list[Picture], list[str]]:
    """Return pictures without a step, animations among them, and which files were left out."""
    paths = [
        *(path for path in folder.glob("samples/*.png") if not _STEPPED.fullmatch(path.stem)),
        *folder.glob("samples/*.gif"),
        *folder.glob("scorecards/*.png"),
    ]
    paths.sort(key=lambda path: natural(path.name))
    found = [(path, embed(path, folder)) for path in paths[:MOST_OTHERS]]
    notes = [f"{path.name} cannot be read." for path, picture in found if picture is None]
    if len(paths) > MOST_OTHERS:
        notes.append(f"{len(paths) - MOST_OTHERS} more pictures are left out.")
    return [picture for _, picture in found if picture is not None], notes


def embed(path: Path, folder: Path, step: int | None = None, name: str = "") -> Picture | None:
    """Return a picture of bounded size, or None if the file is cut off or damaged."""
    encode = _encoded_gif if path.suffix == ".gif" else _encoded_png
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, which are checked here
            with Image.open(path) as image:
                if image.width * image.height > MOST_PIXELS:
                    return None
                content, size, note = encode(path, image)
    except _UNREADABLE:
        return None
    kind = path.suffix.removeprefix(".")
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return Picture(
        name or path.stem, source, size, link_to(path.relative_to(folder).as_posix()), step, note
    )


def _family(folder: Path, name: str, files: list[tuple[int, Path]], limit: int) -> Family:
    """Return thinned frames; where the newest file is still being written, the one before it."""
    chosen = [files[place] for place in spread(len(files), limit)]
    frames = [embed(path, folder, step, name) for step, path in chosen]
    whole = tuple(frame for frame in frames if frame is not None)
    return Family(name, whole, len(files), len(frames) - len(whole))


def _encoded_png(path: Path, image: Image.Image) -> tuple[bytes, tuple[int, int], str]:
    """Return a PNG: the file as it is, or in gray or 256 colors, and smaller if needed."""
    image.load()
    content = path.read_bytes()
    if len(content) <= AS_IT_IS and image.format == "PNG":
        return content, image.size, ""
    small = image.convert("RGB")
    small.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    content = _png(small)
    while len(content) > LARGEST_PNG and max(small.size) > SMALLEST_SIDE:
        small.thumbnail((small.width * 3 // 4, small.height * 3 // 4))
        content = _png(small)
    return content, small.size, "" if small.size == image.size else "made smaller"


def _png(image: Image.Image) -> bytes:
    red, green, blue = image.split()
    is_gray = not any(ImageChops.difference(red, band).getbbox() for band in (green, blue))
    buffer = io.BytesIO()
    (red if is_gray else image.quantize(256)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _encoded_gif(path: Path, image: Image.Image) -> tuple[bytes, tuple[int, int], str]:
    """Return a GIF: the file as it is, or with fewer frames and pixels, of the same duration."""
    image.load()
    if path.stat().st_size <= GIF_AS_IT_IS:
        return path.read_bytes(), image.size, ""
    total = getattr(image, "n_frames", 1)
    frames, durations = _thinned(image, total)
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0
    )
    return buffer.getvalue(), frames[0].size, f"{len(frames)} of {total} frames, made smaller"


def _thinned(image: Image.Image, total: int) -> tuple[list[Image.Image], list[int]]:
    """Return some frames of an animation, and milliseconds for each."""
    kept = set(spread(total, GIF_FRAMES))
    frames: list[Image.Image] = []
    durations: list[int] = []
    for place, frame in enumerate(ImageSequence.Iterator(image)):
        if place in kept:
            small = frame.convert("RGB")
            small.thumbnail((GIF_SIDE, GIF_SIDE))
            frames.append(small)
            durations.append(0)
        durations[-1] += int(frame.info.get("duration", 100))
    return frames, durations


def newest(families: Iterable[Family]) -> int | None:
    """Return the last step of which there is a picture."""
    steps = (frame.step for family in families for frame in family.frames[-1:])
    return max((step for step in steps if step is not None), default=None)
