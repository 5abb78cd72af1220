"""Image files as a source: the bytes that are held in memory otherwise, from several processes."""

import multiprocessing
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lightning_gan.data import ImageFolder, base
from lightning_gan.data.file_tree import file_tree
from lightning_gan.data.image_files import ImageFiles
from lightning_gan.errors import InputError

PARTS = ["train", "test"]


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """60 images of noise in three classes, as a folder and as a zip beside it."""
    root = tmp_path_factory.mktemp("noise") / "noise"
    draw = np.random.default_rng(0)
    for number in range(60):
        path = root / "abc"[number % 3] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (6, 5, 3), np.uint8)).save(path)
    with zipfile.ZipFile(f"{root}.zip", "w") as archive:
        for path in sorted(root.rglob("*.png")):
            archive.write(path, path.relative_to(root))
    return root


@pytest.fixture(params=["folder", "zip"])
def root(request, noise):
    return str(noise) + (".zip" if request.param == "zip" else "")


def folder(root, **options):
    return ImageFolder(str(root), **{"batch_size": 8, **options})


def little_memory(monkeypatch, size=1000):
    monkeypatch.setattr(base, "available_memory", lambda: size)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("options", [{}, {"image_size": 7, "channels": 1, "holdout": 0}])
def test_batches_are_the_same_from_files_and_from_memory(root, num_workers, options):
    held = folder(root, in_memory=True, **options)
    read = folder(root, in_memory=False, num_workers=num_workers, **options)
    assert (held.sample_shape, held.num_classes) == (read.sample_shape, read.num_classes)
    assert (held.from_files, read.from_files) == (False, True)
    for module in (held, read):
        module.setup()
    for name in ("train", "val", "test", "predict"):
        ours, theirs = (getattr(module, f"{name}_dataloader")() for module in (read, held))
        batches = list(zip(ours, theirs, strict=True))
        assert len(batches) == len(ours) == len(theirs)
        for (x, y), (expected, labels) in batches:
            assert torch.equal(x, expected)
            assert x.stride() == expected.stride()
            assert torch.equal(y, labels)
    assert [held.count(part) for part in PARTS] == [read.count(part) for part in PARTS]


def test_labels_can_be_left_out(root):
    module = folder(root, in_memory=False, labels=False)
    assert isinstance(next(iter(module.train_dataloader())), torch.Tensor)


def test_images_that_fit_are_held_in_memory(root):
    assert not folder(root).from_files


def test_images_that_do_not_fit_are_read_from_files_with_one_warning(root, monkeypatch):
    little_memory(monkeypatch, 5399)
    module = folder(root, num_workers=1)
    with pytest.warns(UserWarning, match="read from their files") as caught:
        module.setup()
    module.train_dataloader()  # without a further one
    module.val_dataloader()
    assert [str(warning.message) for warning in caught] == [
        "60 images of 3x6x5 need 5.4e-06 GB of memory and 5.4e-06 GB are available: they are read "
        "from their files in every epoch, which more num_workers (now 1) make faster"
    ]
    assert module.from_files
    little_memory(monkeypatch, 5400)
    assert not folder(root).from_files


def test_images_that_have_to_be_held_in_memory_do_not_fit(root, monkeypatch):
    little_memory(monkeypatch)
    with pytest.raises(InputError) as caught:
        folder(root, in_memory=True).setup()
    assert str(caught.value) == (
        "54 images of 3x6x5 need 4.86e-06 GB of memory and 1e-06 GB are available: "
        "set image_size to a smaller size"
    )


@pytest.mark.parametrize("part", PARTS)
def test_images_are_returned_from_files_too(root, part):
    held, read = folder(root, in_memory=True), folder(root, in_memory=False)
    some = torch.tensor([4, 0, 2])
    for indices in (None, some):
        ours, theirs = read.images(part, indices=indices), held.images(part, indices=indices)
        assert torch.equal(ours[0], theirs[0])
        assert torch.equal(ours[1], theirs[1])
        assert ours[0].dtype == torch.uint8
    assert torch.equal(held.images(part)[0][some], held.images(part, indices=some)[0])
    assert read.images(part, labels=False, indices=some)[1] is None


def test_images_returned_at_once_have_to_fit(root, monkeypatch):
    module = folder(root, in_memory=False)
    little_memory(monkeypatch)
    with pytest.raises(InputError) as caught:
        module.images("train")
    assert str(caught.value) == (
        "54 images of 3x6x5 need 4.86e-06 GB of memory and 1e-06 GB are available: "
        "set image_size to a smaller size"
    )
    assert len(module.images("train", indices=torch.arange(11))[0]) == 11


def test_too_few_images_for_a_batch(root):
    with pytest.raises(InputError, match="54 training images are too few for a batch of 64"):
        folder(root, in_memory=False, batch_size=64).setup("fit")


def test_wrong_number_of_workers(root):
    with pytest.raises(InputError, match=r"num_workers must be at least 0, got -1$"):
        folder(root, num_workers=-1)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_image_damaged_since_the_start_is_named(noise, tmp_path, num_workers):
    root = tmp_path / "copy"
    for path in noise.rglob("*.png"):
        (root / path.parent.name).mkdir(parents=True, exist_ok=True)
        (root / path.parent.name / path.name).write_bytes(path.read_bytes())
    module = folder(root, in_memory=False, num_workers=num_workers, holdout=0)
    module.setup()
    loader = module.train_dataloader()
    (root / "b" / "31.png").write_bytes(b"text")
    with pytest.raises(InputError) as caught:
        list(loader)
    assert str(caught.value).startswith(
        f"cannot read the image b/31.png in {root} (not an image of a known format): "
    )
    (root / "b" / "31.png").unlink()
    with pytest.raises(InputError, match="cannot read the image b/31.png .*No such file"):
        list(module.train_dataloader())


def test_an_image_of_another_size_since_the_start_is_named(tmp_path):
    Image.new("RGB", (5, 6)).save(tmp_path / "a.png")
    Image.new("RGB", (5, 6)).save(tmp_path / "b.png")
    loader = folder(tmp_path, in_memory=False, batch_size=2, holdout=0, num_workers=1)
    Image.new("RGB", (7, 3)).save(tmp_path / "b.png")
    with pytest.raises(InputError) as caught:
        list(loader.val_dataloader())
    assert str(caught.value) == (
        f"a.png has 5x6 pixels and b.png 7x3 in {tmp_path}: set image_size to resize all images"
    )


def names(noise):
    return sorted(path.relative_to(noise).as_posix() for path in noise.rglob("*.png"))


def read_all(files, answers):
    answers.put([files[index].flatten().tolist() for index in range(len(files))])


def test_forked_processes_read_a_zip_at_the_same_time(noise):
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system does not fork")
    files = ImageFiles(file_tree(Path(f"{noise}.zip")), names(noise), (3, 6, 5))
    files[0]  # the zip is open already
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    others = [context.Process(target=read_all, args=(files, answers)) for _ in range(2)]
    for other in others:
        other.start()
    ours = [files[index].flatten().tolist() for index in range(len(files))]
    assert [answers.get(timeout=60) for _ in others] == [ours, ours]
    for other in others:
        other.join()


def test_an_opened_zip_can_be_pickled(noise):
    files = ImageFiles(file_tree(Path(f"{noise}.zip")), names(noise), (3, 6, 5))
    assert torch.equal(files[3], pickle.loads(pickle.dumps(files))[3])
    assert torch.equal(pickle.loads(pickle.dumps(files))[3], files[3])
