"""Pictures: which are shown, how large they may be, and what becomes of damaged ones."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from lightning_gan.report import pictures
from lightning_gan.report.pictures import embed, read_families, read_others


def decoded(picture):
    return Image.open(io.BytesIO(content(picture)))


def content(picture):
    return base64.b64decode(picture.source.partition(",")[2])


def noise(path, size, channels=3):
    pixels = np.random.default_rng(0).integers(0, 256, (*size[::-1], channels), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.squeeze()).save(path)


def test_names_tell_families_and_steps(made):
    for name in ("grid-00000000.png", "grid-100000000.png", "grid-00000900.png",
                 "class-10-00000000.png", "class-9-00000000.png", "real.png"):  # fmt: skip
        made.picture(name)
    families, notes = read_families(made.folder)
    assert [(one.name, [frame.step for frame in one.frames]) for one in families] == [
        ("class-9", [0]),
        ("class-10", [0]),
        ("grid", [0, 900, 100_000_000]),
    ]
    assert notes == []
    others, _ = read_others(made.folder)
    assert [(one.name, one.link) for one in others] == [("real", "./samples/real.png")]


def test_small_files_are_taken_as_they_are(made):
    path = made.picture("a.png")
    assert content(embed(path, made.folder)) == path.read_bytes()


def test_large_pictures_get_256_colors_and_fewer_pixels(made):
    path = made.folder / "samples" / "a.png"
    noise(path, (900, 540))
    picture = embed(path, made.folder)
    assert len(content(picture)) <= pictures.LARGEST_PNG
    assert decoded(picture).size == picture.size
    assert picture.size[0] < 900
    assert picture.size[0] / picture.size[1] == pytest.approx(5 / 3, rel=0.02)
    assert picture.note == "made smaller"


def test_gray_pictures_stay_exact(made):
    path = made.folder / "samples" / "a.png"
    gray = np.random.default_rng(0).integers(0, 256, (256, 256, 1), dtype=np.uint8)
    path.parent.mkdir()
    Image.fromarray(gray.repeat(3, axis=2)).save(path, compress_level=0)
    picture = embed(path, made.folder)
    assert len(content(picture)) < path.stat().st_size / 2
    assert picture.note == ""
    assert np.array_equal(np.asarray(decoded(picture)), gray[..., 0])


def test_few_frames_of_many_the_last_among_them(made):
    for step in range(0, 7000, 100):
        made.picture(f"grid-{step:08d}.png")
    ((family,), _) = read_families(made.folder)
    assert family.total == 70
    assert 30 <= len(family.frames) <= 40
    assert (family.frames[0].step, family.frames[-1].step) == (0, 6900)


def test_many_families_share_the_frames(made, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_FRAMES_IN_ALL", 12)
    monkeypatch.setattr(pictures, "MOST_FAMILIES", 4)
    for family in "abcde":
        for step in range(9):
            made.picture(f"{family}-{step:08d}.png")
    families, notes = read_families(made.folder)
    assert [one.name for one in families] == ["a", "b", "c", "d"]
    assert all(2 <= len(one.frames) <= 3 for one in families)
    assert notes == ["1 more series of pictures lie in samples/."]


def test_the_frame_that_is_being_written_is_counted_and_left_out(made):
    made.picture("grid-00000000.png", size=(200, 200))
    path = made.picture("grid-00000100.png", size=(200, 200))
    path.write_bytes(path.read_bytes()[:60])
    ((family,), _) = read_families(made.folder)
    assert ([frame.step for frame in family.frames], family.unreadable) == ([0], 1)


def test_a_picture_that_would_fill_the_memory_is_not_opened(made, monkeypatch):
    path = made.picture("a.png", size=(20, 10))
    monkeypatch.setattr(pictures, "MOST_PIXELS", 199)
    assert embed(path, made.folder) is None
    assert read_others(made.folder) == ([], ["a.png cannot be read."])


def test_too_many_single_pictures_are_counted(made, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_OTHERS", 2)
    for name in "abc":
        made.picture(f"{name}.png")
    others, notes = read_others(made.folder)
    assert len(others) == 2
    assert notes == ["1 more pictures are left out."]


def test_a_small_animation_is_taken_as_it_is(made):
    path = made.gif(frames=5)
    picture = embed(path, made.folder)
    assert content(picture) == path.read_bytes()
    assert picture.source.startswith("data:image/gif;base64,")


def test_a_long_animation_gets_fewer_frames_of_the_same_duration(made, monkeypatch):
    path = made.gif(frames=80, size=(500, 250))
    monkeypatch.setattr(pictures, "GIF_AS_IT_IS", 1000)
    picture = embed(path, made.folder)
    animation = decoded(picture)
    assert picture.size == (360, 180)
    assert 30 <= animation.n_frames <= 48
    assert picture.note == f"{animation.n_frames} of 80 frames, made smaller"
    total = 0
    for frame in range(animation.n_frames):
        animation.seek(frame)
        total += animation.info["duration"]
    assert total == 80 * 40
