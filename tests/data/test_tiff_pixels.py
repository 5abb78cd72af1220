"""TIFF by its tags: depth x sign x planes x photometric x compression, each pixel compared."""

import io
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
import tifffile
from PIL import Image

from lightning_gan.data.pixels import read_header, read_pixels
from lightning_gan.data.window import Window
from lightning_gan.errors import InputError

WHOLE = ("uint8", "int8", "uint16", "int16", "uint32", "int32")
FLOATS = ("float16", "float32", "float64")
HEIGHT, WIDTH = 6, 5


def noise(dtype, channels):
    """Values of all magnitudes that a type has, the least and the largest among them."""
    draw, shape = np.random.default_rng(0), (HEIGHT, WIDTH, channels)
    if dtype in FLOATS:
        values = draw.random(shape).astype(dtype)
        values[0, 0], values[0, 1] = 0, 1
        return values
    limits = np.iinfo(dtype)
    values = draw.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    values[0, 0], values[0, 1] = limits.min, limits.max
    return values


def tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def arranged(values, planes):
    """Channels as tifffile wants them: none, last, or first."""
    if values.shape[2] == 1:
        return values[..., 0]
    return values if planes == "contig" else np.moveaxis(values, 2, 0)


def check(data, expected):
    values, kind = read_pixels(data)
    assert (values.dtype, kind.name) == (expected.dtype, expected.dtype.name)
    np.testing.assert_array_equal(values, expected)
    head = read_header(data)
    height, width, channels = expected.shape
    assert (head.channels, head.size, head.type) == (channels, (width, height), kind)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("dtype", WHOLE + FLOATS)
def test_every_pixel_is_what_was_written(dtype, channels):
    pytest.importorskip("imagecodecs")
    values = noise(dtype, channels)
    photometric = "rgb" if channels == 3 else "minisblack"
    for planes, compression, order in product(["contig", "separate"], [None, "zlib", "lzw"], "<>"):
        options = {"photometric": photometric, "compression": compression, "byteorder": order}
        if channels > 1:
            options["planarconfig"] = planes
        check(tiff(arranged(values, planes), **options), values)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", WHOLE)
def test_white_that_is_zero(dtype, compression):
    values, limits = noise(dtype, 1), np.iinfo(dtype)
    expected = (limits.min + limits.max - values.astype(np.int64)).astype(dtype)
    check(tiff(values[..., 0], photometric="miniswhite", compression=compression), expected)


@pytest.mark.parametrize("dtype", FLOATS)
def test_white_that_is_zero_in_floats(dtype):
    values = noise(dtype, 1)
    expected = (1 - values.astype(np.float64)).astype(dtype)
    check(tiff(values[..., 0], photometric="miniswhite"), expected)


def test_white_that_is_zero_is_turned_within_the_window():
    twelve = np.array([[0, 1, 4095]], np.uint16)  # of 12 bits, kept in 16
    values, _ = read_pixels(tiff(twelve, photometric="miniswhite"), Window(0, 4095))
    assert values[..., 0].tolist() == [[4095, 4094, 0]]


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
def test_values_of_odd_bits_know_their_white(bits):
    pytest.importorskip("imagecodecs")
    values = np.random.default_rng(0).integers(0, 2**bits, (HEIGHT, WIDTH, 1)).astype(np.uint16)
    data = tiff(values[..., 0], bitspersample=bits, photometric="minisblack")
    check(data, values)
    assert read_header(data).type.white == 2**bits - 1


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_become_eight(bits, inverted):
    """Written by hand: one strip, rows filled up to whole bytes."""
    values = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 2**bits
    strip = b""
    for row in values:
        text = "".join(f"{value:0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        strip += bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
    expected = values * 255 // (2**bits - 1)
    expected = 255 - expected if inverted else expected
    data = by_hand(strip, {258: bits, 262: 0 if inverted else 1})
    check(data, expected.astype(np.uint8)[..., None])


def by_hand(strip, tags):
    """A little-endian TIFF of one strip; each tag is one number."""
    tags = {256: WIDTH, 257: HEIGHT, 259: 1, 273: 8, 277: 1, 278: HEIGHT, 279: len(strip), **tags}
    strip += b"\0" * (len(strip) % 2)
    entries = [
        tag.to_bytes(2, "little") + b"\4\0\1\0\0\0" + value.to_bytes(4, "little")
        for tag, value in sorted(tags.items())
    ]
    directory = len(entries).to_bytes(2, "little") + b"".join(entries) + bytes(4)
    return b"II*\0" + (8 + len(strip)).to_bytes(4, "little") + strip + directory


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("dtype", "channels"), [("uint8", 3), ("uint16", 1), ("float32", 5)])
def test_every_orientation(dtype, channels, orientation):
    upright = noise(dtype, channels)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    photometric = "rgb" if channels == 3 else "minisblack"
    options = {} if channels == 1 else {"planarconfig": "contig"}
    data = tiff(
        arranged(np.ascontiguousarray(stored), "contig"),
        photometric=photometric,
        extratags=[(274, 3, 1, orientation, True)],
        **options,
    )
    check(data, upright)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_those_of_pillow(orientation):
    values = noise("uint8", 3)
    data = tiff(values, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    image = Image.open(io.BytesIO(data))
    image.load()  # which turns it
    np.testing.assert_array_equal(read_pixels(data)[0], np.array(image))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_opacity_is_put_on_white(dtype):
    values, full = noise(dtype, 4), 1 if dtype == "float32" else np.iinfo(dtype).max
    colors, share = values[..., :3].astype(float), values[..., 3:].astype(float) / full
    on_white = colors * share + full * (1 - share)
    data = tiff(values, photometric="rgb", extrasamples=["unassalpha"])
    found, _ = read_pixels(data)
    assert (found.dtype, read_header(data).channels) == (dtype, 3)
    np.testing.assert_allclose(found, on_white, atol=0.5 if full > 1 else 1e-6)
    values[..., :3] = (colors * share).astype(dtype)  # as multiplied colors are kept
    found, _ = read_pixels(tiff(values, photometric="rgb", extrasamples=["assocalpha"]))
    np.testing.assert_allclose(found, on_white, atol=1.5 if full > 1 else 1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_inks(dtype):
    values = noise(dtype, 4)
    full = float(np.iinfo(dtype).max)
    found, _ = read_pixels(tiff(values, photometric="separated"))
    rest = full - values.astype(float)
    np.testing.assert_allclose(found, rest[..., :3] * rest[..., 3:] / full, atol=0.5)
    if dtype == "uint8":
        image = Image.fromarray(values, "CMYK").convert("RGB")
        np.testing.assert_array_equal(found, np.array(image))


def test_palettes():
    index = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
    colors = np.random.default_rng(0).integers(0, 256, (3, 256), np.uint16)
    expected = colors.T[index].astype(np.uint8)
    for table in (colors * 257, colors):  # as the standard has it, and as some write it
        check(tiff(index, photometric="palette", colormap=table), expected)


def test_channels_kept_as_pages():
    values = noise("uint16", 3)
    data = tiff(np.moveaxis(values, 2, 0), imagej=True, metadata={"axes": "CYX"})
    check(data, values)


def test_smaller_versions_are_no_further_images():
    values = noise("uint8", 1)
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(values[..., 0], photometric="minisblack")
        writer.write(values[::2, ::2, 0], photometric="minisblack", subfiletype=1)
    check(file.getvalue(), values)


def refused(data):
    with pytest.raises(InputError) as caught:
        read_pixels(data)
    with pytest.raises(InputError) as again:
        read_header(data)
    assert str(caught.value) == str(again.value)
    return str(caught.value)


def test_what_is_no_one_image_is_refused():
    stack = np.zeros((4, HEIGHT, WIDTH), np.uint16)
    several = "it holds several pages ({} 4x6x5): write each page as a file of its own"
    assert refused(tiff(stack, photometric="minisblack")) == several.format("QYX")
    assert refused(tiff(stack, imagej=True, metadata={"axes": "ZYX"})) == several.format("ZYX")
    whole = tiff(stack[0], photometric="minisblack")
    assert refused(tiff(noise("uint16", 1)[..., 0], photometric="cfa")) == (
        "it is in the color space CFA: convert it to gray or RGB"
    )
    assert refused(tiff(np.zeros((3, 4), np.complex64))).startswith(
        "its pixels are of the type complex64 with 64 bits: convert them to one of uint8, int8"
    )
    nothing_said = by_hand(bytes(WIDTH * HEIGHT), {258: 8})
    with pytest.raises(ValueError, match="^no tag says whether 0 is black$"):
        read_pixels(nothing_said)
    parts = by_hand(
        bytes(WIDTH), {258: 8, 262: 1, 278: 1}
    )  # rows one by one, of which one is there
    with pytest.raises(ValueError, match="^it has 1 of 6 parts$"):
        read_pixels(parts)
    for cut in (whole[:-20], whole[: len(whole) // 2], whole[:9]):
        with pytest.raises(Exception, match="."):
            read_pixels(cut)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"])
def test_what_pillow_writes(compression):
    image = Image.fromarray(noise("uint8", 3))
    image.save(file := io.BytesIO(), "TIFF", compression=compression)
    expected = np.array(Image.open(file))
    found, _ = read_pixels(file.getvalue())
    np.testing.assert_array_equal(found, expected)


WITHOUT_CODECS = """
import sys
sys.modules["imagecodecs"] = None
import io
import numpy as np
from PIL import Image
from lightning_gan.data.pixels import read_pixels

def lzw(values):
    Image.fromarray(values).save(file := io.BytesIO(), "TIFF", compression="tiff_lzw")
    return file.getvalue()

colors = np.arange(90, dtype=np.uint8).reshape(6, 5, 3)
assert (read_pixels(lzw(colors))[0] == colors).all()
try:
    read_pixels(lzw(np.arange(30, dtype=np.uint16).reshape(6, 5)))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def test_without_the_codecs():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_CODECS], capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip() == (
        "InputError: it is compressed with LZW, which needs the package imagecodecs: "
        "pip install 'lightning-gan[tiff]'"
    ), done.stderr
