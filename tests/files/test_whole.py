"""Files are whole or not there."""

from __future__ import annotations

import os
import time

import pytest

from lightning_gan.files.whole import (
    ABANDONED_S,
    UNFINISHED,
    remove_abandoned,
    unfinished,
    write_whole,
)


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("content", ["naïve\n", b"naive", memoryview(b"naive")])
def test_a_file_takes_its_name_at_the_end(tmp_path, content, sync):
    path = tmp_path / "new" / "a.json"
    write_whole(path, "old")
    write_whole(path, content, sync=sync)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert [each.name for each in path.parent.iterdir()] == ["a.json"]


def test_what_was_there_stays_where_writing_fails(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, "old")

    def interrupted():
        with unfinished(path) as beside:
            beside.write_text("half")
            assert path.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_killed_processes_left_is_removed_an_hour_later(tmp_path):
    old, young = (tmp_path / UNFINISHED.replace("*", name) for name in ("old", "young"))
    theirs = tmp_path / "theirs.unfinished"
    for path in (old, young, theirs):
        path.touch()
    past = time.time() - ABANDONED_S - 1
    for path in (old, theirs):
        os.utime(path, (past, past))
    remove_abandoned(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([young, theirs])
