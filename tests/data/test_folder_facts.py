"""What a folder holds is decided by all its files, and told: kinds, sizes, endings, labels."""

import json
import logging
import warnings
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_gan.data import ImageFolder, image_headers, many_files
from lightning_gan.data.folder_layout import image_endings
from lightning_gan.errors import InputError


def paint(path, color=(10, 20, 30), size=(6, 4), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).convert(mode).save(path, **options)
    return path


def told(caplog, root, **options):
    """The module, its line and its warnings, without the root that both begin with."""
    caplog.set_level(logging.INFO)
    caplog.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        module = ImageFolder(str(root), **{"holdout": 0, **options})
    lines = [record.getMessage() for record in caplog.records]
    said = [str(warning.message) for warning in caught]
    assert all(line.startswith(f"{root}: ") for line in lines + said)
    (line,) = lines
    return module, line.removeprefix(f"{root}: "), [s.removeprefix(f"{root}: ") for s in said]


def test_one_line_for_a_plain_folder(tmp_path, caplog):
    for number in range(3):
        paint(tmp_path / "dogs" / f"{number}.png")
    paint(tmp_path / "cats" / "0.jpg")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".DS_Store").write_text("x")
    _, line, said = told(caplog, tmp_path)
    assert line == (
        "4 color images in 2 classes (cats 1, dogs 3), 6x4 pixels, 3 .png, 1 .jpg; "
        "left out: 1 .txt, 1 hidden"
    )
    assert said == []


def test_many_classes_and_one_image(tmp_path, caplog):
    for number in range(8):
        paint(tmp_path / "many" / str(number) / "0.png", mode="L")
    _, line, _ = told(caplog, tmp_path / "many")
    assert line == "8 gray images in 8 classes (1 each), 6x4 pixels, 8 .png"
    paint(tmp_path / "many" / "5" / "1.png", mode="L")
    assert "8 classes (1 to 2 images each)" in told(caplog, tmp_path / "many")[1]
    paint(tmp_path / "one" / "0.png")
    assert told(caplog, tmp_path / "one")[1] == (
        "1 color image without classes, 6x4 pixels, 1 .png"
    )


@pytest.mark.parametrize("gray", ["a.png", "b.png", "c.png"])
def test_one_gray_image_turns_no_color_gray(tmp_path, caplog, gray):
    for name in ("a.png", "b.png", "c.png"):
        paint(tmp_path / name, (200, 0, 0), mode="L" if name == gray else "RGB")
    module, line, said = told(caplog, tmp_path)
    assert module.sample_shape == (3, 4, 6)
    red = [name for name in ("a.png", "b.png", "c.png") if name != gray]
    for name, image in zip(("a.png", "b.png", "c.png"), module.load("train")[0], strict=True):
        assert image[:, 0, 0].tolist() == ([200, 0, 0] if name in red else [60, 60, 60])
    assert line == (
        "3 images (1 gray, 2 color; served in color) without classes, 6x4 pixels, 3 .png"
    )
    assert said == [
        "gray images, 1 of 3, are served in color like the others "
        "(set channels to 1 for all in gray)"
    ]
    module, line, said = told(caplog, tmp_path, channels=1)
    assert module.sample_shape == (1, 4, 6)
    assert "served in gray" in line
    assert said == []


def test_channels_that_were_chosen_are_told(tmp_path, caplog):
    paint(tmp_path / "a.png", mode="L")
    module, line, said = told(caplog, tmp_path, channels=3)
    assert module.sample_shape == (3, 4, 6)
    assert line.startswith("1 image (1 gray; served in color) without classes")
    assert said == []


def test_transparent_pixels_are_told(tmp_path, caplog):
    paint(tmp_path / "a.png", mode="RGBA")
    paint(tmp_path / "b.png")
    assert told(caplog, tmp_path)[2] == ["transparent pixels of 1 image are put on white"]


@pytest.mark.parametrize(
    ("name", "kind", "tolerance"),
    [
        ("a.jfif", "JPEG", 3), ("a.JPE", "JPEG", 3), ("a.tga", "TGA", 0), ("a.TGA", "TGA", 0),
        ("a.jp2", "JPEG2000", 12), ("a.apng", "PNG", 0), ("a.pbm", "PPM", 0), ("a.dib", "DIB", 0),
        ("a.pcx", "PCX", 0), ("a.WebP", "WEBP", 12), ("a.sgi", "SGI", 0), ("a.qoi", "QOI", 0),
        ("a.avif", "AVIF", 16),
    ],
)  # fmt: skip
def test_whatever_pillow_reads_is_read(tmp_path, name, kind, tolerance):
    if kind == "AVIF" and ".avif" not in image_endings():
        pytest.skip("this Pillow has no AVIF")
    paint(tmp_path / name, (204, 102, 51), (8, 8), format=kind)
    image = ImageFolder(str(tmp_path)).load("train")[0][0].long()
    assert (image - torch.tensor([204, 102, 51]).view(3, 1, 1)).abs().max() <= tolerance


def test_endings_that_are_no_pictures_are_not_read():
    assert not {".eps", ".pdf", ".ico", ".mpg", ".h5", ".txt", ".svg", ""} & image_endings()


def test_other_endings_are_told_with_their_counts(tmp_path, caplog):
    paint(tmp_path / "a.png")
    for name in ("a.heic", "b.HEIC", "c.svg", "d", "e.txt"):
        (tmp_path / name).write_text("x")
    _, line, said = told(caplog, tmp_path)
    assert line.endswith("; left out: 2 .heic, 1 .svg, 1 .txt, 1 without an ending")
    assert said == ["left out are 2 .heic, 1 .svg, 1 without an ending, a.heic for one"]


def test_sizes_are_told(tmp_path, caplog):
    paint(tmp_path / "a.png", size=(16, 16))
    paint(tmp_path / "b.png", size=(30, 10))
    paint(tmp_path / "c.png", size=(4, 5))
    said = ", 2 not square and {}, 1 enlarged"
    for crop, how in (("center", "cropped at the center"), ("random", "cropped at random")):
        line = told(caplog, tmp_path, image_size=8, crop=crop)[1]
        assert f"4x5 to 30x10 pixels (3 sizes), resized to 8x8{said.format(how)}" in line
    line = told(caplog, tmp_path, image_size=8, crop=None)[1]
    assert said.format("squashed") in line
    (tmp_path / "b.png").unlink()
    (tmp_path / "c.png").unlink()
    assert "16x16 pixels, resized to 8x8, 1 .png" in told(caplog, tmp_path, image_size=8)[1]
    assert "16x16 pixels, 1 .png" in told(caplog, tmp_path, image_size=16)[1]


def test_headers_are_read_without_pixels(tmp_path):
    """An image whose pixels are gone has a header still; it is refused when it is decoded."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:500])
    module = ImageFolder(str(tmp_path))
    assert module.sample_shape == (3, 40, 40)
    with pytest.raises(InputError, match=r"cannot read the image a.png in .* \(image file is tru"):
        module.setup("validate")


def test_headers_of_many_images_are_kept(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(many_files, "MANY", 3)
    monkeypatch.setenv("LIGHTNING_GAN_CACHE", str(tmp_path / "cache"))
    read, root = [], tmp_path / "images"
    header = image_headers.header_of_file
    monkeypatch.setattr(
        image_headers, "header_of_file", lambda tree, name: read.append(name) or header(tree, name)
    )
    paint(root / "0.png", mode="L", size=(5, 7))
    paint(root / "1.png", mode="LA", size=(5, 7))
    paint(root / "2.png", size=(7, 5))

    def shape_and_names():
        read.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = ImageFolder(str(root), image_size=4)
        return module.native_shape, sorted(read)

    assert shape_and_names() == ((3, 7, 5), ["0.png", "1.png", "2.png"])
    assert shape_and_names() == ((3, 7, 5), [])
    caplog.set_level(logging.INFO)
    with pytest.warns(UserWarning, match="transparent pixels of 1 image"):
        ImageFolder(str(root), image_size=4, channels=3)
    assert "(2 gray, 1 color; served in color)" in caplog.text
    paint(root / "2.png", size=(7, 50))  # another file now
    assert shape_and_names() == ((3, 7, 5), ["0.png", "1.png", "2.png"])
    (root / "1.png").write_text("text")
    for _ in range(2):
        read.clear()
        with pytest.raises(InputError, match="cannot read the image 1.png"):
            ImageFolder(str(root), image_size=4)
    assert read == ["1.png"]


def style_gan(root, labels):
    """Images as StyleGAN's tool writes them: folders of a thousand, and one file of labels."""
    for number in range(4):
        paint(root / f"{number // 2:05}" / f"img{number:08}.png", (number,) * 3)
    (root / "dataset.json").write_text(json.dumps({"labels": labels}))
    return root


NAMES = [f"{number // 2:05}/img{number:08}.png" for number in range(4)]


@pytest.mark.parametrize("packed", [False, True])
def test_labels_of_dataset_json(tmp_path, caplog, packed):
    root = style_gan(tmp_path / "data", list(zip(NAMES, [1, 0, 1, 2], strict=True)))
    if packed:
        with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
            for path in sorted(root.rglob("*.*")):
                archive.write(path, path.relative_to(root))
        root = tmp_path / "data.zip"
    module, line, said = told(caplog, root)
    assert line == "4 color images in 3 classes (0 1, 1 2, 2 1), 6x4 pixels, 4 .png"
    assert said == []
    images, labels = module.load("train")
    assert images[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert labels.tolist() == [1, 0, 1, 2]


def test_dataset_json_without_labels(tmp_path, caplog):
    module, line, _ = told(caplog, style_gan(tmp_path, None))
    assert module.num_classes is None
    assert line == "4 color images without classes, 6x4 pixels, 4 .png"


def test_dataset_json_with_gaps(tmp_path):
    root = style_gan(tmp_path, list(zip(NAMES, [7, 255, 7, 3], strict=True)))
    said = f"the labels of dataset.json in {tmp_path} are 3, 7, 255: these 3 classes are numbered"
    with pytest.warns(UserWarning, match=f"^{said}"):
        module = ImageFolder(str(root), holdout=0)
    assert module.class_names == ["3", "7", "255"]
    assert module.load("train")[1].tolist() == [1, 2, 1, 0]


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        ([*zip(NAMES[:3], [0, 0, 0], strict=True)], f"None for {NAMES[3]}"),
        ([*zip(NAMES, [0, [1, 0], 0, 0], strict=True)], f"[1, 0] for {NAMES[1]}"),
        ([*zip(NAMES, [0, 0, -1, 0], strict=True)], f"-1 for {NAMES[2]}"),
    ],
)
def test_wrong_labels_in_dataset_json(tmp_path, labels, shown):
    with pytest.raises(InputError) as caught:
        ImageFolder(str(style_gan(tmp_path, labels)))
    assert str(caught.value) == (
        f"dataset.json in {tmp_path} must give each image the number of its class, got {shown}: "
        "mend or remove it"
    )


def test_a_dataset_json_that_is_none(tmp_path, caplog):
    root = style_gan(tmp_path, [1, 2])
    with pytest.raises(InputError, match="must have labels as pairs of a name and a number"):
        ImageFolder(str(root))
    (root / "dataset.json").write_text("{")
    with pytest.raises(InputError, match=r"dataset.json in .* is no JSON \(.*\): mend or remove"):
        ImageFolder(str(root))
    (root / "dataset.json").write_text('{"author": "me"}')
    module, line, _ = told(caplog, root)
    assert module.class_names == ["00000", "00001"]
    assert line.endswith("; left out: 1 .json")


def test_an_empty_class_with_files_of_another_kind(tmp_path):
    paint(tmp_path / "cats" / "0.png")
    (tmp_path / "dogs").mkdir()
    (tmp_path / "dogs" / "0.heic").write_text("x")
    with pytest.raises(InputError) as caught:
        ImageFolder(str(tmp_path))
    assert str(caught.value) == (
        f"the class folder dogs in {tmp_path} has no images but 1 .heic: remove or fill it"
    )
