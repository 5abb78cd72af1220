"""Images that are not square: the middle, a random part that a resumed run sees again, or all."""

import resource

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from lightning_gan.data import ArrayImages, ImageFolder
from lightning_gan.errors import InputError

SIZES = [(40, 25), (24, 41), (30, 30), (9, 20), (33, 7), (16, 17)]


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    draw = np.random.default_rng(0)
    for number, (width, height) in enumerate(SIZES):
        pixels = draw.integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(root / f"{number}.png")
    return root


def test_the_middle_is_that_of_torchvision(photos):
    images, _ = ImageFolder(str(photos), image_size=16, holdout=0).load("train")
    theirs = v2.Compose([v2.Resize(16), v2.CenterCrop(16), v2.PILToTensor()])
    for number, image in enumerate(images):
        assert torch.equal(image, theirs(Image.open(photos / f"{number}.png")))


def test_all_of_it_is_squashed(photos):
    images, _ = ImageFolder(str(photos), image_size=16, holdout=0, crop=None).load("train")
    theirs = v2.Compose([v2.Resize((16, 16)), v2.PILToTensor()])
    for number, image in enumerate(images):
        assert torch.equal(image, theirs(Image.open(photos / f"{number}.png")))


def test_a_very_long_image_takes_little_memory(tmp_path):
    pixels = np.zeros((60_000, 1), np.uint8)
    pixels[30_000:] = 200
    Image.fromarray(pixels).save(tmp_path / "a.png")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    images, _ = ImageFolder(str(tmp_path), image_size=64).load("train")  # not of 64x3,840,000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**17  # KiB
    assert images.shape == (1, 1, 64, 64)
    assert images[0, 0, 0].max() < 10
    assert images[0, 0, -1].min() > 190


def stripes(folder):
    """Wide images whose columns are numbered, so that a crop tells where it begins."""
    folder.mkdir()
    columns = np.broadcast_to(np.arange(64, dtype=np.uint8), (8, 64))
    for number in range(10):
        Image.fromarray(columns).save(folder / f"{number}.png")
    return str(folder)


def at_random(root, **options):
    return ImageFolder(root, image_size=8, crop="random", batch_size=2, **options)


def places(batch):
    """Where each image of a batch begins."""
    left = (batch[:, 0, 0, 0] + 1).mul(127.5).round().long()
    expected = left.view(-1, 1) + torch.arange(8)
    assert torch.equal((batch[:, 0, 0] + 1).mul(127.5).round().long(), expected)
    return left.tolist()


def test_random_crops_change_with_the_epoch_and_are_the_same_again(tmp_path):
    root = stripes(tmp_path / "stripes")

    def two_epochs(**options):
        loader = at_random(root, **options).train_dataloader()
        return [[place for batch in loader for place in places(batch)] for _ in range(2)]

    first, second = two_epochs()
    assert len(first) == len(second) == 8
    assert len({*first, *second}) > 8  # of 57 places
    assert sorted(first) != sorted(second)
    assert two_epochs(num_workers=1) == [first, second]
    assert two_epochs(seed=1) != [first, second]


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_resumed_run_sees_the_same_crops(tmp_path, num_workers):
    root = stripes(tmp_path / "stripes")
    loader = at_random(root).train_dataloader()
    for _ in loader:
        pass
    batches = iter(loader)
    next(batches)
    state = loader.state_dict()
    rest = [places(batch) for batch in batches]
    again = at_random(root, num_workers=num_workers).train_dataloader()
    again.load_state_dict(state)
    ahead = iter(again)
    assert [places(next(ahead)) for _ in rest] == rest


def test_held_out_images_are_cropped_in_the_middle(tmp_path):
    root = stripes(tmp_path / "stripes")
    for holdout in (0.2, 0):
        module = at_random(root, holdout=holdout)
        assert module.from_files
        for _ in range(2):
            assert {left for batch in module.val_dataloader() for left in places(batch)} == {28}
    module = at_random(root)
    assert torch.equal(module.images("train")[0], module.images("train")[0])
    assert module.images("train")[0][:, 0, 0, 0].unique().numel() > 1


def test_arrays_are_cropped_too(tmp_path):
    columns = torch.arange(16, dtype=torch.uint8).expand(2, 1, 4, 16)
    np.save(tmp_path / "images.npy", columns.numpy())

    def row(**options):
        return ArrayImages(str(tmp_path), 0, image_size=4, **options).images("train")[0][0, 0, 0]

    assert row().tolist() == [6, 7, 8, 9]
    assert row(crop=None).tolist() == [2, 6, 10, 13]  # of 0..15


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"crop": "left"}, "crop must be 'center' or 'random' or null, got 'left'"),
        (
            {"crop": "random"},
            "crop 'random' cuts squares out of images: set image_size to their side",
        ),
        (
            {"crop": "random", "image_size": 8, "in_memory": True},
            "in_memory must be false or null with crop 'random', which cuts images anew in every "
            "epoch, got true",
        ),
    ],
)
def test_wrong_crops(photos, options, said):
    with pytest.raises(InputError) as caught:
        ImageFolder(str(photos), **options)
    assert str(caught.value) == said


def test_arrays_know_no_random_crop(tmp_path):
    with pytest.raises(InputError, match="^crop must be 'center' or null, got 'random'$"):
        ArrayImages(str(tmp_path), crop="random")
