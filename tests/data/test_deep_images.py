"""Images of more than 8 bits, signed, floating point or of many channels, from files to batches."""

import re

import numpy as np
import pytest
import tifffile
import torch
import toys
from PIL import Image

from lightning_gan.callbacks import PredictionWriter, SampleGrid
from lightning_gan.data import ArrayImages, ImageFolder, RandomImages, base, save_arrays
from lightning_gan.data.window import EIGHT_BITS, PixelType, Window, check_floats
from lightning_gan.errors import InputError

N = 8


def noise(dtype, channels=1, low=None, high=None):
    draw, shape = np.random.default_rng(0), (N, channels, 4, 6)
    if np.dtype(dtype).kind == "f":
        return (draw.random(shape) * (high or 1)).astype(dtype)
    limits = np.iinfo(dtype)
    low, high = (limits.min if low is None else low), (limits.max if high is None else high)
    values = draw.integers(low, high, shape, dtype=dtype, endpoint=True)
    values[:, 0, 0, 0], values[:, 0, 0, 1] = low, high
    return values


def folder(root, values, **options):
    root.mkdir(exist_ok=True)
    photometric = "rgb" if values.shape[1] == 3 else "minisblack"
    for number, image in enumerate(values):
        image = image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0))
        more = {} if image.ndim == 2 else {"planarconfig": "contig"}
        tifffile.imwrite(root / f"{number}.tif", image, photometric=photometric, **more)
    return ImageFolder(str(root), **{"holdout": 0, "batch_size": 4, **options})


def arrays(root, values, **options):
    root.mkdir(exist_ok=True)
    np.save(root / "images.npy", values)
    return ArrayImages(str(root), **{"holdout": 0, "batch_size": 4, **options})


def served(data):
    return torch.cat(list(data.val_dataloader())).double().numpy()


DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("dtype", DTYPES)
def test_depth_is_kept_from_files_to_batches(tmp_path, dtype, channels, in_memory):
    values, kind = noise(dtype, channels), PixelType.of(dtype)
    expected = (values.astype(float) - kind.black) / (kind.white - kind.black) * 2 - 1
    of_files = folder(tmp_path / "files", values, in_memory=in_memory)
    save_arrays(of_files, tmp_path / "arrays")
    assert np.load(tmp_path / "arrays" / "images.npy").dtype == dtype
    np.testing.assert_array_equal(np.load(tmp_path / "arrays" / "images.npy"), values)
    assert not (tmp_path / "arrays" / "window.npy").exists()
    of_arrays = ArrayImages(str(tmp_path / "arrays"), holdout=0, batch_size=4, in_memory=in_memory)
    for data in (of_files, of_arrays):
        data.setup()  # without a warning
        assert data.sample_shape == (channels, 4, 6)
        pixels, _ = data.pixels("train")
        assert pixels.dtype == getattr(torch, dtype)
        np.testing.assert_array_equal(pixels.numpy(), values)
        assert (data.from_files, served(data).dtype) == (not in_memory, np.float64)
        np.testing.assert_allclose(served(data), expected, atol=2e-7)
        shown = data.images("train")[0]
        assert shown.dtype == torch.uint8
        np.testing.assert_allclose(shown.numpy(), (expected + 1) * 127.5, atol=0.5001)
        some = torch.tensor([5, 2])
        assert torch.equal(data.images("train", indices=some)[0], shown[some])
        assert torch.equal(next(iter(data.train_dataloader())).sort(0)[0][0], x_least(data))


def x_least(data):
    """The first training batch is four of the images: their least values, pixel by pixel."""
    order = data.train_dataloader().sampler.indices(0)[:4]
    return torch.from_numpy(served(data)).float()[order].sort(0)[0][0]


def test_workers_hand_deep_images_over(tmp_path):
    values = noise("uint16", 3)
    data = folder(tmp_path / "files", values, in_memory=False, num_workers=1)
    np.testing.assert_allclose(served(data), values / 32767.5 - 1, atol=2e-7)


@pytest.mark.parametrize("make", [folder, arrays])
def test_a_window_is_what_becomes_minus_one_and_one(tmp_path, make):
    values = np.array([-2000, -1024, 0, 1000, 3000, 30000] * 4 * N, np.int16).reshape(N, 1, 4, 6)
    data = make(tmp_path / "set", values, black=-1000, white=1000)
    data.setup()
    assert served(data)[0, 0, 0].tolist() == [-1, -1, 0, 1, 1, 1]
    assert data.images("train")[0][0, 0, 0].tolist() == [0, 0, 128, 255, 255, 255]
    assert data.pixels("train")[0][0, 0, 0].tolist() == [-2000, -1024, 0, 1000, 3000, 30000]
    assert str(data.window) == "-1000 to 1000"


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("make", [folder, arrays])
def test_what_uses_little_of_its_range_is_said_once(tmp_path, make, in_memory, monkeypatch):
    twelve = noise("uint16", high=4095)
    data = make(tmp_path / "a", twelve, in_memory=in_memory)
    with pytest.warns(UserWarning, match="^pixels go") as caught:
        data.setup()
    data.setup()
    assert [str(each.message) for each in caught] == [
        "pixels go from 0 to 4095 (uint16), and 0 is black, 65535 white: where that is too dark or "
        "too flat, set black and white, such as 0 and 4095"
    ]
    make(tmp_path / "a", twelve, in_memory=in_memory, white=4095).setup()
    with pytest.warns(UserWarning, match=re.escape("set black and white, such as -1024 and 3071")):
        make(tmp_path / "b", noise("int16", low=-1024, high=3071), in_memory=in_memory).setup()
    with pytest.warns(UserWarning, match=r"^pixels go from \S+ to 0\.0\d+ \(float32\), and 0 is"):
        make(tmp_path / "c", noise("float32", high=0.01), in_memory=in_memory).setup()
    monkeypatch.setattr(base, "_LOOKED_AT", 3)
    if not in_memory:
        with pytest.warns(UserWarning, match=r"^pixels \(of 8, 3 were looked at\) go from 0 to"):
            make(tmp_path / "a", twelve, in_memory=False).setup()


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("make", [folder, arrays])
def test_floats_without_a_window_lie_in_0_to_1(tmp_path, make, in_memory):
    values = noise("float32", high=50)
    values[0, 0, 0, :2] = 0, 50
    name = {folder: "0.tif in {}", arrays: "{}/images.npy"}[make].format(tmp_path / "set")

    def run(**options):
        data = make(tmp_path / "set", values, in_memory=in_memory, **options)
        data.setup()
        list(data.val_dataloader())

    def refused(**options):
        with pytest.raises(InputError) as caught:
            run(**options)
        return str(caught.value)

    assert re.fullmatch(
        rf"{re.escape(name)} has floating point pixels from 0 to 50, not in 0\.\.1: set black and "
        "set white to the values that are to be these two",
        refused(),
    )
    data = make(tmp_path / "set", values, in_memory=in_memory, white=50)
    np.testing.assert_allclose(served(data), values / 25 - 1, atol=1e-6)
    for bad in (np.nan, np.inf):
        values[0, 0, 0, 0] = bad
        said = f"{name} has pixels that are NaN or infinite: repair or remove it"
        assert refused() == refused(white=50) == said


@pytest.mark.parametrize("name", ["1.png", "-1.png"])  # after and before the other
def test_fewer_bits_are_spread_where_others_have_more(name, tmp_path):
    folder(tmp_path, noise("uint16")[:1])
    eight = np.arange(24, dtype=np.uint8).reshape(4, 6)
    Image.fromarray(eight).save(tmp_path / name)
    data = ImageFolder(str(tmp_path), holdout=0, batch_size=1)
    found = data.pixels("train")[0][int(name == "1.png"), 0].numpy()
    np.testing.assert_array_equal(found, eight * np.uint16(257))


def refused(make, **options):
    with pytest.raises(InputError) as caught:
        make(**options).images("train")
    return str(caught.value)


def test_pixels_of_other_types_are_refused(tmp_path):
    def types(first, second, **options):
        root = tmp_path / f"{first}-{second}{len(options)}"
        folder(root, noise(second)[:2])
        said = refused(lambda **words: folder(root, noise(first)[:1], **words), **options)
        return said.removeprefix(f"images in {root} have pixels of ").removesuffix(
            ": convert them to one type"
        )

    assert types("uint16", "int16") == "uint16 in 0..65535, and 1.tif of int16 in -32768..32767"
    assert types("float32", "uint8") == "uint8 in 0..255, and 0.tif of float32"
    # 255 of 8 bits is not the white of a window of 16 bits.
    assert types("uint16", "uint8", white=4095) == (
        "uint16 in 0..65535, and 1.tif of uint8 in 0..255"
    )


def test_channels_are_asked_for_by_number(tmp_path):
    values = noise("uint16", 5)
    assert folder(tmp_path / "five", values, channels=5).sample_shape == (5, 4, 6)
    root = tmp_path / "five"
    assert refused(ImageFolder, root=str(root), channels=3, holdout=0) == (
        f"0.tif in {root} has 5 channels, and 3 are expected: convert it, or leave it out"
    )


@pytest.mark.parametrize("make", [folder, arrays])
@pytest.mark.parametrize(
    ("dtype", "options", "said"),
    [
        ("uint16", {"black": 5, "white": 5}, "black must be below white, got 5 and 5"),
        ("uint16", {"white": -1}, "black must be below white, got 0 and -1"),
        ("float32", {"black": 2}, "black must be below white, got 2 and 1"),
        ("uint16", {"white": np.nan}, "white must be a finite number or null, got nan"),
        ("uint16", {"black": -np.inf}, "black must be a finite number or null, got -inf"),
        (
            "int16",
            {"white": 100},
            "pixels are signed (int16 in -32768..32767), of which black and white are given "
            "together: set black, too",
        ),
    ],
)
def test_black_and_white_that_are_none(tmp_path, make, dtype, options, said):
    values = noise(dtype)
    assert refused(lambda **words: make(tmp_path / "set", values, **words), **options) == said


def test_the_window_goes_along_into_arrays(tmp_path):
    values = noise("int16", low=-1024, high=3071)
    save_arrays(folder(tmp_path / "files", values, black=-1024, white=3071), tmp_path / "arrays")
    data = ArrayImages(str(tmp_path / "arrays"), holdout=0, batch_size=4)
    data.setup()
    assert data.window == Window(-1024, 3071)
    np.testing.assert_allclose(served(data), (values + 1024) / 2047.5 - 1, atol=2e-7)
    other = ArrayImages(str(tmp_path / "arrays"), black=0, white=100)
    assert other.window == Window(0, 100)


@pytest.mark.parametrize("bits", [12])
def test_bits_that_a_file_tells_need_no_window(tmp_path, bits):
    pytest.importorskip("imagecodecs")
    values = noise("uint16", high=2**bits - 1)
    (tmp_path / "files").mkdir()
    for number, image in enumerate(values):
        tifffile.imwrite(
            tmp_path / "files" / f"{number}.tif", image[0], bitspersample=bits,
            photometric="minisblack",
        )  # fmt: skip
    data = ImageFolder(str(tmp_path / "files"), holdout=0, batch_size=4)
    data.setup()
    np.testing.assert_allclose(served(data), values / 2047.5 - 1, atol=2e-7)
    save_arrays(data, tmp_path / "arrays")
    again = ArrayImages(str(tmp_path / "arrays"), holdout=0, batch_size=4)
    np.testing.assert_allclose(served(again), served(data), atol=0)


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (np.zeros(3), "must hold two numbers, black and white, got float64 of shape (3,): write"),
        (np.array(["a", "b"]), "must hold two numbers, black and white, got <U1 of shape (2,): "),
        (np.array([5, 5]), "must hold black below white, got 5 and 5: write them, or delete"),
        (np.array([0, np.nan]), "must hold black below white, got 0 and nan: write them, or "),
    ],
)
def test_other_windows_beside_arrays(tmp_path, window, said):
    np.save(tmp_path / "window.npy", window)
    found = refused(lambda: arrays(tmp_path, noise("uint16")))
    assert found.startswith(f"{tmp_path / 'window.npy'} {said}")


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
@pytest.mark.parametrize("make", [folder, arrays])
def test_deep_images_are_resized(tmp_path, make, dtype):
    values = np.repeat(noise(dtype, 3)[:, :, :1, :1], 4, axis=2).repeat(6, axis=3)  # plain ones
    data = make(tmp_path / "set", values, image_size=3)
    pixels = data.pixels("train")[0]
    assert (pixels.shape, pixels.dtype) == ((N, 3, 3, 3), getattr(torch, dtype))
    np.testing.assert_allclose(pixels.numpy(), values[..., :3, :3], atol=1e-6)


def test_memory_is_counted_in_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(base, "available_memory", lambda: 2 * N * 24)
    assert not arrays(tmp_path, noise("uint16")).from_files
    assert arrays(tmp_path, noise("float32")).from_files


def test_eight_bits_are_served_as_ever():
    x = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(EIGHT_BITS.scaled(x), x.float().div(127.5).sub(1))
    assert EIGHT_BITS.in_eight_bits(x) is x
    assert torch.equal(Window(0, 200).scaled(x), (x / 100 - 1).clamp(-1, 1))


def test_a_little_beyond_0_to_1_is_rounding():
    check_floats(torch.tensor([-1e-4, 1.0005]), "a", any_range=False)


# What is made of them ---------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_pictures_name_the_window_and_predictions_keep_the_depth(tmp_path, channels, caplog):
    data = folder(tmp_path / "files", noise("uint16", channels), black=100, white=4095)
    shape = (channels, 4, 6)
    gan = toys.gan(
        generator=toys.generator(sample_shape=shape),
        discriminator=toys.discriminator(sample_shape=shape),
    )
    callbacks = [SampleGrid(rows=2, columns=2), PredictionWriter()]
    run = toys.trainer(tmp_path, max_steps=1, callbacks=callbacks)
    with caplog.at_level("INFO"):
        run.fit(gan, datamodule=data)
    assert "SampleGrid draws the data's values 100 to 4095 from black to white" in caplog.text
    run.predict(gan, datamodule=data, return_predictions=False)
    (first, last) = sorted(tmp_path.glob("**/samples/grid-*.png"))
    for path in (first, last):
        assert Image.open(path).text == {"window": "100 to 4095"}
    arrays = sorted(tmp_path.glob("**/predictions/*.npy"))
    assert [np.load(path).shape for path in arrays] == [(4, *shape)] * 2
    pictures = sorted(tmp_path.glob("**/predictions/*.png"))
    assert len(pictures) == (0 if channels == 5 else N)
    assert all(Image.open(path).text == {"window": "100 to 4095"} for path in pictures)


def test_pictures_of_plain_images_name_no_window(tmp_path):
    data = folder(tmp_path / "files", noise("uint8"))
    gan = toys.gan(
        generator=toys.generator(sample_shape=(1, 4, 6)),
        discriminator=toys.discriminator(sample_shape=(1, 4, 6)),
    )
    run = toys.trainer(tmp_path, max_steps=1, callbacks=[SampleGrid(rows=2, columns=2)])
    run.fit(gan, datamodule=data)
    assert [Image.open(path).text for path in tmp_path.glob("**/samples/*.png")] == [{}, {}]


@pytest.mark.parametrize(("label", "found"), [(3, "0..3"), (-2, "-2..2")])
@pytest.mark.parametrize("split", ["train", "test"])
def test_wrong_labels_in_memory_are_told_before_any_batch(monkeypatch, split, label, found):
    whole = RandomImages.load

    def load(self, asked):
        images, labels = whole(self, asked)
        if asked == split:
            labels[-1] = label
        return images, labels

    monkeypatch.setattr(RandomImages, "load", load)
    with pytest.raises(InputError) as caught:
        RandomImages(n=100, num_classes=3).setup("fit")
    assert str(caught.value) == (
        f"labels of RandomImages must lie in 0..2 (native_classes=3), got {found}"
    )
