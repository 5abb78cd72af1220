"""A checkpoint is whole or not there, and the one before stays until it is."""

import errno
import os
import stat

import pytest
import pytorch_lightning as pl
import torch
import toys
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins import AsyncCheckpointIO, TorchCheckpointIO

from lightning_gan.errors import InputError
from lightning_gan.files.whole import ABANDONED_S, UNFINISHED
from lightning_gan.training.checkpoint import read_checkpoint
from lightning_gan.training.seams.saving import AtomicCheckpointIO, install

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
READ_ONLY = OSError(errno.EROFS, os.strerror(errno.EROFS))


def save(path, value=1):
    AtomicCheckpointIO().save_checkpoint({"value": value}, path)


def value(path):
    return torch.load(path, weights_only=True)["value"]


def fails(monkeypatch, function, error):
    def refuse(*arguments):
        raise error

    monkeypatch.setattr(os, function, refuse)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_and_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "last.ckpt"
    save(path)
    save(path, 2)
    assert value(path) == 2
    assert names(path.parent) == ["last.ckpt"]
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_the_file_is_on_the_disk_before_it_has_its_name_and_the_name_afterwards(
    tmp_path, monkeypatch
):
    sync, rename, calls = os.fsync, os.replace, []

    def syncing(number):
        calls.append("folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file")
        sync(number)

    def renaming(source, target):
        calls.append("rename")
        assert os.path.dirname(source) == os.path.dirname(target)
        assert not str(source).endswith(".ckpt")
        assert value(source) == 1
        rename(source, target)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "replace", renaming)
    save(tmp_path / "last.ckpt")
    assert calls == ["file", "rename", "folder"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize("error", [FULL, READ_ONLY])
def test_a_failure_is_one_sentence_and_leaves_what_was_there(
    tmp_path, monkeypatch, function, error
):
    path = tmp_path / "last.ckpt"
    save(path)
    fails(monkeypatch, function, error)
    with pytest.raises(InputError) as caught:
        save(path, 2)
    assert str(caught.value) == (
        f"cannot save {path}: {error.strerror}; training can go on from {path} (ckpt_path=last)"
    )
    assert value(path) == 1
    assert names(tmp_path) == ["last.ckpt"]


def test_the_newest_file_is_named_and_none_where_there_is_none(tmp_path, monkeypatch):
    fails(monkeypatch, "replace", FULL)
    path = tmp_path / "run" / "step_6.ckpt"
    with pytest.raises(InputError, match=f"; nothing has been saved below {path.parent} yet$"):
        save(path)
    for age, name in enumerate(["step_4.ckpt", "step_2.ckpt"]):
        (path.parent / name).touch()
        os.utime(path.parent / name, (1000 - age, 1000 - age))
    with pytest.raises(InputError, match="go on from .*step_4.ckpt "):
        save(path)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match=r"cannot save .*last\.ckpt: (File exists|Not a directory)"
    ):
        save(tmp_path / "file" / "last.ckpt")


def test_an_interruption_leaves_nothing_behind(tmp_path, monkeypatch):
    fails(monkeypatch, "fsync", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "last.ckpt")
    assert names(tmp_path) == []


def test_what_killed_processes_left_is_removed_once_nobody_can_be_writing_it(tmp_path):
    old, young = (tmp_path / UNFINISHED.replace("*", name) for name in ("old", "young"))
    old.touch()
    young.touch()
    theirs = tmp_path / "theirs.unfinished"
    theirs.touch()
    for file in (old, theirs):
        os.utime(file, (young.stat().st_mtime - ABANDONED_S - 60,) * 2)
    save(tmp_path / "last.ckpt")
    assert set(tmp_path.iterdir()) == {young, theirs, tmp_path / "last.ckpt"}


def test_other_places_than_folders_are_left_to_lightning(monkeypatch):
    import fsspec

    save("memory://run/last.ckpt")
    with fsspec.open("memory://run/last.ckpt") as file:
        assert value(file) == 1
    with pytest.raises(TypeError, match="storage_options"):
        AtomicCheckpointIO().save_checkpoint({}, "last.ckpt", storage_options={})


@pytest.mark.parametrize("options", [{}, {"strategy": "ddp"}, {"strategy": "gan_ddp"}])
def test_trainers_get_it(tmp_path, options):
    trainer = toys.trainer(tmp_path, **options)
    install(trainer)
    assert type(trainer.strategy.checkpoint_io) is AtomicCheckpointIO


def test_a_way_of_writing_that_was_chosen_stays(tmp_path):
    class Theirs(TorchCheckpointIO):
        pass

    for chosen in (Theirs(), AsyncCheckpointIO()):
        trainer = toys.trainer(tmp_path, plugins=[chosen])
        install(trainer)
        assert trainer.strategy.checkpoint_io is chosen


def test_a_fit_in_plain_python_writes_whole_files(tmp_path):
    trainer = toys.fit(tmp_path, toys.gan(), steps=1)
    assert type(trainer.strategy.checkpoint_io) is AtomicCheckpointIO
    trainer.save_checkpoint(tmp_path / "a.ckpt", weights_only=False)
    assert read_checkpoint(tmp_path / "a.ckpt")["global_step"] == 1


class Ranked(pl.Callback):
    def on_train_batch_end(self, trainer, pl_module, *batch):
        pl_module.log("score", -float(trainer.global_step))


@pytest.mark.parametrize("monitor", [None, "score"])
def test_the_older_checkpoint_goes_only_after_the_newer_one_is_there(
    tmp_path, monkeypatch, monitor
):
    removed, remove = [], AtomicCheckpointIO.remove_checkpoint

    def removing(self, path):
        newest = max(tmp_path.glob("step*.ckpt"), key=lambda file: file.stat().st_mtime_ns)
        removed.append((os.path.basename(path), read_checkpoint(newest)["global_step"]))
        remove(self, path)

    monkeypatch.setattr(AtomicCheckpointIO, "remove_checkpoint", removing)
    keep = ModelCheckpoint(
        tmp_path, "{step}", monitor, save_last=True, save_top_k=1, every_n_train_steps=2
    )
    options = {"enable_checkpointing": True, "callbacks": [Ranked(), keep]}
    toys.fit(tmp_path, toys.gan(), steps=6, **options)
    assert removed == [("step=2.ckpt", 4), ("step=4.ckpt", 6)]
