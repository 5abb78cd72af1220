"""Broken images among good ones: refused by name, or left out on request."""

import logging

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_gan.data import ImageFolder, many_files
from lightning_gan.data.folder_page import folder_page
from lightning_gan.errors import InputError


@pytest.fixture
def pets(tmp_path):
    """Two classes of four, gray 0..3 and 4..7; three are broken, each in another way."""
    root = tmp_path / "pets"
    draw = np.random.default_rng(0)
    for number in range(8):
        path = root / ("cats" if number < 4 else "dogs") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 256, (20, 20, 3), np.uint8)
        pixels[0, 0] = number
        Image.fromarray(pixels).save(path)
    (root / "cats" / "0.png").write_text("no image")
    (root / "dogs" / "5.png").write_bytes((root / "dogs" / "5.png").read_bytes()[:400])
    (root / "dogs" / "7.png").write_bytes(b"")
    return root


def test_the_first_is_named_and_the_others_counted(pets):
    with pytest.raises(InputError) as caught:
        ImageFolder(str(pets))
    assert str(caught.value) == (
        f"cannot read the image cats/0.png in {pets} (it is no image, or an unknown kind of one), "
        "and 1 more: repair or remove it, or set skip_broken to true to leave out all broken "
        f"images, which lightning-gan data inspect {pets} lists"
    )


def skipping(root, **options):
    with pytest.warns(UserWarning, match="broken and left out") as caught:
        module = ImageFolder(str(root), skip_broken=True, holdout=0, **options)
    assert [str(warning.message) for warning in caught] == [
        f"{root}: broken and left out, 3 of 8 images: cats/0.png, dogs/5.png, dogs/7.png"
    ]
    return module


@pytest.mark.parametrize("in_memory", [True, False])
def test_broken_images_are_left_out(pets, in_memory, caplog):
    caplog.set_level(logging.INFO)
    module = skipping(pets, in_memory=in_memory)
    images, labels = module.images("train")
    assert images[:, 0, 0, 0].tolist() == [1, 2, 3, 4, 6]
    assert labels.tolist() == [0, 0, 0, 1, 1]
    assert "5 color images in 2 classes (cats 3, dogs 2), 20x20 pixels" in caplog.text


def test_nothing_is_said_where_nothing_is_broken(pets):
    for name in ("cats/0", "dogs/5", "dogs/7"):
        (pets / f"{name}.png").unlink()
    assert len(ImageFolder(str(pets), skip_broken=True, holdout=0).images("train")[0]) == 5


def test_a_class_that_would_be_gone(pets):
    for number in range(1, 4):
        (pets / "cats" / f"{number}.png").write_text("no image")
    with (
        pytest.raises(InputError) as caught,
        pytest.warns(UserWarning, match=r"broken and left out, 6 of 8 images: .*, \.\.\.$"),
    ):
        ImageFolder(str(pets), skip_broken=True)
    assert str(caught.value) == (
        f"all images of the class cats in {pets} are broken: repair them, or remove the class"
    )


def test_nothing_is_left(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    with (
        pytest.raises(InputError, match=rf"^all images in {tmp_path} are broken, a.png for one"),
        pytest.warns(UserWarning, match="broken and left out, 1 of 1 images"),
    ):
        ImageFolder(str(tmp_path), skip_broken=True)


def test_what_was_found_among_many_is_kept(pets, tmp_path, monkeypatch):
    monkeypatch.setattr(many_files, "MANY", 3)
    monkeypatch.setenv("LIGHTNING_GAN_CACHE", str(tmp_path / "cache"))
    for _ in range(2):
        images, _ = skipping(pets).images("train")
        assert images[:, 0, 0, 0].tolist() == [1, 2, 3, 4, 6]
    assert len(list((tmp_path / "cache").iterdir())) == 2
    Image.fromarray(np.full((20, 20, 3), 50, np.uint8)).save(pets / "dogs" / "5.png")
    with pytest.warns(UserWarning, match="broken and left out, 2 of 8 images"):
        module = ImageFolder(str(pets), skip_broken=True, holdout=0)
    assert module.images("train")[0][:, 0, 0, 0].tolist() == [1, 2, 3, 4, 50, 6]


def test_the_page_finds_all_of_them(pets):
    page = folder_page(pets)
    assert list(page.broken) == ["cats/0.png", "dogs/7.png", "dogs/5.png"]
    assert page.broken["dogs/5.png"] == "image file is truncated"
    assert torch.equal(
        torch.tensor([name in page.headers for name in page.layout.names]),
        torch.tensor([False, True, True, True, True, True, True, False]),
    )
