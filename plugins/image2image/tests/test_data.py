"""Two domains in folders: layouts, depths, channels, the place in the batches, and refusals."""

import re

import numpy as np
import pytest
import tifffile
import torch
from image2image.__main__ import main
from image2image.data import EdgePairs, EdgesUnpaired, ImagePairs, UnpairedImages
from image2image.edges import edges_of
from image2image.loader import Augmentation
from PIL import Image

from lightning_gan import InputError


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="minisblack", planarconfig="contig")
    else:
        Image.fromarray(pixels).save(path)


def gray(value, shape=(4, 6)):
    return np.full(shape, value, np.uint8)


@pytest.fixture
def pairs(tmp_path):
    """Six pairs: n is 10 n + 1 in A and 10 n + 2 in B."""
    for n in range(6):
        write(tmp_path / "A" / f"{n}.png", gray(10 * n + 1))
        write(tmp_path / "B" / f"{n}.bmp", gray(10 * n + 2))
    return tmp_path


def values(images):
    """The gray values of images that are of one value each."""
    return ((images[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def drawn(data, n):
    batches = iter(data.train_dataloader())
    return [next(batches) for _ in range(n)]


@pytest.mark.parametrize(("direction", "step"), [("AtoB", -1), ("BtoA", 1)])
def test_pairs_stay_together(pairs, direction, step):
    data = ImagePairs(str(pairs), direction, batch_size=2, holdout=0.3)
    data.setup("fit")
    assert data.sample_shape == (1, 4, 6)
    assert data.condition_channels == 1
    seen = []
    for target, given in data.train_dataloader():
        assert values(given) == [value + step for value in values(target)]
        seen += values(target)
    held = [value for target, _ in data.val_dataloader() for value in values(target)]
    assert len(seen) == len(set(seen)) == 4
    assert len(held) == 2
    assert not set(seen) & set(held)


def test_pairs_side_by_side(tmp_path):
    for split, count in (("train", 4), ("val", 2)):
        for n in range(count):
            both = np.concatenate([gray(10 * n + 1, (4, 4)), gray(10 * n + 2, (4, 4))], axis=1)
            write(tmp_path / split / f"{n}.png", both)
    data = ImagePairs(str(tmp_path), batch_size=2)
    data.setup("fit")
    assert data.sample_shape == (1, 4, 4)
    found = [(values(x), values(y)) for x, y in data.val_dataloader()]
    assert found == [([2, 12], [1, 11])]
    assert len(list(data.train_dataloader())) == 2
    small = ImagePairs(str(tmp_path), batch_size=2, image_size=2)
    small.setup("fit")
    ((target, given), *_) = small.val_dataloader()
    assert target.shape == (2, 1, 2, 2)
    assert (values(target), values(given)) == ([2, 12], [1, 11])


def test_depth_and_channels_are_those_of_the_files(tmp_path):
    """16 bits become -1 to 1 in steps of 2 / 65535; five channels stay five."""
    deep = np.array([[0, 1], [32768, 65535]], np.uint16)
    for n in range(3):
        write(tmp_path / "A" / f"{n}.tif", deep)
        write(tmp_path / "B" / f"{n}.tif", np.full((2, 2, 5), 50 * n, np.uint8))
    data = ImagePairs(str(tmp_path), "BtoA", batch_size=1, holdout=0.4)
    data.setup("fit")
    assert data.sample_shape == (1, 2, 2)
    assert data.condition_channels == 5
    target, given = next(iter(data.train_dataloader()))
    expected = torch.from_numpy(deep.astype(np.float64)) / 65535 * 2 - 1
    torch.testing.assert_close(target[0, 0].double(), expected, rtol=0, atol=1e-7)
    assert given.shape == (1, 5, 2, 2)
    half = ImagePairs(str(tmp_path), "BtoA", batch_size=1, holdout=0.4, a={"white": 32768})
    half.setup("fit")
    target, _ = next(iter(half.train_dataloader()))
    assert target[0, 0].flatten().tolist() == pytest.approx([-1, -1 + 2 / 32768, 1, 1])


@pytest.fixture
def unpaired(tmp_path):
    """Seven images of A, 1 to 7, and three of B, 101 to 103."""
    for domain, first, count in (("A", 1, 7), ("B", 101, 3)):
        for n in range(count):
            write(tmp_path / f"train{domain}" / f"{n}.png", gray(first + n, (4, 4)))
            write(tmp_path / f"test{domain}" / f"{n}.png", gray(first + n + 50, (4, 4)))
    return tmp_path


def test_an_epoch_is_that_of_the_larger_domain(unpaired):
    data = UnpairedImages(str(unpaired), batch_size=1)
    data.setup("fit")
    assert data.sample_shape == (1, 4, 8)
    batches = list(data.train_dataloader())
    a, b = ([values(y[name])[0] for _, y in batches] for name in "ab")
    assert sorted(a) == list(range(1, 8))
    assert [sorted(b[i : i + 3]) for i in (0, 3)] == [[101, 102, 103]] * 2
    for x, y in batches:
        assert x.equal(torch.cat([y["a"], y["b"]], -1))
    held = [values(y["a"])[0] for _, y in data.val_dataloader()]
    assert held == list(range(51, 58))
    data = UnpairedImages(str(unpaired), batch_size=1, val_batch_size=3)
    data.setup("fit")
    assert [len(x) for x, _ in data.val_dataloader()] == [3, 3, 1]
    assert len(next(iter(data.train_dataloader()))[0]) == 1


@pytest.mark.parametrize("stop", [1, 5, 7, 9])
def test_training_goes_on_in_the_midst_of_an_epoch(unpaired, stop):
    """Also where one domain is in another epoch, with what is drawn."""

    def module():
        data = UnpairedImages(str(unpaired), batch_size=1, jitter=2, mirror=True)
        data.setup("fit")
        return data

    whole, first, second = module(), module(), module()
    loader = whole.train_dataloader()
    expected = [x for _ in range(3) for x, _ in loader]
    loader = first.train_dataloader()
    seen = 0
    while seen < stop:
        for x, _ in loader:
            assert x.equal(expected[seen])
            seen += 1
            if seen == stop:
                break
    second.load_state_dict(first.state_dict())
    loader = second.train_dataloader()
    for x, _ in loader:
        assert x.equal(expected[seen])
        seen += 1
    assert seen == stop + 7  # as many as an epoch has, of which a Trainer takes the rest


def test_pairs_are_cut_and_mirrored_alike():
    images = torch.rand(8, 1, 6, 6)
    alike = Augmentation(3, True, together=True, seed=0)
    a, b = alike((images, images + 1), (0, 4))
    torch.testing.assert_close(a + 1, b)
    again, _ = alike((images, images), (0, 4))
    assert a.equal(again)
    assert not a.equal(alike((images, images), (0, 5))[0])
    a, b = Augmentation(3, True, together=False, seed=0)((images, images), (0, 4))
    assert not a.equal(b)
    a, _ = Augmentation(0, True, together=True, seed=0)((images, images), (0, 0))
    mirrored = [not x.equal(y) for x, y in zip(a, images, strict=True)]
    assert 0 < sum(mirrored) < 8
    assert a[mirrored].equal(images[mirrored].flip(-1))


def test_edges_are_where_images_change():
    image = torch.zeros(1, 1, 5, 6, dtype=torch.uint8)
    image[..., 3:] = 255
    found = edges_of(image)
    assert found[0, 0].tolist() == [[0, 0, 255, 255, 0, 0]] * 5
    assert edges_of(torch.full((2, 3, 4, 4), 99, dtype=torch.uint8)).sum() == 0


def test_digits_without_pairs_share_none():
    data = EdgesUnpaired("digits", batch_size=50, image_size=8)
    paired = EdgePairs("digits", batch_size=50, image_size=8)
    for module in (data, paired):
        module.setup("fit")
    assert data.sample_shape == (1, 8, 16)
    digits = {image.numpy().tobytes() for y, _ in paired.train_dataloader() for image in y}
    edges = {x.numpy().tobytes(): y for y, x in paired.train_dataloader() for x, y in zip(x, y)}  # noqa: B905
    for _, y in data.train_dataloader():
        of_b = {image.numpy().tobytes() for image in y["b"]}
        assert of_b <= digits
        for image in y["a"]:
            partner = edges[image.numpy().tobytes()]
            assert partner.numpy().tobytes() not in of_b
    _, y = next(iter(data.val_dataloader()))
    target, given = next(iter(paired.val_dataloader()))
    assert y["a"].equal(given)  # held-out images are pairs
    assert y["b"].equal(target)


def test_digits_as_files(tmp_path, capsys):
    words = ["edges", str(tmp_path / "out"), "--source=digits", "--image_size=8"]
    assert main([*words, "--train=5", "--test=3"]) == 0
    data = UnpairedImages(str(tmp_path / "out"), batch_size=1)
    assert data.sample_shape == (1, 8, 16)
    data = ImagePairs(str(tmp_path / "out"), batch_size=3)
    data.setup("fit")
    target, given = next(iter(data.val_dataloader()))
    image = ((target + 1) * 127.5).round().to(torch.uint8)
    assert given.equal(edges_of(image).float() / 127.5 - 1)
    assert main(words) == 2
    assert "exists and is not empty" in capsys.readouterr().err


def wrong(folder, files):
    for name, shape in files.items():
        write(folder / name, gray(1, shape))
    return str(folder)


TWO = {"A/1.png": (4, 4), "A/2.png": (4, 4), "B/1.png": (4, 4), "B/2.png": (4, 4)}


@pytest.mark.parametrize(
    ("files", "make", "said"),
    [
        ({"A/1.png": (4, 4)}, ImagePairs, "has a folder A and none B: add it"),
        ({**TWO, "B/3.png": (4, 4)}, ImagePairs, "1 images have no partner of the same name: 3 is "
         "in B and not in A"),
        ({**TWO, "B/2.bmp": (4, 4)}, ImagePairs, "two images of one domain are called 2"),
        ({"A/1.png": (4, 4), "B/1.png": (4, 6)}, ImagePairs, "images of A have 4x4 pixels and "
         "those of B 6x4: set image_size"),
        ({"1.png": (4, 5)}, ImagePairs, "has an even width, got 5 pixels"),
        ({"1.png": (4, 4)}, UnpairedImages, "must hold folders A and B, or trainA and trainB"),
        (TWO, lambda root: ImagePairs(root, "BtoC"), "direction must be AtoB or BtoA, got 'BtoC'"),
        (TWO, lambda root: ImagePairs(root, jitter=-1), "jitter must be at least 0, got -1"),
        (TWO, lambda root: ImagePairs(root + "/C"), "C is no folder"),
        (TWO, lambda root: ImagePairs(root, a={"seed": 1}), "a.seed cannot differ"),
        (TWO, lambda root: UnpairedImages(root, a={"channels": 3}), "the same channels, got 3 in A "
         "and 1 in B"),
        ({}, lambda root: EdgePairs("cats"), "source must be mnist or digits, got 'cats'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(tmp_path, files, make, said):
    root = wrong(tmp_path, files)
    with pytest.raises(InputError, match=re.escape(said)):
        make(root)
