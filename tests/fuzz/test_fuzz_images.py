"""Whatever lies in a folder or zip of images ends in images or in one sentence."""

from __future__ import annotations

import io
import resource
import shutil
import struct
import warnings
import zipfile
import zlib

import numpy as np
import pytest
import tifffile
import torch
from fuzzing import cases, in_time, little_memory
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lightning_gan.data import ImageFolder
from lightning_gan.errors import InputError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "I", "F")
SUFFIXES = (
    "png",
    "PNG",
    "jpg",
    "jpeg",
    "gif",
    "bmp",
    "tif",
    "tiff",
    "webp",
    "pgm",
    "ppm",
    "txt",
    "",
)


def encoded(mode, size, kind):
    """One image file; a format that has no such mode takes the nearest that it has."""
    image = Image.new(mode, size)
    content = io.BytesIO()
    try:
        image.save(content, kind)
    except (OSError, ValueError, KeyError):
        image.convert("RGB").save(content := io.BytesIO(), kind)
    return content.getvalue()


def png_of(width, height, depth, color):
    """A PNG that declares a size and holds nothing of it."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 64))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def bmp_of(width, height, bits, _):
    return struct.pack(
        "<2sIHHIIiiHHIIiiII", b"BM", 54, 0, 0, 54, 40, width, height, 1, bits, 0, 0, 0, 0, 0, 0
    )  # fmt: skip


def gif_of(width, height, *_):
    return struct.pack("<6sHHBBB", b"GIF89a", width & 65535, height & 65535, 0x80, 0, 0) + bytes(6)


def ppm_of(width, height, *_):
    return f"P6 {width} {height} 255\n".encode()


def deep(dtype, channels, size, options):
    """A TIFF of any type and number of channels."""
    shape = size if channels == 1 else (*size, channels)
    kind = {"photometric": "rgb" if channels == 3 else "minisblack", **options}
    if channels > 1:
        kind["planarconfig"] = "contig"
    content = io.BytesIO()
    tifffile.imwrite(content, np.ones(shape, dtype), **kind)
    return content.getvalue()


SIDES = st.sampled_from([0, 1, 2, 7, 255, 4000, 30_000, 65_535, 100_000, 2**31 - 1])
WHOLE = st.builds(
    encoded,
    st.sampled_from(MODES),
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.sampled_from(FORMATS),
)
DECLARED = st.builds(
    lambda make, *sizes: make(*sizes),
    st.sampled_from([png_of, bmp_of, gif_of, ppm_of]),
    SIDES,
    SIDES,
    st.sampled_from([1, 8, 16, 24, 32]),
    st.sampled_from([0, 2, 3, 4, 6]),
)
DEEP = st.builds(
    deep,
    st.sampled_from(["uint8", "uint16", "int16", "uint32", "float16", "float32", "complex64"]),
    st.sampled_from([1, 2, 3, 5]),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.sampled_from(
        [{}, {"compression": "lzw"}, {"compression": "zlib"}, {"bigtiff": True}, {"tile": (16, 16)}]
    ),
)
CONTENTS = WHOLE | DEEP | DECLARED | st.binary(max_size=60) | st.just(b"")
PARTS = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=8
).filter(lambda part: part not in (".", "..") and len(part.encode()) < 100)
NAMES = st.builds(
    lambda folders, stem, suffix: "/".join([*folders, f"{stem}.{suffix}"]),
    st.lists(st.sampled_from(["a", "b", "ß", ".hidden"]) | PARTS, max_size=3),
    PARTS,
    st.sampled_from(SUFFIXES),
)


@pytest.fixture(scope="module", autouse=True)
def _little_memory():
    with little_memory():
        yield


@st.composite
def harmed(draw, contents):
    """Bytes, some of them cut off or changed."""
    content = bytearray(draw(contents))
    for _ in range(draw(st.sampled_from([0, 0, 1, 3])) if content else 0):
        # Drawn from one range whatever the length: encoders may not repeat themselves to the byte.
        content[draw(st.integers(0, 4095)) % len(content)] = draw(st.integers(0, 255))
    cut = draw(st.sampled_from([None, None, *range(0, 60, 7)]))
    return bytes(content[:cut])


def read_all(root, **options):
    """Read every image, as training would."""
    message = "fine"
    with warnings.catch_warnings(), in_time():
        warnings.simplefilter("ignore")  # Pillow's, about damaged files
        try:
            data = ImageFolder(str(root), batch_size=1, **options)
            data.setup("fit")
            images, labels = data.images("train")
            assert images.dtype == torch.uint8
            assert images.shape[1:] == data.sample_shape
            assert labels is None or len(labels) == len(images)
        except InputError as error:
            message = str(error)
    assert message
    return message


OPTIONS = st.fixed_dictionaries(
    {}, optional={"image_size": st.sampled_from([1, 4]), "channels": st.sampled_from([1, 3])}
)


@given(files=st.dictionaries(NAMES, harmed(CONTENTS), max_size=4), options=OPTIONS)
@cases(500)
def test_folders(tmp_path_factory, files, options):
    root = tmp_path_factory.getbasetemp() / "images"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for name, content in files.items():
        try:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        except OSError:  # a file where another needs a folder
            continue
    read_all(root, **options)


@st.composite
def archives(draw):
    """A zip of images, damaged or not."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", draw(st.sampled_from([0, 8, 12, 14]))) as archive:
        for name, data in draw(st.dictionaries(NAMES, CONTENTS, max_size=3)).items():
            archive.writestr(draw(st.sampled_from(["", "/", "../", "a/"])) + name, data)
    return content.getvalue()


@given(content=harmed(archives()), options=OPTIONS)
@cases(400)
def test_archives(tmp_path_factory, content, options):
    path = tmp_path_factory.getbasetemp() / "images.zip"
    path.write_bytes(content)
    read_all(path, **options)


@given(content=harmed(CONTENTS))
@cases(100)
def test_one_image_among_good_ones(tmp_path_factory, content):
    root = tmp_path_factory.getbasetemp() / "mixed"
    shutil.rmtree(root, ignore_errors=True)
    (root / "a").mkdir(parents=True)
    for n in range(3):
        (root / "a" / f"{n}.png").write_bytes(encoded("RGB", (4, 4), "PNG"))
    (root / "a" / "4.png").write_bytes(content)
    read_all(root, image_size=4)


@pytest.mark.parametrize("make", [png_of, bmp_of, gif_of, ppm_of])
@pytest.mark.parametrize("options", [{}, {"image_size": 4}])
def test_a_declared_size_takes_no_memory(tmp_path, make, options):
    (tmp_path / "a.png").write_bytes(make(100_000, 100_000, 8, 2))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "a.png" in read_all(tmp_path, **options) or make is gif_of
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**19  # KiB


def test_a_bomb_in_a_zip_is_not_unpacked(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(12_345))
    declared = struct.pack("<I", 12_345), struct.pack("<I", 2**31)
    (tmp_path / "images.zip").write_bytes(content.getvalue().replace(*declared))
    assert "unpacks to 2,147,483,648 bytes" in read_all(tmp_path / "images.zip")


def test_pixels_are_those_of_the_file(tmp_path):
    """The one that must not end in a sentence."""
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert read_all(tmp_path) == "fine"
    images, _ = ImageFolder(str(tmp_path), batch_size=1).images("train")
    assert np.array_equal(images[0].permute(1, 2, 0).numpy(), pixels)
