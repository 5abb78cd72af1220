"""``lightning-gan data inspect``: the page, its width, its exit code, and what is refused."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from lightning_gan.__main__ import main


@pytest.fixture
def zoo(tmp_path):
    root = tmp_path / "zoo"
    draw = np.random.default_rng(0)
    for number in range(12):
        path = root / ("ant" if number < 4 else "bee") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        height = 16 if number else 24
        Image.fromarray(draw.integers(0, 256, (height, 16, 3), np.uint8)).save(path)
    (root / "bee" / "11.png").write_bytes((root / "ant" / "01.png").read_bytes())
    (root / "bee" / "10.png").write_bytes((root / "bee" / "09.png").read_bytes())
    Image.new("LA", (8, 10)).save(root / "ant" / "02.png")
    (root / "bee" / "04.png").write_bytes((root / "bee" / "04.png").read_bytes()[:300])
    (root / "bee" / "05.JPG").write_text("no image")
    (root / "bee" / "x.heic").write_text("x")
    (root / "ant" / ".hidden").write_text("x")
    return root


PAGE = """\
  images      13
  classes     2
            4  ant
            9  bee
  sizes       3 different ones; smallest, median and largest width 8, 16, 16,
              height 10, 16, 24; 2 not square
  modes       11 RGB, 1 LA; 1 may have transparent pixels
  endings     12 .png, 1 .JPG
  left out    1 .heic, bee/x.heic for one
  left out    1 hidden, ant/.hidden for one
  broken      2
    bee/04.png: image file is truncated
    bee/05.JPG: it is no image, or an unknown kind of one
  duplicates  2 to remove, 1 of them with copies in another class
    ant/01.png = bee/11.png
    bee/09.png = bee/10.png
  served as   11 images in color (channels 3) of the size that you set
              (image_size), cropped at the center where not square; 2 classes; 1
              held out; gray images, 1 of 11, are served in color like the
              others (set channels to 1 for all in gray); transparent pixels of
              1 image are put on white; left out are 1 .heic, bee/x.heic for
              one; broken images end training, unless skip_broken is true
"""


def test_the_page_of_a_folder(zoo, capsys):
    assert main(["data", "inspect", str(zoo)]) == 1
    out = capsys.readouterr().out
    assert out == f"{zoo}\n{PAGE}"
    assert all(len(line) <= 80 for line in out.splitlines()[1:])


def test_the_page_of_a_zip(zoo, capsys):
    path = zoo.parent / "zoo.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(zoo.rglob("*.*")):
            archive.write(file, "./zoo/" + str(file.relative_to(zoo)).replace("/", "\\"))
    assert main(["data", "inspect", str(path)]) == 1
    assert capsys.readouterr().out == f"{path}\n{PAGE}".replace("bee/", "zoo/bee/").replace(
        "ant/", "zoo/ant/"
    )


def test_a_sound_folder_without_classes(tmp_path, capsys):
    for number in range(3):
        Image.new("L", (5, 4), number).save(tmp_path / f"{number}.png")
    assert main(["data", "inspect", str(tmp_path)]) == 0
    assert capsys.readouterr().out == (
        f"{tmp_path}\n"
        "  images      3\n"
        "  classes     none: there are no folders of classes\n"
        "  sizes       all 5x4, not square\n"
        "  modes       3 L\n"
        "  endings     3 .png\n"
        "  broken      none\n"
        "  duplicates  none\n"
        "  served as   3 images in gray (channels 1) of 5x4 pixels; no labels; 1 held out\n"
    )


def test_names_that_are_no_text_are_shown(tmp_path, capsys):
    (tmp_path / "a\udcff.png").write_text("no image")
    assert main(["data", "inspect", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "    a\\udcff.png: it is no image, or an unknown kind of one" in out
    assert "served as   nothing: all images in" in out


@pytest.mark.parametrize("words", [[], ["inspect"], ["show", "x"], ["inspect", "x", "y"]])
def test_other_words(words, capsys):
    assert main(["data", *words]) == 2
    assert capsys.readouterr().err == (
        "error: data expects inspect and a folder or zip of images, got "
        f"{' '.join(words) or 'nothing'}: lightning-gan data inspect my_images\n"
    )


def test_roots_that_hold_no_images(tmp_path, capsys):
    assert main(["data", "inspect", str(tmp_path / "absent")]) == 2
    assert capsys.readouterr().err == f"error: root {tmp_path / 'absent'} does not exist\n"
    assert main(["data", "inspect", "--help"]) == 0
    assert "usage: lightning-gan data inspect ROOT" in capsys.readouterr().out
