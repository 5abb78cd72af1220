"""The commands that draw from a generator, and the one that exports it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import exporting
import numpy as np
import pytest
import tifffile
import torch
import toys
from exporting import Painter
from PIL import Image

from lightning_gan import load_generator
from lightning_gan.callbacks import run_bar
from lightning_gan.cli.commands import command_file, sample
from lightning_gan.cli.given import sides, texts, whole_from, wholes
from lightning_gan.errors import InputError

COMMANDS = ("export", "sample", "interpolate", "manifold", "project", "translate")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Checkpoints: of three classes and two latents, and of a painter."""
    folder = tmp_path_factory.mktemp("files")
    made = {
        "plain": exporting.plain(num_classes=3, latent_dim=2),
        "painter": exporting.gan(Painter(scale=2)),
    }
    for name, gan in made.items():
        exporting.save(gan, folder / f"{name}.ckpt")
    return folder


@pytest.fixture
def run(command, files, tmp_path):
    for name in ("plain", "painter"):
        shutil.copy(files / f"{name}.ckpt", tmp_path)
    return command


def test_one_picture(run):
    result = run("sample plain.ckpt --out=new/a.png --num 6 --grid=2x3")
    assert (result.code, result.err) == (0, "")
    assert result.out == "samples: 6 in new/a.png\n"
    with Image.open("new/a.png") as picture:
        assert picture.size[0] / picture.size[1] == pytest.approx(1.5, abs=0.02)
    before = Path("new/a.png").read_bytes()
    assert run("sample plain.ckpt --out=new/a.png").error == (
        "out: new/a.png exists already; choose another name"
    )
    assert Path("new/a.png").read_bytes() == before


def test_arrays_are_those_of_python(run):
    assert run("sample plain.ckpt out=a.npz --num=7 --labels 0,2 --seed=3 --batch_size=2").code == 0
    found = np.load("a.npz")
    assert sorted(found.files) == ["samples", "y", "z"]
    assert found["y"].tolist() == [0, 2, 0, 2, 0, 2, 0]
    loaded = load_generator("plain.ckpt")
    expected = loaded.sample(7, labels=found["y"], seed=3)
    assert np.abs(found["samples"] - expected.numpy()).max() < 1e-5
    run("sample plain.ckpt --out=b.npz --num=7 --labels=0,2 --seed=3 --truncation=0.5")
    assert np.allclose(np.load("b.npz")["z"], found["z"] / 2)


def test_a_folder_of_pictures(run):
    assert run("sample plain.ckpt --out=all --num=5 --labels=0,1,2 --batch_size=2").code == 0
    names = [f"{n:06d}-class{n % 3}.png" for n in range(5)]
    assert sorted(path.name for path in Path("all").iterdir()) == names
    with Image.open("all/000003-class0.png") as picture:
        pixels = np.asarray(picture)
    sample_3 = load_generator("plain.ckpt").sample(5, labels=[0, 1, 2, 0, 1], seed=0)[3, 0]
    expected = sample_3.add(1).mul(127.5).round().numpy()
    assert np.abs(pixels - expected).max() <= 1
    assert run("sample plain.ckpt --out=all").error == (
        "out: all exists and is not empty; choose another folder"
    )


def test_it_says_how_far_it_is(run, monkeypatch):
    monkeypatch.setattr(run_bar, "FIRST_LINE_S", 0.0)
    monkeypatch.setattr(run_bar, "LINE_S", 0.0)
    out = run("sample plain.ckpt --out=all --num=4 --batch_size=2").out
    assert "sampling: step 1 of 2" in out
    assert "sampling: step 2 of 2" in out


def test_nothing_is_left_of_a_folder_that_fails(run, tmp_path, monkeypatch):
    def fails(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(sample, "_write_each", fails)
    assert run("sample plain.ckpt --out=all").code == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["painter.ckpt", "plain.ckpt"]


def test_ways_as_a_picture_and_as_a_gif(run):
    assert run("interpolate plain.ckpt --out=w.png --rows=2 --columns=4").out == (
        "ways: 2 in w.png\n"
    )
    assert run("interpolate plain.ckpt --out=w.gif --rows=4 --columns=3 --labels=1").code == 0
    with Image.open("w.gif") as moving:
        assert moving.n_frames in (3, 4)  # there and back; equal frames may be one
        assert moving.size[0] == moving.size[1]
    assert run("interpolate plain.ckpt --out=w.jpg").error == (
        "interpolate: --out expects FILE.png or FILE.gif, got w.jpg"
    )


def test_the_plane(run):
    assert run("manifold plain.ckpt --out=m.png --size=3 --labels=0").code == 0
    with Image.open("m.png") as picture:
        assert picture.size[0] == picture.size[1]


def test_the_nearest_latent(run):
    run("sample plain.ckpt --out=all --num=1 --labels=1 --seed=5")
    result = run("project plain.ckpt all/000000-class1.png --out=p --steps=40 --starts=2")
    assert result.code == 0
    line, _ = result.out.splitlines()
    name, told = line.split(": ")
    error = float(told.split(" (in -1 to 1; ")[0])
    assert name == "root mean square error"
    assert error < 0.1
    assert sorted(path.name for path in Path("p").iterdir()) == ["latent.npz", "pair.png"]
    latent = np.load("p/latent.npz")
    assert latent["z"].shape == (2,)
    assert float(latent["error"]) == pytest.approx(error, abs=1e-4)
    assert run("project plain.ckpt none.png --out=q").error == "project: no image at none.png"
    assert not Path("q").exists()


def test_home_is_where_it_is_behind_an_equals_sign(run, monkeypatch):
    Path("home").mkdir()
    monkeypatch.setenv("HOME", str(Path("home").resolve()))
    assert run("sample plain.ckpt --out=~/a.png --num=1").code == 0
    assert Path("home/a.png").is_file()
    assert not Path("~").exists()


def test_a_folder_of_inputs(run):
    Path("in/deep").mkdir(parents=True)
    for name, size in (("a.png", (20, 12)), ("deep/b.jpg", (9, 9)), ("a.bmp", (4, 4))):
        Image.new("L", size, 100).save(Path("in") / name)
    Path("in/notes.txt").write_text("none")
    result = run("translate painter.ckpt in out --tile=8 --overlap=2")
    assert result.out == "translated: 3 images in out\n"
    found = {str(path.relative_to("out")): path for path in Path("out").rglob("*.png")}
    assert sorted(found) == ["a.bmp.png", "a.png.png", "deep/b.png"]
    with Image.open(found["a.png.png"]) as picture:
        assert picture.size == (40, 24)
    assert run("translate painter.ckpt in out").error == (
        "translate: out exists and is not empty; choose another folder"
    )
    assert run("translate painter.ckpt nothing other").error == (
        "translate: there is no folder nothing"
    )
    assert run("translate plain.ckpt in other").error.startswith(
        "translate expects a generator whose condition is an image, got one of classes"
    )
    assert run("sample painter.ckpt --out=a.png").error.startswith(
        "this generator makes its samples of an input: use lightning-gan translate"
    )
    assert not Path("other").exists()


def test_files_that_a_generator_reads_itself(run, tmp_path):
    exporting.save(exporting.gan(exporting.Speaker()), tmp_path / "speaker.ckpt")
    Path("in/deep").mkdir(parents=True)
    for name in ("a.txt", "a.md", "deep/b.TXT"):
        (Path("in") / name).write_text(name)
    Path("in/c.png").write_text("none")
    result = run("translate speaker.ckpt in out")
    assert result.out == "translated: 3 files in out\n"
    found = {str(f.relative_to("out")): f.read_text() for f in Path("out").rglob("*.said")}
    assert found == {"a.md.said": "A.MD", "a.txt.said": "A.TXT", "deep/b.said": "DEEP/B.TXT"}
    assert run("translate speaker.ckpt in x --tile=8").error == (
        "translate: --tile is for images, and Speaker reads files of its own: leave it out"
    )
    assert run("translate speaker.ckpt in x --input_range=unit").error == (
        "translate: --input_range is for images, and Speaker reads files of its own: leave it out"
    )
    Path("in/a.md.txt").write_text("c")
    assert run("translate speaker.ckpt in x").error == (
        "translate: in/a.md and in/a.md.txt would both become a.md.said: rename one"
    )
    Path("in/a.md.txt").unlink()
    Path("in/d.txt").write_text("")
    assert run("translate speaker.ckpt in x").error == "in/d.txt says nothing"
    assert not Path("x").exists()
    Path("none").mkdir()
    assert run("translate speaker.ckpt none x").error == (
        "translate: there are no files with .txt or .md in none"
    )


def test_deep_inputs_come_out_deep(run):
    """A window names black and white; what PNGs cannot hold is in arrays."""
    Path("deep").mkdir()
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 65  # 12 bits, kept in 16
    tifffile.imwrite("deep/a.tif", values)
    Image.fromarray((values // 17).astype(np.uint8)).save("deep/b.png")
    assert run("translate painter.ckpt deep out --white=4095").error == (
        "cannot read the image deep/b.png: its values are uint8 in 0..255, and black to white is 0 "
        "to 4095"
    )
    Path("deep/b.png").unlink()
    assert run("translate painter.ckpt deep out --white=4095").code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.npy", "a.png"]
    found = np.load("out/a.npy")
    network = load_generator("painter.ckpt")
    given = torch.from_numpy(values / 4095 * 2 - 1).float()[None, None]
    expected = network(torch.empty(1, 0), given)[0].detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with Image.open("out/a.png") as picture:
        shown = np.asarray(picture).astype(float)
    np.testing.assert_allclose(shown, (found[0] + 1) * 127.5, atol=0.51)
    assert run("translate painter.ckpt deep x --white=ten").error == (
        "translate: --white expects a number, got 'ten'"
    )
    assert "black must be below white" in run("translate painter.ckpt deep x --black=9e4").error


def test_an_exported_folder(run):
    result = run("export plain.ckpt --out=g --license mit --class_names=a,b,c")
    assert result.out == (
        "exporting plain.ckpt as safetensors\n"
        "generator.safetensors: differs from the generator by at most 0\nexport: g\n"
    )
    run("sample plain.ckpt --out=a.npz --num=3")
    run("sample g --out=b.npz --num=3")
    assert np.array_equal(np.load("a.npz")["samples"], np.load("b.npz")["samples"])
    assert json.loads(Path("g/contract.json").read_text())["class_names"] == ["a", "b", "c"]
    assert "license: mit" in Path("g/README.md").read_text()
    assert run("export plain.ckpt --out=g").error == (
        "export: --out=g exists and is not empty; choose another folder"
    )
    assert run("export g --out=h").error == (
        "export expects a checkpoint or a run, got the exported folder g"
    )
    assert run("export plain.ckpt --out=h --format=pickle").error.startswith(
        "unknown format 'pickle'. Expected one of safetensors"
    )
    assert not Path("h").exists()


def test_an_input_for_an_export(run):
    np.save("y.npy", np.zeros((2, 1, 6, 6), np.float32))
    assert run("export painter.ckpt --out=g --input y.npy").code == 0
    contract = json.loads(Path("g/contract.json").read_text())
    assert contract["inputs"][0]["shape"] == ["N", 1, "H", "W"]
    assert contract["outputs"][0]["shape"] == ["N", 1, "2*H", "2*W"]
    Path("y.npy").write_text("none")
    assert run("export painter.ckpt --out=h --input=y.npy").error.startswith("cannot read y.npy: ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("sample", "sample expects PATH first, got nothing: lightning-gan sample runs/"),
        ("sample a b --out=x.png", "sample expects PATH first, got a b: "),
        ("sample plain.ckpt", "sample: --out is needed: lightning-gan sample runs/"),
        ("sample plain.ckpt --nun=3", "sample: unknown option --nun, did you mean '--num'? Opt"),
        ("sample plain.ckpt --num", "sample: --num needs a value: --num=VALUE"),
        ("sample plain.ckpt --num --seed=1", "sample: --num needs a value: --num=VALUE"),
        ("sample plain.ckpt --num=", "sample: --num is empty; leave it out or give a value"),
        ("sample plain.ckpt --num=2 --num=3", "sample: --num is given twice"),
        ("sample plain.ckpt --num -1", "sample: --num expects a whole number from 1, got '-1'"),
        ("sample plain.ckpt --labels=a", "sample: --labels expects whole numbers with commas"),
        ("sample plain.ckpt --grid=8", "sample: --grid expects ROWSxCOLUMNS, such as 8x8, got '8'"),
        ("sample plain.ckpt --truncation=x", "sample: --truncation expects a number from 0, got"),
        ("sample plain.ckpt --trust=1", "sample: --trust expects true or false, got '1'"),
        ("sample plain.ckpt --out=a.npz --grid=2x2", "sample: --grid is for one picture, --out=F"),
        ("sample plain.ckpt --out=a.png --grid=2x2 --num=5", "sample: --grid=2x2 holds 4, --num i"),
        ("sample plain.ckpt --out=a.png --labels=3", "class labels must lie in 0..2 (num_classes="),
        ("sample plain.ckpt --out=a.png --device=x", "device: got 'x'; "),
        ("sample plian.ckpt --out=a.png", "nothing is at plian.ckpt, did you mean 'plain.ckpt'?"),
        ("sample plain.ckpt -m --out=a.png", "sample takes no -m; see lightning-gan sample --help"),
        ("manifold plain.ckpt --out=a", "manifold: --out expects FILE.png, got a"),
        ("project plain.ckpt a.png --out=b.png", "project: --out expects a folder, got b.png"),
        ("translate painter.ckpt . x --channels=2", "translate: --channels expects 1 or 3, got 2"),
        ("translate painter.ckpt . x --input_range=sym", "translate: --input_range expects one of"),
        ("export plain.ckpt", "export: --out is needed, the folder to write: lightning-gan expor"),
    ],
)
def test_wrong_words(words, message, run, tmp_path):
    result = run(words)
    assert result.code == 2
    assert result.error.startswith(message)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["painter.ckpt", "plain.ckpt"]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_page(name, command):
    result = command(f"{name} --help")
    assert result.code == 0
    assert result.out.startswith(f"usage: lightning-gan {name} ")
    assert max(map(len, result.out.splitlines())) <= 100
    known = getattr(command_file(name), name.upper())
    for option in known.options:
        assert f"\n  --{option.name}" in result.out
        assert option.default is None or option.shown


def test_readers():
    assert whole_from(0)("7") == 7
    assert wholes("[1, 2]") == [1, 2]
    assert texts("[a, b]") == ["a", "b"]
    assert sides("2x3") == (2, 3)
    with pytest.raises(InputError, match="ROWSxCOLUMNS"):
        sides("0x3")


def test_samples_that_are_no_images(run, tmp_path):
    gan = toys.gan(
        generator=toys.generator(sample_shape=(2,)),
        discriminator=toys.discriminator(sample_shape=(2,)),
    )
    exporting.save(gan, tmp_path / "points.ckpt")
    for out in ("a.png", "all"):
        assert run(f"sample points.ckpt --out={out}").error == (
            "samples of shape (2,) are no images: write them to FILE.npz"
        )
        assert not Path(out).exists()
    assert run("sample points.ckpt --out=a.npz").code == 0
    assert np.load("a.npz")["samples"].shape == (64, 2)
    assert torch.is_tensor(load_generator("points.ckpt").sample(1))
