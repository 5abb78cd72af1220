"""Names are taken once, whoever asks at the same moment."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from lightning_gan.files import claims
from lightning_gan.files.claims import (
    NumberedFolders,
    make_first_free,
    numbered_names,
    write_first_free,
    write_new,
)

MANY = range(40)


def at_once(function):
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(function, MANY))


def test_everybody_gets_a_number_of_their_own(tmp_path):
    (tmp_path / "version_7").mkdir()
    (tmp_path / "version_x").mkdir()
    with NumberedFolders() as folders:
        numbers = at_once(lambda _: folders.take(tmp_path))
        assert sorted(numbers) == list(range(8, 48))
        (tmp_path / "version_9" / "metrics.csv").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "version_7",
        "version_9",
        "version_x",
    ]


def test_a_folder_that_stays_empty_takes_along_the_one_made_around_it(tmp_path):
    with NumberedFolders() as folders:
        folders.take(tmp_path / "a" / "runs")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_written_once_and_whole(links, tmp_path, monkeypatch):
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links")))
    paths = at_once(
        lambda n: write_first_free(tmp_path / "new", numbered_names("card.json"), f"{n}")
    )
    assert len(set(paths)) == len(MANY)
    assert sorted(int(path.read_text()) for path in paths) == list(MANY)
    assert set((tmp_path / "new").iterdir()) == set(paths)  # nothing unfinished
    with pytest.raises(FileExistsError):
        write_new(paths[3], "other")
    assert paths[3].read_text() == "3"


def test_folders_for_sweeps(tmp_path):
    assert (
        len(set(at_once(lambda _: make_first_free(tmp_path / "multirun", numbered_names("now")))))
        == 40
    )
    assert (tmp_path / "multirun" / "now-39").is_dir()


def test_names_that_end(tmp_path):
    write_new(tmp_path / "a", "")
    with pytest.raises(FileExistsError, match="no name is left"):
        write_first_free(tmp_path, ["a"], "")
    with pytest.raises(FileExistsError, match="no name is left"):
        make_first_free(tmp_path, ["a"])


def test_neighbors_that_leave_take_nothing_along(tmp_path):
    def claim(number):
        root = tmp_path / f"runs{number // 8}"
        with NumberedFolders() as folders:
            taken = root / f"version_{folders.take(root)}"
            if number % 2:
                (taken / "metrics.csv").touch()
                return taken
        return None

    kept = [taken for _ in range(20) for taken in at_once(claim) if taken is not None]
    assert len(set(kept)) == len(kept) == 20 * len(MANY) / 2
    assert all((taken / "metrics.csv").is_file() for taken in kept)


@pytest.mark.parametrize("kind", ["file", "link to nothing"])
def test_what_is_no_folder_is_said_at_once(kind, tmp_path):
    root = tmp_path / "runs"
    root.touch() if kind == "file" else root.symlink_to("nowhere")
    with NumberedFolders() as folders, pytest.raises(OSError, match="runs"):
        folders.take(root)


def test_a_folder_around_that_goes_in_between_is_made_again(tmp_path, monkeypatch):
    root, look = tmp_path / "runs", claims._names

    def gone_after_a_look(folder):
        found = look(folder)
        folder.rmdir()
        return found

    monkeypatch.setattr(claims, "_names", gone_after_a_look)
    with NumberedFolders() as folders:
        assert folders.take(root) == 0
        assert (root / "version_0").is_dir()
