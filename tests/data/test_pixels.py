"""Image files that are no TIFF: the depth, the color and the way up that they have."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from lightning_gan.data.pixel_arrays import in_channels, resized, retyped
from lightning_gan.data.pixels import read_header, read_pixels
from lightning_gan.data.window import PixelType, Window

HEIGHT, WIDTH = 6, 5


def noise(channels, dtype=np.uint16):
    draw = np.random.default_rng(0)
    return draw.integers(0, np.iinfo(dtype).max, (HEIGHT, WIDTH, channels), dtype, endpoint=True)


def png(values, color, interlaced=False, chunks=()):
    """Write 16 bits a channel by hand; interlaced ones in seven passes."""
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [
            (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
            (1, 0, 2, 1),
        ]  # fmt: skip
    raw = b""
    for top, left, down, right in passes:
        part = values[top::down, left::right]
        if part.size:
            raw += b"".join(b"\0" + row.astype(">u2").tobytes() for row in part)
    height, width = values.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, int(interlaced))
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


def check(data, expected, name="uint16"):
    values, kind = read_pixels(data)
    assert (values.dtype, kind.name) == (expected.dtype, name)
    np.testing.assert_array_equal(values, expected)
    head, (height, width, channels) = read_header(data), expected.shape
    assert (head.channels, head.size, head.type) == (channels, (width, height), kind)


def on_white(values, alpha):
    share = alpha.astype(float) / 65535
    return np.rint(values * share + 65535 * (1 - share)).astype(np.uint16)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("color", "channels"), [(0, 1), (2, 3)])
def test_png_of_16_bits(color, channels, interlaced):
    values = noise(channels)
    check(png(values, color, interlaced), values)


@pytest.mark.parametrize(("color", "channels"), [(4, 2), (6, 4)])
def test_png_of_16_bits_and_opacity(color, channels):
    values = noise(channels)
    check(png(values, color), on_white(values[..., :-1], values[..., -1:]))


@pytest.mark.parametrize(("color", "channels"), [(0, 1), (2, 3)])
def test_png_of_16_bits_with_one_transparent_color(color, channels):
    values = noise(channels)
    values[2, 3] = values[0, 0]
    expected = values.copy()
    expected[2, 3] = expected[0, 0] = 65535
    check(png(values, color, chunks=[(b"tRNS", values[0, 0].astype(">u2").tobytes())]), expected)


def test_transparent_16_bits_are_put_on_the_white_of_the_window():
    values = np.array([[[100, 0], [4095, 65535]]], np.uint16)
    found, _ = read_pixels(png(values, 4), Window(0, 4095))
    assert found[..., 0].tolist() == [[4095, 4095]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("deep", [False, True])
def test_png_is_turned_as_its_exif_data_say(orientation, deep):
    tags = Image.Exif()
    tags[0x0112] = orientation
    values = noise(3)
    small = (values >> 8).astype(np.uint8)
    Image.fromarray(small).save(file := io.BytesIO(), "PNG", exif=tags)
    turned = read_pixels(file.getvalue())[0]
    assert turned.shape[:2] == ((5, 6) if orientation > 4 else (6, 5))
    head = read_header(file.getvalue())
    assert head.size == turned.shape[1::-1]
    if deep:
        data = png(values, 2, chunks=[(b"eXIf", tags.tobytes().removeprefix(b"Exif\0\0"))])
        found, _ = read_pixels(data)
        np.testing.assert_array_equal(found >> 8, turned)
        assert read_header(data).size == head.size


@pytest.mark.parametrize("largest", [256, 1023, 4095, 65535])
@pytest.mark.parametrize(("letter", "channels"), [("2", 1), ("3", 3), ("5", 1), ("6", 3)])
def test_pnm_of_more_than_8_bits(letter, channels, largest):
    values = (noise(channels).astype(int) % (largest + 1)).astype(np.uint16)
    head = f"P{letter}\n# a remark\n{WIDTH} {HEIGHT}\n#another\n{largest}\n".encode()
    plain = b" ".join(str(value).encode() for value in values.flatten())
    data = head + (plain if letter in "23" else values.astype(">u2").tobytes())
    check(data, values)
    assert read_header(data).type.white == largest
    with pytest.raises(ValueError, match="it is cut off"):
        read_pixels(data[: len(head) + 7])


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_eight_bits_are_as_pillow_has_them(mode):
    values = noise(3, np.uint8)
    image = Image.fromarray(values).convert(mode)
    image.save(file := io.BytesIO(), "PNG")
    channels = 1 if mode in "1L" else 3
    wanted = np.array(image.convert("L" if channels == 1 else "RGB"))
    check(file.getvalue(), wanted.reshape(HEIGHT, WIDTH, channels), "uint8")


def test_jpeg_of_inks():
    values = np.full((8, 8, 4), (10, 200, 30, 40), np.uint8)
    Image.fromarray(values, "CMYK").save(file := io.BytesIO(), "JPEG", quality=100)
    found, _ = read_pixels(file.getvalue())
    left = (255 - values[..., :3].astype(float)) * (255 - 40) / 255
    np.testing.assert_allclose(found, left, atol=3)


def test_something_else_names_no_object_of_python():
    for data in (b"", b"text", b"\x89PNG\r\n\x1a\n"):
        for read in (read_header, read_pixels):
            with pytest.raises(ValueError, match="^not an image of a known format$"):
                read(data)


def test_gray_and_color():
    color = noise(3)
    gray = in_channels(color, 1)
    exact = color @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(gray[..., 0], exact, atol=1)
    assert (gray.dtype, in_channels(gray, 3).shape) == (np.uint16, (HEIGHT, WIDTH, 3))
    small = noise(3, np.uint8)
    np.testing.assert_array_equal(
        in_channels(small, 1)[..., 0], np.array(Image.fromarray(small).convert("L"))
    )
    assert in_channels(noise(5), 3) is None
    floats = in_channels(np.full((1, 1, 3), 0.5, np.float32), 1)
    assert (floats.dtype, floats.item()) == (np.float32, pytest.approx(0.5, abs=1e-4))


def test_fewer_bits_become_more():
    eight, twelve, sixteen = (
        PixelType.of("uint8"),
        PixelType.of("uint16", 12),
        PixelType.of("uint16"),
    )
    values = np.array([0, 1, 128, 255], np.uint8)
    assert retyped(values, eight, sixteen).tolist() == [0, 257, 128 * 257, 65535]
    assert retyped(np.array([0, 2048, 4095], np.uint16), twelve, sixteen).tolist() == [
        0, 32776, 65535,
    ]  # fmt: skip
    assert retyped(values, sixteen, eight) is None
    assert retyped(values, eight, PixelType.of("int16")) is None
    assert retyped(values, eight, PixelType.of("float32")) is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_resizing_keeps_type_channels_and_values(dtype, channels):
    flat = np.full((HEIGHT, WIDTH, channels), 77, dtype) + np.arange(channels, dtype=dtype)
    made = resized(flat, (9, 9))
    assert (made.shape, made.dtype) == ((9, 9, channels), dtype)
    np.testing.assert_array_equal(made, np.broadcast_to(flat[0, 0], made.shape))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_resizing_is_that_of_eight_bits(dtype):
    small = noise(3, np.uint8)
    made = resized(small.astype(dtype), (9, 9)).astype(float)
    np.testing.assert_allclose(made, resized(small, (9, 9)), atol=1)
