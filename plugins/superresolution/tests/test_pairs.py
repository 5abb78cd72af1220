"""Data modules that yield pairs: aligned, in order, of 8 and 16 bits, dealt out, resumed."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import data, waves
from lightning_gan_superresolution import Degraded, PairedFolders, downsample
from PIL import Image

from lightning_gan import InputError
from lightning_gan.data import Digits, ImageFolder


def batches(loader):
    return [tuple(x.clone() for x in pair) for pair in loader]


def test_any_images_and_smaller_ones(images):
    pairs, plain = data(images), ImageFolder(str(images), batch_size=4, holdout=0.25)
    pairs.setup("fit")
    plain.setup("fit")
    assert pairs.sample_shape == (3, 16, 16)
    assert pairs.num_classes is None
    for way in ("train_dataloader", "val_dataloader", "test_dataloader"):
        ours, theirs = getattr(pairs, way)(), getattr(plain, way)()
        assert len(ours) == len(theirs)
        for (large, small), expected in zip(ours, theirs, strict=True):
            assert torch.equal(large, expected)
            assert torch.equal(small, downsample(expected, 2))


def test_labels_are_left_out():
    pairs = Degraded(Digits(batch_size=8), scale=4, kernel="area")
    pairs.setup("fit")
    large, small = next(iter(pairs.train_dataloader()))
    assert large.shape == (8, 1, 8, 8)
    assert torch.allclose(small, large.reshape(8, 1, 2, 4, 2, 4).mean((3, 5)), atol=1e-6)


def test_sides_that_cannot_be_divided(images):
    with pytest.raises(InputError, match=r"multiples of scale=4, got \(3, 18, 18\): set"):
        _ = Degraded(ImageFolder(str(images), image_size=18), scale=4).sample_shape


def halved(images, to, ending="x2.png"):
    """Write images of half the size, each pixel the mean of four."""
    to.mkdir()
    for file in images.iterdir():
        values = np.array(Image.open(file)).astype(np.float64)
        shape = (values.shape[0] // 2, 2, values.shape[1] // 2, 2, *values.shape[2:])
        mean = values.reshape(shape).mean((1, 3)).round()
        Image.fromarray(mean.astype(np.uint8)).save(to / f"{file.stem}{ending}")
    return to


def folders(images, **changes):
    given = {"scale": 2, "crop": 8, "batch_size": 3, "holdout": 0.25}
    made = PairedFolders(str(images), **{**given, **changes})
    made.setup("fit")
    return made


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return waves(tmp_path_factory.mktemp("large") / "high", n=8, size=(20, 14))


@pytest.mark.parametrize("ending", ["x2.png", ".bmp"])
def test_crops_of_both_folders_are_of_one_place(large, tmp_path, ending):
    pairs = folders(large, low=str(halved(large, tmp_path / "low", ending)))
    seen = batches(pairs.train_dataloader())
    assert len(seen) == 2
    for high, low in seen + batches(pairs.val_dataloader()):
        assert high.shape[1:] == (3, 8, 8)
        assert low.shape[1:] == (3, 4, 4)
        # The small ones are rounded to 8 bits.
        assert (downsample(high, 2, "area") - low).abs().max() < 1.01 / 255


def test_small_images_are_made_where_there_are_none(large):
    high, low = next(iter(folders(large, kernel="area").train_dataloader()))
    assert torch.equal(low, downsample(high, 2, "area"))


def test_crops_change_from_epoch_to_epoch_and_are_repeated_by_the_seed(large):
    first, again = folders(large).train_dataloader(), folders(large).train_dataloader()
    one, two = batches(first), batches(first)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(one, batches(again), strict=True))
    sums = [sorted(float(x.sum()) for pair in epoch for x in pair[0]) for epoch in (one, two)]
    assert sums[0] != sums[1]
    middle = batches(folders(large).val_dataloader())
    assert all(
        torch.equal(a[0], b[0])
        for a, b in zip(middle, batches(folders(large).val_dataloader()), strict=True)
    )


def test_training_images_are_turned_and_mirrored_when_that_is_wanted(tmp_path):
    """A crop that has to be the whole image shows which of the eight ways it was turned."""
    folder = tmp_path / "one"
    folder.mkdir()
    values = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3
    for name in ("a.png", "b.png"):
        Image.fromarray(values).save(folder / name)
    whole = torch.from_numpy(values).float().div(127.5).sub(1)
    ways = [torch.rot90(w, k) for w in (whole, whole.flip(1)) for k in range(4)]
    given = {"channels": 1, "batch_size": 1, "holdout": 0.5}
    seen = set()
    loader = folders(folder, **given).train_dataloader()
    for _ in range(40):
        ((image, _),) = batches(loader)
        (found,) = [k for k, way in enumerate(ways) if torch.allclose(image[0, 0], way, atol=1e-6)]
        seen.add(found)
    assert seen == set(range(8))
    ((image, _),) = batches(folders(folder, flip=False, **given).train_dataloader())
    assert torch.allclose(image[0, 0], whole, atol=1e-6)


def test_all_of_16_bits_arrives(tmp_path):
    folder = tmp_path / "deep"
    folder.mkdir()
    values = (30000 + np.arange(64, dtype=np.uint16)).reshape(8, 8)
    for name in ("a.png", "b.png"):
        Image.fromarray(values).save(folder / name)
    pairs = folders(folder, channels=1, batch_size=1, holdout=0.5)
    ((image, _),) = batches(pairs.val_dataloader())
    expected = torch.from_numpy(values.astype(np.float64) / 32767.5 - 1)
    assert (image[0, 0] - expected).abs().max() < 1e-6
    assert len(image.unique()) == 64


def test_processes_share_the_images(large):
    shares = []
    for rank in (0, 1):
        pairs = folders(large, batch_size=1)
        pairs.trainer = SimpleNamespace(global_rank=rank, world_size=2, overfit_batches=0)
        shares.append(batches(pairs.train_dataloader()))
    alone = batches(folders(large, batch_size=2).train_dataloader())
    assert [len(share) for share in shares] == [3, 3]
    for (high, _), one, other in zip(alone, *shares, strict=True):
        assert torch.equal(high, torch.cat([one[0], other[0]]))


def test_a_loader_goes_on_where_the_saved_one_was(large):
    whole = folders(large, batch_size=1)
    loader = whole.train_dataloader()
    reading = iter(loader)
    for _ in range(2):
        next(reading)
    state, expected = whole.state_dict(), batches(reading)
    resumed = folders(large, batch_size=1)
    resumed.load_state_dict(state)
    found = batches(resumed.train_dataloader())
    assert all(torch.equal(a[0], b[0]) for a, b in zip(expected, found, strict=False))
    assert len(expected) == 4


def test_wrong_folders(large, tmp_path):
    low = halved(large, tmp_path / "low")
    with pytest.raises(InputError, match="each small image must be exactly 4 times smaller"):
        folders(large, low=str(halved(large, tmp_path / "other", "x4.png")), scale=4)
    next(low.iterdir()).unlink()
    with pytest.raises(InputError, match="1 have no partner, such as"):
        folders(large, low=str(low))
    with pytest.raises(InputError, match="high must be a folder of images, and there is none at"):
        folders(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="low must be a folder of images, and there are none in"):
        folders(large, low=str(tmp_path / "empty"))
    with pytest.raises(InputError, match="crop must be at most the side of each image, got 16"):
        folders(large, crop=16)
    with pytest.raises(InputError, match="crop must be a multiple of scale=4, got 6"):
        folders(large, scale=4, crop=6)
    with pytest.raises(InputError, match="6 training images are too few for a batch of 7"):
        folders(large, batch_size=7)
    with pytest.raises(InputError, match="holdout must lie between 0 and 1, got 0"):
        folders(large, holdout=0)
