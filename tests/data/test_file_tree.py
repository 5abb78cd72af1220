"""What is below a root: odd zips, links in circles, pipes, and folders that may not be entered."""

import errno
import os
import pickle
import socket
import stat
import zipfile
from pathlib import Path

import pytest

from lightning_gan.data.file_listing import why
from lightning_gan.data.file_tree import file_tree
from lightning_gan.errors import InputError


def written(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def packed(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), name)
    return path


def refused(root):
    with pytest.raises(InputError) as caught:
        file_tree(root).listing()
    return str(caught.value)


def test_a_folder(tmp_path):
    root = written(tmp_path, "b/2.png", "a.txt", "b/c/1.png", ".git/config", "b/__MACOSX/x")
    found = file_tree(root).listing()
    assert found.files == ["a.txt", "b/2.png", "b/c/1.png"]
    assert found.folders == ["b", "b/c"]
    assert found.passed_over == {"hidden": [".git", "b/__MACOSX"]}
    assert file_tree(root).read("b/2.png") == b"b/2.png"


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["cats\\0.png", "dogs\\1.png"], ["cats/0.png", "dogs/1.png"]),  # Compress-Archive
        (["pets\\", "pets\\cats\\", "pets\\cats\\0.png"], ["pets/cats/0.png"]),
        (["./", "./cats/", "./cats/0.png"], ["cats/0.png"]),  # bsdtar
        (["/cats/0.png", "cats//1.png", "a/./2.png"], ["a/2.png", "cats/0.png", "cats/1.png"]),
        (["ümlaut (1) & #/ß ~.png"], ["ümlaut (1) & #/ß ~.png"]),
    ],
)
def test_names_in_zips(tmp_path, names, files):
    tree = file_tree(packed(tmp_path / "a.zip", *names))
    assert tree.listing().files == files
    for name in files:
        inside = tree.read(name).decode().replace("\\", "/")
        assert [part for part in inside.split("/") if part not in ("", ".")] == name.split("/")
    assert pickle.loads(pickle.dumps(tree)).read(files[0]) == tree.read(files[0])


def test_folders_of_a_zip(tmp_path):
    path = packed(tmp_path / "a.zip", "cats\\", "./dogs/", "dogs/1.png")
    assert file_tree(path).listing().folders == ["cats", "dogs"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_a_zip_has_beside_files(tmp_path):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    names = ["0.png", "__MACOSX/._0.png", ".DS_Store", "a/.hidden/1.png", link, "0.png", "./0.png"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    found = file_tree(tmp_path / "a.zip").listing()
    assert found.files == ["0.png"]
    assert found.passed_over == {
        "hidden": [".DS_Store", "__MACOSX/._0.png", "a/.hidden/1.png"],
        "linked": ["link.png"],
        "named again": ["0.png", "0.png"],
    }


@pytest.mark.parametrize("name", ["../0.png", "cats/../../0.png", "cats\\..\\0.png"])
def test_entries_that_lead_out_are_refused(tmp_path, name):
    path = packed(tmp_path / "a.zip", "a/1.png", name)
    assert refused(path) == (
        f"root {path} has an entry that leads out of it ({name}): pack the images anew"
    )


def test_an_encrypted_zip(tmp_path):
    path = packed(tmp_path / "a.zip", "0.png")
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    path.write_bytes(content)
    assert refused(path) == (
        f"root {path} is encrypted (0.png): unpack it with its password, and set root to the folder"
    )


def test_links_in_circles_end(tmp_path):
    root = written(tmp_path / "root", "a/0.png", "b/1.png")
    for folder in "ab":
        for number in range(3):
            (root / folder / f"up{number}").symlink_to("..", target_is_directory=True)
    (root / "all").symlink_to(tmp_path, target_is_directory=True)
    (root / "self").symlink_to("self")
    found = file_tree(root).listing()
    assert found.files == ["a/0.png", "b/1.png"]
    up = sorted(f"{folder}/up{number}" for folder in "ab" for number in range(3))
    assert found.passed_over == {
        "linked again": sorted([*up, "all"]),
        "linked to nothing": ["self"],
    }


def test_a_ladder_of_links_ends(tmp_path):
    """Two ways to each of 30 folders are 2 ** 30 ways in all."""
    for number in range(30):
        (tmp_path / f"{number}").mkdir()
        for name in "xy":
            (tmp_path / f"{number}" / name).symlink_to(f"../{number + 1}")
    written(tmp_path, "30/0.png")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "first").symlink_to("../0")
    found = file_tree(tmp_path / "root").listing()
    assert found.files == ["first" + "/x" * 30 + "/0.png"]
    assert len(found.passed_over["linked again"]) == 30


def test_links_outside_are_followed_once(tmp_path):
    written(tmp_path, "pets/cats/0.png")
    root = written(tmp_path / "root", "dogs/1.png")
    (root / "again").symlink_to(tmp_path / "pets" / "cats")
    (root / "both").symlink_to(tmp_path / "pets" / "cats")
    (root / "dogs" / "2.png").symlink_to(tmp_path / "pets" / "cats" / "0.png")
    (root / "gone.png").symlink_to("nothing")
    found = file_tree(root).listing()
    assert found.files == ["again/0.png", "dogs/1.png", "dogs/2.png"]
    assert found.passed_over == {"linked again": ["both"], "linked to nothing": ["gone.png"]}


def test_pipes_sockets_and_devices_are_passed_over(tmp_path, monkeypatch):
    root = written(tmp_path / "root", "0.png")
    os.mkfifo(root / "pipe.png")
    (root / "zero.png").symlink_to("/dev/zero")
    monkeypatch.chdir(root)  # a socket's path may not be long
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        tree = file_tree(Path(root))
        found = tree.listing()
    assert found.files == ["0.png"]
    assert found.passed_over == {
        "special (pipe, socket or device)": ["pipe.png", "socket.png", "zero.png"]
    }
    with pytest.raises(OSError, match="no regular file"):
        tree.open("pipe.png")
    assert refused(root / "pipe.png") == (
        f"root {root / 'pipe.png'} is a pipe, a socket or a device: "
        "set it to a folder of images or a zip of one"
    )


def test_a_folder_that_may_not_be_entered(tmp_path, monkeypatch):
    root = written(tmp_path, "cats/0.png", "dogs/1.png")
    scandir = os.scandir

    def scan(path):
        if Path(path).name == "cats":  # the superuser may enter all
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    assert refused(root) == (
        f"the folder {root / 'cats'} cannot be read (Permission denied): "
        "give yourself the permission to enter it, or move it elsewhere"
    )


def test_roots_that_may_not_be_read(tmp_path, monkeypatch):
    path = packed(tmp_path / "a.zip", "0.png")

    def deny(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "__init__", deny)
        assert refused(path) == (
            f"root {path} cannot be read (Permission denied): "
            "give yourself the permission to read it"
        )
    monkeypatch.setattr(Path, "stat", deny)
    assert refused(path) == (
        f"root {path} cannot be reached (Permission denied): "
        "give yourself the permission to enter the folders on its way"
    )


def test_reasons_have_no_addresses():
    assert why(PermissionError(errno.EACCES, "Permission denied")) == "Permission denied"
    assert why(ValueError("cannot use <_io.BytesIO object at 0x7f00>")) == "cannot use"
    assert why(ValueError()) == "ValueError"
    assert why(OSError("image file is\ntruncated")) == "image file is truncated"
