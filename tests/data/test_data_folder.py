"""Images from folders and zips: layouts, odd image modes, and every refusal by its text."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_gan.data import ImageFolder
from lightning_gan.errors import InputError

SHARED = Path(
    os.environ.get("LIGHTNING_GAN_DATA", Path(__file__).parents[2].parent / "shared" / "data")
)


def paint(path, color=(10, 20, 30), size=(6, 4), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).convert(mode).save(path, **options)
    return path


def zipped(folder, path, under=""):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, under + str(file.relative_to(folder)))
    return path


@pytest.fixture
def pets(tmp_path):
    """Two classes, cats gray 0..4 and dogs gray 100..104, with files that are no images."""
    root = tmp_path / "pets"
    for number in range(5):
        paint(root / "dogs" / f"{number}.png", (100 + number,) * 3)
        paint(root / "cats" / f"{number}.png", (number,) * 3)
    (root / "README.txt").write_text("about pets")
    (root / "cats" / ".hidden.png").write_text("not an image")
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX" / "0.png").write_text("not an image")
    return root


def everything(module):
    """Return {gray value: label} over both splits."""
    images, labels = (torch.cat(part) for part in zip(*map(module.load, ("train", "test"))))  # noqa: B905
    return dict(zip(images[:, 0, 0, 0].tolist(), labels.tolist(), strict=True))


PETS = {**dict.fromkeys(range(5), 0), **dict.fromkeys(range(100, 105), 1)}


def test_class_folders(pets):
    module = ImageFolder(str(pets), holdout=0.2)
    assert module.sample_shape == (3, 4, 6)
    assert module.num_classes == 2
    assert module.class_names == ["cats", "dogs"]
    assert [len(module.load(split)[0]) for split in ("train", "test")] == [8, 2]
    assert everything(module) == PETS
    assert module.load("train")[1].dtype == torch.int64
    assert module.file_names == [f"{kind}/{n}.png" for kind in ("cats", "dogs") for n in range(5)]
    assert ImageFolder(str(pets), labels=False).num_classes is None
    assert ImageFolder(str(pets), image_size=8).sample_shape == (3, 8, 8)


@pytest.mark.parametrize("under", ["", "pets/", "a/b/"])
def test_zip_of_class_folders(pets, tmp_path, under):
    module = ImageFolder(str(zipped(pets, tmp_path / "pets.zip", under)))
    assert module.class_names == ["cats", "dogs"]
    assert everything(module) == PETS


@pytest.mark.parametrize("around", ["a", "a/b", "a/b/c"])
def test_extra_folders_around_class_folders(pets, tmp_path, around):
    shutil.copytree(pets, tmp_path / "root" / around)
    assert ImageFolder(str(tmp_path / "root")).class_names == ["cats", "dogs"]
    path = zipped(tmp_path / "root", tmp_path / "root.zip")  # with an entry for each folder
    assert everything(ImageFolder(str(path))) == PETS


@pytest.mark.parametrize("folder", ["", "only"])
def test_images_without_class_folders_are_unlabeled(tmp_path, folder):
    for number in range(4):
        paint(tmp_path / folder / f"{number}.JPG", format="JPEG")
    module = ImageFolder(str(tmp_path), batch_size=2)
    assert module.num_classes is None
    assert module.class_names is None
    module.setup()
    assert next(iter(module.train_dataloader())).shape == (2, 3, 4, 6)


def test_symbolic_links_are_followed(pets, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "x").symlink_to(pets / "cats", target_is_directory=True)
    (linked / "y").symlink_to(pets / "dogs", target_is_directory=True)
    assert everything(ImageFolder(str(linked))) == PETS


def test_home_folder(pets, monkeypatch):
    monkeypatch.setenv("HOME", str(pets.parent))
    assert ImageFolder("~/pets").num_classes == 2


def test_holdout_is_the_same_every_time_and_may_be_nothing(pets):
    def held_out(**options):
        return ImageFolder(str(pets), holdout=0.3, **options).load("test")[0].tolist()

    assert held_out() == held_out(seed=5)
    assert len(held_out()) == 3
    assert len(ImageFolder(str(pets), holdout=0.01).load("test")[0]) == 1
    module = ImageFolder(str(pets), holdout=0, batch_size=10)
    module.setup()
    assert len(module.load("train")[0]) == 10
    assert [len(x) for x, _ in module.test_dataloader()] == [10]


def test_one_image_serves_for_everything(tmp_path):
    paint(tmp_path / "a.png")
    module = ImageFolder(str(tmp_path), batch_size=1)
    module.setup()
    assert len(module.train_dataloader()) == len(module.val_dataloader()) == 1


PUT_ON_WHITE = pytest.mark.filterwarnings(
    "ignore:.*transparent pixels of 1 image are put on white$"
)


def decoded(path, channels=3, **options):
    module = ImageFolder(str(path.parent), channels=channels, holdout=0, **options)
    return module.load("train")[0][0]


@pytest.mark.parametrize(
    ("name", "mode", "tolerance"),
    [
        ("a.png", "RGB", 0), ("a.png", "P", 0), ("a.png", "RGBA", 0), ("a.bmp", "RGB", 0),
        ("a.tif", "CMYK", 1), ("a.jpg", "RGB", 3), ("a.jpg", "CMYK", 3), ("a.webp", "RGB", 12),
        ("a.gif", "P", 0), ("a.ppm", "RGB", 0),
    ],
)  # fmt: skip
@PUT_ON_WHITE
def test_color_modes(tmp_path, name, mode, tolerance):
    image = decoded(paint(tmp_path / name, (204, 102, 51), mode=mode)).long()
    assert image.shape == (3, 4, 6)
    assert (image - torch.tensor([204, 102, 51]).view(3, 1, 1)).abs().max() <= tolerance


@PUT_ON_WHITE
@pytest.mark.parametrize("mode", ["L", "LA", "1", "I", "I;16"])
def test_gray_modes_have_one_channel(tmp_path, mode):
    values = {"1": 255, "I": 0x7F42, "I;16": 0x7F42}
    if mode in ("I", "I;16"):
        pixels = np.full((4, 6), values[mode], np.int32 if mode == "I" else np.uint16)
        Image.fromarray(pixels).save(tmp_path / "a.tif")
    else:
        paint(tmp_path / "a.png", (values.get(mode, 127),) * 3, mode=mode)
    module = ImageFolder(str(tmp_path))
    assert module.sample_shape == (1, 4, 6)
    deep = mode in ("I", "I;16")
    expected = values.get(mode, 127)
    assert set(module.load("train")[0].flatten().tolist()) == {expected}
    assert module.pixel_type.name == {"I": "int32", "I;16": "uint16"}.get(mode, "uint8")
    if deep:
        assert set(module.images("train")[0].flatten().tolist()) == {127 + (mode == "I")}


def test_color_can_be_made_gray_and_gray_color(tmp_path):
    assert decoded(paint(tmp_path / "a" / "a.png", (90, 90, 90)), 1).shape == (1, 4, 6)
    gray = decoded(paint(tmp_path / "b" / "b.png", (90, 90, 90), mode="L"), 3)
    assert gray.shape == (3, 4, 6)
    assert gray.unique().tolist() == [90]


@PUT_ON_WHITE
def test_transparent_pixels_are_white(tmp_path):
    image = Image.new("RGBA", (2, 1), (200, 100, 50, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.save(tmp_path / "a.png")
    assert decoded(tmp_path / "a.png").permute(1, 2, 0).tolist() == [[[200, 100, 50], [255] * 3]]


def test_images_are_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    paint(tmp_path / "a.jpg", size=(6, 4), exif=exif)
    module = ImageFolder(str(tmp_path))
    assert module.sample_shape == (3, 6, 4)
    assert module.load("train")[0].shape == (1, 3, 6, 4)


def test_mixed_sizes_are_resized(tmp_path):
    paint(tmp_path / "a.png", (80, 80, 80), size=(16, 8))
    paint(tmp_path / "b.png", (80, 80, 80), size=(5, 9))
    module = ImageFolder(str(tmp_path), image_size=8, holdout=0)
    images, _ = module.load("train")
    assert images.shape == (2, 3, 8, 8)
    assert images.unique().tolist() == [80]


def test_mixed_sizes_need_a_size(tmp_path):
    paint(tmp_path / "a.png", size=(6, 4))
    paint(tmp_path / "b.png", size=(5, 9))
    with pytest.raises(InputError) as caught:
        ImageFolder(str(tmp_path))
    assert str(caught.value) == (
        f"a.png has 6x4 pixels and b.png 5x9 in {tmp_path}, which has images of 2 sizes: "
        "set image_size to resize all images"
    )


def refused(root, **options):
    with pytest.raises(InputError) as caught:
        ImageFolder(str(root), **options).setup("validate")
    return str(caught.value)


def test_absent_root(pets):
    root = pets.parent / "pet"
    assert refused(root) == f"root {root} does not exist, did you mean 'pets'?"
    assert refused("/no/such/folder") == "root /no/such/folder does not exist"


def test_roots_without_images(tmp_path):
    said = f"root {tmp_path} is empty: set it to a folder of images or a zip of one"
    assert refused(tmp_path) == said
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "a.HEIC").write_text("x")
    (tmp_path / "b.heic").write_text("x")
    assert refused(tmp_path) == (
        f"root {tmp_path} has no images in it, but 2 .heic, 1 .txt: set it to a folder of images "
        "that Pillow can read (.png, .jpg, .webp, .tif and others)"
    )
    (tmp_path / "all.zip").write_text("x")
    assert refused(tmp_path) == (
        f"root {tmp_path} has no images in it, but 2 .heic, 1 .txt, 1 .zip: "
        f"set root to {tmp_path / 'all.zip'}"
    )
    (tmp_path / "images.npy").write_text("x")
    assert refused(tmp_path) == (
        f"root {tmp_path} has images.npy, not image files, in it: use ArrayImages for arrays"
    )


def test_file_that_is_no_zip(tmp_path, pets):
    path = tmp_path / "images.zip"
    path.write_text("not a zip")
    said = f"root {path} is a file but not a (complete) zip file: "
    assert refused(path).startswith(said)
    path.write_bytes(zipped(pets, tmp_path / "whole.zip").read_bytes()[:500])
    assert refused(path).startswith(said)


def test_broken_images(pets):
    (pets / "cats" / "0.png").write_bytes((pets / "cats" / "1.png").read_bytes()[:45])
    said = refused(pets, holdout=0)
    remedy = (
        "repair or remove it, or set skip_broken to true to leave out all broken images, which "
        f"lightning-gan data inspect {pets} lists"
    )
    assert said == (
        f"cannot read the image cats/0.png in {pets} (image file is truncated): {remedy}"
    )
    (pets / "cats" / "0.png").write_text("text")
    said = f"cannot read the image cats/0.png in {pets} (it is no image, or an unknown kind of one)"
    assert refused(pets) == f"{said}: {remedy}"
    (pets / "cats" / "2.png").write_text("text")
    (pets / "dogs" / "2.png").write_text("text")
    assert refused(pets) == f"{said}, and 2 more: {remedy}"
    (pets / "cats" / "0.png").write_bytes(b"")
    assert refused(pets).startswith(
        f"cannot read the image cats/0.png in {pets} (the file is empty)"
    )


def test_broken_zip_member(pets, tmp_path):
    path = zipped(pets, tmp_path / "pets.zip")
    content = bytearray(path.read_bytes())
    at = content.index(b"IDAT", content.index(b"dogs/3.png"))
    content[at + 4] ^= 0xFF
    path.write_bytes(content)
    assert refused(path, holdout=0).startswith("cannot read the image dogs/3.png in")


def test_class_folder_without_images(pets, tmp_path):
    (pets / "birds").mkdir()
    said = "the class folder birds in {} has no images: remove or fill it"
    assert refused(pets) == said.format(pets)
    path = zipped(pets, tmp_path / "pets.zip")
    assert refused(path) == said.format(path)


def test_images_beside_class_folders(pets):
    paint(pets / "stray.png")
    assert refused(pets) == (
        f"root {pets} has images both in class folders (cats) and beside them (stray.png): "
        "move or remove one kind"
    )


def test_images_below_class_folders(pets, tmp_path):
    shutil.copytree(pets, tmp_path / "all" / "wild")
    shutil.copytree(pets, tmp_path / "all" / "tame")
    said = (
        "root {} has images below its class folders (tame/cats/0.png): the folders in root must be "
        "the classes; for those in tame, "
    )
    root = tmp_path / "all"
    assert refused(root) == said.format(root) + f"set root to {root / 'tame'}"
    path = zipped(root, tmp_path / "all.zip")
    assert refused(path) == said.format(path) + "unpack it, and set root to its folder tame"


@pytest.mark.parametrize("below", ["cats/", ""])
@pytest.mark.parametrize("around", ["", "data/"])
def test_a_split_in_folders(tmp_path, around, below):
    for split in ("train", "test"):
        paint(tmp_path / f"{around}{split}/{below}a.png")
        paint(tmp_path / f"{around}{split}/{below.replace('cats', 'dogs')}a.png")
    assert refused(tmp_path) == (
        f"root {tmp_path} has the folders of a split (test, train), not of classes: "
        f"set root to {tmp_path / around / 'train'}"
    )


def test_wrong_arguments(pets):
    assert refused(pets, channels=0) == "channels must be at least 1 or null, got 0"
    assert refused(pets, holdout=1.0) == "holdout must be at least 0 and below 1, got 1.0"


def test_real_jpegs_in_a_zip(tmp_path):
    source = SHARED / "cifar10-jpg" / "test.zip"
    if not source.is_file():
        pytest.skip(f"{source} is absent; set LIGHTNING_GAN_DATA to the folder of cifar10-jpg")
    path = tmp_path / "part.zip"
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(path, "w") as part:
        for name in whole.namelist()[::100]:
            part.writestr(name, whole.read(name))
    module = ImageFolder(str(path), batch_size=16)
    assert module.sample_shape == (3, 32, 32)
    assert module.num_classes == 10
    assert module.class_names[:2] == ["airplane", "automobile"]
    module.setup()
    x, y = next(iter(module.train_dataloader()))
    assert x.shape == (16, 3, 32, 32)
    assert 0.2 < x.std() < 1
    assert y.max() <= 9
