"""Which folders are runs, and what their lists of files say."""

import pytest

from lightning_gan import InputError
from lightning_gan.report import files


def refused(folder):
    with pytest.raises(InputError) as caught:
        files.check_run(folder)
    return str(caught.value)


def test_a_folder_that_is_not_there(complete):
    there = complete.folder
    missing = there.with_name("version_00")
    assert refused(missing) == (
        f"report: there is no folder {missing}, did you mean {str(there)!r}?"
    )
    nowhere = there / "a" / "b"
    assert refused(nowhere) == f"report: there is no folder {nowhere}"


def test_a_file(complete):
    path = complete.folder / "config.yaml"
    assert refused(path) == (
        f"report: {path} is a file; give the folder of a run, {complete.folder}"
    )


def test_a_folder_of_runs_names_the_newest(complete):
    parent = complete.folder.parent
    for name in ("version_9", "version_10", "version_11"):
        (parent / name).mkdir()
    for name in ("version_9", "version_10"):  # version_11 holds nothing
        (parent / name / "metrics.csv").write_text("")
    (complete.folder / "config.yaml").unlink()
    expected = (
        "holds none of config.yaml, metrics.csv, losses.png, health.jsonl, samples, scorecards and "
        "checkpoints, which a run leaves; give the folder of one run, such as "
        f"{parent / 'version_10'}"
    )
    assert refused(parent) == f"report: {parent} {expected}"
    assert refused(parent.parent) == f"report: {parent.parent} {expected}"


def test_the_newest_run_is_the_one_that_started_last(complete):
    import os

    parent = complete.folder.parent
    os.utime(complete.folder / "config.yaml", (2_000_000_000, 2_000_000_000))
    (parent / "version_7").mkdir()
    (parent / "version_7" / "config.yaml").write_text("")
    os.utime(parent / "version_7" / "config.yaml", (1_900_000_000, 1_900_000_000))
    assert refused(parent).endswith(f", such as {complete.folder}")


def test_a_folder_without_runs(tmp_path):
    assert refused(tmp_path).endswith("which a run leaves; give the folder of one run")


def test_long_folders_are_one_entry(made):
    for number in range(13):
        made.write(f"predictions/{number}.png", "abc")
    made.write("metrics.csv", "1234")
    made.write("report.html", "")
    found = {entry.name: (entry.link, entry.size, entry.count) for entry in
             files.file_entries(made.folder)}  # fmt: skip
    assert found == {
        "metrics.csv": ("./metrics.csv", "4 B", 1),
        "predictions/": ("./predictions/", "39 B", 13),
    }


def test_a_dangling_link_is_listed(made):
    (made.folder / "last.ckpt").symlink_to(made.folder / "gone")
    assert [entry.name for entry in files.file_entries(made.folder)] == ["last.ckpt"]


def test_a_huge_text_is_not_read(made, monkeypatch):
    path = made.write("config.yaml", "a: 1")
    assert files.read_text(path) == "a: 1"
    monkeypatch.setattr(files, "LARGEST", 3)
    assert files.read_text(path) is None
    assert files.read_text(made.folder) is None
