"""Images in NumPy files: the batches of memory, bounded memory, conversion, and every refusal."""

import os
import pickle
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
import toys
from PIL import Image

from lightning_gan.__main__ import main
from lightning_gan.data import (
    ArrayImages,
    Digits,
    ImageFolder,
    MixtureRing,
    RandomImages,
    TensorLoader,
    arrays,
    save_arrays,
)
from lightning_gan.data.array_files import ImageRows
from lightning_gan.errors import InputError
from lightning_gan.evaluation.reals import real_images

N = 45


def write(root, images=None, labels=None, n=N, shape=(1, 4, 4)):
    """Write images of noise, each other than all others, and labels 0, 1, 2, 0, ..."""
    root.mkdir(exist_ok=True)
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (n, *shape), np.uint8) if images is None else images
    np.save(root / "images.npy", images)
    np.save(root / "labels.npy", np.arange(len(images)) % 3 if labels is None else labels)
    return root


@pytest.fixture
def root(tmp_path):
    return write(tmp_path / "set")


def module(root, in_memory=False, batch_size=8, **options):
    return ArrayImages(str(root), in_memory=in_memory, batch_size=batch_size, **options)


def same(ours, theirs):
    ours, theirs = list(ours), list(theirs)
    assert len(ours) == len(theirs) > 0
    for batch, expected in zip(ours, theirs, strict=True):
        for value, other in zip(batch, expected, strict=True):
            assert torch.equal(value, other)
            assert (value.dtype, value.stride()) == (other.dtype, other.stride())


@pytest.mark.parametrize("holdout", [0, 0.1, 0.4])
@pytest.mark.parametrize("labels", [True, False])
def test_batches_are_the_same_from_the_file_and_from_memory(root, holdout, labels):
    options = {"holdout": holdout, "labels": labels, "seed": 3}
    read, held = module(root, **options), module(root, in_memory=True, **options)
    for data in (read, held):
        data.setup()
    assert (read.from_files, held.from_files) == (True, False)
    assert read.num_classes == (3 if labels else None)
    assert isinstance(read.train_dataloader(), TensorLoader)
    ours, theirs = read.train_dataloader(), held.train_dataloader()
    for _ in range(3):
        same(ours, theirs)
    same(read.val_dataloader(), held.val_dataloader())
    same(read.test_dataloader(), held.test_dataloader())


def test_batches_are_the_images_of_the_array(root):
    images = torch.from_numpy(np.load(root / "images.npy"))
    data = module(root, holdout=0, seed=2)
    ours = data.train_dataloader()
    same(ours, TensorLoader(images, torch.arange(N) % 3, 8, shuffle=True, drop_last=True, seed=2))


@pytest.mark.parametrize("labels", [np.uint8, np.int32, ">i8"])
def test_labels_of_any_integer_type(tmp_path, labels):
    root = write(tmp_path / "set", labels=(np.arange(N) % 3).astype(labels))
    found = torch.cat([module(root).images(split)[1] for split in ("train", "test")])
    assert found.dtype == torch.int64
    assert found.bincount().tolist() == [15, 15, 15]


def test_images_without_labels(root):
    (root / "labels.npy").unlink()
    data = module(root)
    assert (data.native_classes, data.num_classes) == (None, None)
    assert next(iter(data.train_dataloader())).shape == (8, 1, 4, 4)
    assert data.images("train", labels=True)[1] is None


def test_header_of_the_second_version(tmp_path):
    root = write(tmp_path / "set")
    images = np.load(root / "images.npy")
    with (root / "images.npy").open("wb") as file:
        np.lib.format.write_array(file, images, version=(2, 0))
    assert torch.equal(module(root, holdout=0).images("train")[0], torch.from_numpy(images))


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("stop", [3, 5, 7])  # mid-epoch, its end, mid-epoch of the second
def test_a_run_goes_on_in_mid_epoch_in_either_way(root, stop, in_memory):
    whole = module(root, in_memory=True).train_dataloader()
    whole = [batch for _ in range(3) for batch in whole]
    data = module(root)
    loader = data.train_dataloader()
    same(islice((batch for _ in range(2) for batch in loader), stop), whole[:stop])
    resumed = module(root, in_memory)
    resumed.load_state_dict(data.state_dict())
    same(resumed.train_dataloader(), whole[stop : stop + 5])


def test_a_gan_stopped_and_resumed_is_the_one_never_stopped(tmp_path, root):
    def train(steps, **options):
        torch.manual_seed(7)
        gan, run = toys.gan(), toys.trainer(tmp_path, max_steps=steps)
        run.fit(gan, module(root, labels=False), **options)
        return gan, run

    _, stopped = train(7)
    stopped.save_checkpoint(tmp_path / "stopped.ckpt", weights_only=False)
    resumed, _ = train(12, ckpt_path=tmp_path / "stopped.ckpt")
    whole, _ = train(12)
    for part in ("generator", "discriminator"):
        ours, theirs = getattr(resumed, part), getattr(whole, part)
        assert toys.same(toys.weights(ours), toys.weights(theirs))


def test_processes_share_an_epoch(root, monkeypatch):
    def seen(rank, in_memory):
        data = module(root, in_memory, holdout=0)
        monkeypatch.setattr(data, "_process", lambda: (rank, 2))
        return list(data.train_dataloader())

    for rank in (0, 1):
        same(seen(rank, False), seen(rank, True))
    images = torch.cat([x for rank in (0, 1) for x, _ in seen(rank, False)])
    assert len(images.flatten(1).unique(dim=0)) == len(images) == 32  # 2 batches of 8 on each


@pytest.mark.parametrize("n", [1, 2, 45])
@pytest.mark.parametrize("holdout", [0, 0.01, 0.1, 0.9])
def test_the_images_held_out_are_those_of_a_folder(tmp_path, n, holdout):
    root = tmp_path / "pictures"
    root.mkdir()
    for number in range(n):
        Image.new("L", (4, 4), number).save(root / f"{number:03}.png")
    save_arrays(ImageFolder(str(root), holdout=0), tmp_path / "arrays")
    ours, theirs = module(tmp_path / "arrays", holdout=holdout), ImageFolder(str(root), 1, holdout)
    for split in ("train", "test"):
        assert torch.equal(ours.images(split)[0], theirs.images(split)[0])


def test_only_the_chosen_images_are_read(root, monkeypatch):
    asked = []
    whole = ImageRows.index_select
    monkeypatch.setattr(
        ImageRows, "index_select", lambda *words: asked.append(words[2]) or whole(*words)
    )
    data, held = module(root), module(root, in_memory=True)
    images, labels = data.images("train", indices=torch.tensor([7, 0, 30]))
    assert torch.cat(asked).tolist() == [7, 0, 30]
    expected = held.images("train", indices=torch.tensor([7, 0, 30]))
    assert torch.equal(images, expected[0])
    assert torch.equal(labels, expected[1])
    assert data.count("train") == 41  # 4 are held out
    asked.clear()
    reals = real_images(data, "train", 5)
    assert len(torch.cat(asked)) == 5
    assert torch.equal(reals.images, real_images(held, "train", 5).images)


def test_images_one_by_one_in_another_process(root):
    rows, _ = module(root).source("test")
    again = pickle.loads(pickle.dumps(rows))
    assert len(again) == 4
    assert torch.equal(torch.stack([again[i] for i in range(4)]), module(root).images("test")[0])


def test_images_in_memory_are_resized(root, monkeypatch):
    data = module(root, in_memory=True, image_size=2, holdout=0)
    assert data.sample_shape == (1, 2, 2)
    at_once, _ = data.images("train")
    assert at_once.shape == (N, 1, 2, 2)
    monkeypatch.setattr(arrays, "_AT_ONCE", 16 * 7)  # 7 images
    in_parts, _ = module(root, in_memory=True, image_size=2, holdout=0).images("train")
    assert torch.equal(at_once, in_parts)
    assert module(root, image_size=4).sample_shape == (1, 4, 4)  # nothing to resize


def test_images_that_do_not_fit_stay_in_the_file(root, monkeypatch):
    monkeypatch.setattr("lightning_gan.data.base.available_memory", lambda: N * 16 - 1)
    data = module(root, in_memory=None)
    data.setup()
    assert data.from_files
    same(data.train_dataloader(), module(root).train_dataloader())
    monkeypatch.setattr("lightning_gan.data.base.available_memory", lambda: N * 16)
    assert not module(root, in_memory=None).from_files


def sparse(root, shape):
    """Write black images that take no room on the disk."""
    root.mkdir()
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with (root / "images.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        try:
            file.truncate(file.tell() + int(np.prod(shape)))
        except OSError:
            pytest.skip("the file system has no sparse files of this size")
    return root


def memory():
    """Return this process's resident memory, anonymous and of files, and the machine's, bytes."""
    try:
        text = "".join(Path(path).read_text() for path in ("/proc/self/status", "/proc/meminfo"))
    except OSError:
        pytest.skip("memory is measured in /proc")
    lines = dict(line.split(":") for line in text.splitlines())
    keys = ("RssAnon", "RssFile", "MemTotal")
    return [1024 * int(lines[key].split()[0]) for key in keys]


def test_resident_memory_stays_bounded(tmp_path):
    data = module(sparse(tmp_path / "set", (32768, 4, 32, 32)), batch_size=64)  # 134 MB
    loader = data.train_dataloader()
    next(iter(loader))
    anonymous, files, _ = memory()
    peaks = [memory()[:2] for _ in range(2) for batch in loader if len(batch) == 64]
    assert len(peaks) == 2 * (29491 // 64)
    assert max(peak[0] for peak in peaks) - anonymous < 16e6
    assert max(peak[1] for peak in peaks) - files < 16e6


def test_a_file_larger_than_the_memory(tmp_path):
    total = memory()[2]
    n = 2 * total // 2**22
    data = module(sparse(tmp_path / "set", (n, 1, 2048, 2048)), in_memory=None, batch_size=2)
    data.setup()
    assert data.from_files
    assert next(iter(data.train_dataloader())).unique().tolist() == [-1]
    size = f"{n - round(n * 0.1)} images of 1x2048x2048"
    with pytest.raises(InputError, match=rf"^{size} need \S+ GB .* available: take fewer at a"):
        data.images("train")
    with pytest.raises(InputError, match="available: set in_memory to false$"):
        module(tmp_path / "set", in_memory=True, holdout=0).setup()


def test_the_command_trains_and_evaluates_from_the_file(tmp_path):
    save_arrays(Digits(), tmp_path / "set", "test")
    words = [f"data.root={tmp_path / 'set'}", "data.in_memory=false", "data.batch_size=8"]
    words += ["trainer.max_steps=2", "trainer.enable_progress_bar=false"]
    assert main(["fit", "data=arrays", *words, f"trainer.default_root_dir={tmp_path}"]) == 0
    assert (tmp_path / "version_0" / "checkpoints" / "last.ckpt").is_file()
    assert list((tmp_path / "version_0" / "samples").glob("*.png"))


# Conversion


@pytest.mark.parametrize("split", ["train", "test"])
def test_digits_are_converted(tmp_path, monkeypatch, split):
    monkeypatch.setattr(arrays, "_AT_ONCE", 64 * 100)  # in parts, the last one not full
    save_arrays(Digits(labels=False), tmp_path / "a" / "b", split)
    expected = Digits().images(split)
    for ours, theirs in zip(module(tmp_path / "a" / "b", holdout=0).images("train"), expected):  # noqa: B905
        assert torch.equal(ours, theirs)
    names = sorted(path.name for path in (tmp_path / "a" / "b").iterdir())
    assert names == ["images.npy", "labels.npy"]
    assert np.load(tmp_path / "a" / "b" / "images.npy").shape == expected[0].shape


@pytest.fixture
def pictures(tmp_path):
    """30 colored pictures in three classes."""
    draw = np.random.default_rng(0)
    for number in range(30):
        path = tmp_path / "pictures" / "abc"[number % 3] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (6, 5, 3), np.uint8)).save(path)
    return tmp_path / "pictures"


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("image_size", [None, 4])
def test_a_folder_is_converted(tmp_path, pictures, monkeypatch, in_memory, image_size):
    monkeypatch.setattr(arrays, "_AT_ONCE", 3 * 6 * 5 * 7)
    source = ImageFolder(str(pictures), holdout=0, in_memory=in_memory, image_size=image_size)
    save_arrays(source, tmp_path / "arrays")
    ours = module(tmp_path / "arrays")
    theirs = ImageFolder(str(pictures), image_size=image_size, batch_size=8)
    assert ours.sample_shape == theirs.sample_shape
    assert ours.num_classes == theirs.num_classes == 3
    ours.setup()
    theirs.setup()
    same(ours.train_dataloader(), theirs.train_dataloader())
    same(ours.val_dataloader(), theirs.val_dataloader())


def test_a_folder_read_from_its_files_is_never_whole_in_memory(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(arrays, "_AT_ONCE", 3 * 6 * 5 * 7)
    source = ImageFolder(str(pictures), holdout=0, in_memory=False)
    sizes = []
    allocate = source.allocate
    monkeypatch.setattr(source, "allocate", lambda n: sizes.append(n) or allocate(n))
    save_arrays(source, tmp_path / "arrays")
    assert sizes == [7, 7, 7, 7, 2]


def test_unlabeled_images_have_no_file_of_labels(tmp_path):
    save_arrays(RandomImages(n=5), tmp_path / "arrays")
    assert [path.name for path in (tmp_path / "arrays").iterdir()] == ["images.npy"]


KILLED = """
import os, signal, sys
from lightning_gan.data import Digits, arrays

class Mortal(Digits):
    asked = 0

    def pixels(self, *words, **options):
        self.asked += 1
        if self.asked == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().pixels(*words, **options)

arrays._AT_ONCE = 64 * 400
arrays.save_arrays(Mortal(), sys.argv[1])
"""


@pytest.mark.skipif(os.name != "posix", reason="processes are killed with a signal")
def test_a_killed_conversion_leaves_nothing_that_looks_whole(tmp_path):
    folder = tmp_path / "arrays"
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], timeout=120)
    assert done.returncode == -9
    assert [path.suffix for path in folder.iterdir()] == [".unfinished"]
    with pytest.raises(InputError, match="has no images.npy in it"):
        module(folder)
    save_arrays(Digits(), folder)  # may begin anew
    assert sorted(path.name for path in folder.glob("*.npy")) == ["images.npy", "labels.npy"]
    assert module(folder, holdout=0).count("train") == 1500


def test_a_failed_conversion_leaves_no_file(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(arrays, "_AT_ONCE", 3 * 6 * 5 * 7)
    broken = pictures / "c" / "29.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(InputError, match="cannot read the image c/29.png"):
        save_arrays(ImageFolder(str(pictures), holdout=0, in_memory=False), tmp_path / "arrays")
    assert list((tmp_path / "arrays").iterdir()) == []


@pytest.mark.parametrize("name", ["images.npy", "labels.npy"])
def test_nothing_is_overwritten(tmp_path, name):
    (tmp_path / name).write_text("precious")
    with pytest.raises(InputError) as caught:
        save_arrays(Digits(), tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} has {name} already: delete it, or choose another folder for save_arrays"
    )
    assert (tmp_path / name).read_text() == "precious"


def test_what_cannot_be_converted(tmp_path):
    with pytest.raises(InputError) as caught:
        save_arrays(MixtureRing(), tmp_path / "arrays")
    assert str(caught.value) == (
        "save_arrays expects images of shape (C, H, W), MixtureRing has samples of shape (2,): "
        "take the data as they are"
    )
    with pytest.raises(InputError, match="split must be 'train' or 'test', got 'valid'"):
        save_arrays(Digits(), tmp_path / "arrays", "valid")
    assert not (tmp_path / "arrays").exists()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"^cannot write arrays to \S+file \(.*\): choose another"):
        save_arrays(Digits(), tmp_path / "file")


# Refusals


def refused(root, **options):
    with pytest.raises(InputError) as caught:
        module(root, **options)
    return str(caught.value)


def test_absent_files(root, tmp_path):
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "sets") == (
        f"root {tmp_path / 'sets'} does not exist, did you mean 'set'?"
    )
    assert refused("/no/such/folder") == "root /no/such/folder does not exist"
    assert refused(root / "images.npy") == (
        f"root {root / 'images.npy'} is a file: set it to the folder that holds images.npy"
    )
    assert refused(tmp_path / "empty") == (
        f"root {tmp_path / 'empty'} has no images.npy in it: write one with "
        "lightning_gan.data.save_arrays, or use ImageFolder for a folder of image files"
    )


NOISE = np.zeros((4, 1, 8, 8), np.uint8)
TYPES = "must be of a type of uint8, int8, uint16, int16, uint32, int32, float16, float32, float64"
LAYOUT = "must have the shape (N, C, H, W)"


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (NOISE.astype(np.int64), f"{TYPES}, got int64: convert the images"),
        (NOISE.astype(complex), f"{TYPES}, got complex128: convert the images"),
        (np.array([None] * 4), f"{TYPES}, got object: convert the images"),
        (
            NOISE.astype(">u2"),
            "must be in this machine's byte order, got >u2: write images.astype('uint16')",
        ),
        (NOISE[:, 0], f"{LAYOUT}, each at least 1, got (4, 8, 8): reshape the images"),
        (NOISE[:0], f"{LAYOUT}, each at least 1, got (0, 1, 8, 8): reshape the images"),
        (
            NOISE.reshape(4, 8, 8, 1),
            f"{LAYOUT}, got (4, 8, 8, 1), which looks like (N, H, W, C): "
            "write numpy.ascontiguousarray(images.transpose(0, 3, 1, 2))",
        ),
        (
            np.asfortranarray(np.zeros((4, 2, 8, 8), np.uint8)),
            "must be in C order, got Fortran order: write numpy.ascontiguousarray(images)",
        ),
    ],
    ids=["int64", "complex", "object", "big-endian", "3d", "empty", "channels-last", "fortran"],
)
def test_other_arrays(tmp_path, images, said):
    root = write(tmp_path / "set", images)
    assert refused(root).startswith(f"{root / 'images.npy'} {said}")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.arange(N) / 2, "must hold integers 0..K-1, got float64: convert the labels"),
        (np.arange(N) > 2, "must hold integers 0..K-1, got bool: convert the labels"),
        (
            np.arange(N - 1),
            "must have the shape (45,), a label for each of the images, got (44,): "
            "write one label for each image, or delete the file",
        ),
        (np.eye(N, 3, dtype=int), "must have the shape (45,), a label for each of the images, got"),
        (np.arange(N) - 1, "must hold integers 0..K-1, got -1: number the classes from 0"),
    ],
    ids=["float", "bool", "fewer", "one-hot", "negative"],
)
def test_other_labels(tmp_path, labels, said):
    root = write(tmp_path / "set", labels=labels)
    assert refused(root).startswith(f"{root / 'labels.npy'} {said}")


class Trap:
    """Makes a folder where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["images", "labels"])
def test_no_code_of_a_file_is_run(root, tmp_path, name):
    trap = np.array([Trap(tmp_path / "trapped")] * N)
    np.save(root / f"{name}.npy", trap, allow_pickle=True)
    assert ", got object: convert the " in refused(root)
    (root / f"{name}.npy").write_bytes(pickle.dumps(trap[0]))
    assert refused(root) == (
        f"{root / f'{name}.npy'} is damaged or not a file of numpy.save: write it again"
    )
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("name", ["images", "labels"])
def test_damaged_files(root, name):
    path = root / f"{name}.npy"
    whole = path.read_bytes()
    for damaged in (b"", whole[:5], whole[:50], whole[:10] + b"(" * 118 + whole[128:]):
        path.write_bytes(damaged)
        assert refused(root) == f"{path} is damaged or not a file of numpy.save: write it again"
    shape = "(45, 1, 4, 4)" if name == "images" else "(45,)"
    for damaged in (whole[:-1], whole[:128], whole + b"x"):
        path.write_bytes(damaged)
        assert refused(root) == (
            f"{path} must have {len(whole)} bytes for an array of shape {shape}, "
            f"got {len(damaged)}: write or copy it again"
        )


def test_a_file_that_changes_while_it_is_in_use(root):
    data, path = module(root), root / "images.npy"
    data.setup()
    os.truncate(path, 200)
    leave = "leave the file in its place while it is in use"
    with pytest.raises(InputError) as caught:
        list(data.train_dataloader())
    assert str(caught.value) == f"cannot read images of {path} (it has become shorter): {leave}"
    path.unlink()
    with pytest.raises(InputError, match=rf"cannot read images of .*No such file.*: {leave}$"):
        list(data.train_dataloader())


def test_images_in_the_file_are_not_resized(root, monkeypatch):
    said = (
        f"{root / 'images.npy'} has images of 4x4 pixels, which are resized in memory only and are "
        "not held there, got image_size 2: leave image_size out, or write the arrays at "
        "that size"
    )
    assert refused(root, image_size=2) == said
    monkeypatch.setattr("lightning_gan.data.base.available_memory", lambda: 0)
    with pytest.raises(InputError) as caught:
        module(root, in_memory=None, image_size=2).setup()
    assert str(caught.value) == said


def test_a_holdout_out_of_range(root):
    assert refused(root, holdout=1.0) == "holdout must be at least 0 and below 1, got 1.0"
