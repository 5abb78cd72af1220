"""Training packages: whole, without a pickle, read on another machine, hostile ones refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
import torch
import toys

from lightning_gan import EMA, GANModule, InputError, PluginError
from lightning_gan.evaluation import ScoreCard
from lightning_gan.packages.writing import export_training_package
from lightning_gan.training.checkpoint import read_checkpoint, unpack_checkpoint
from lightning_gan.training.package import TrainingPackage, is_package, take_apart


def make(**parts):
    return toys.gan(ema=EMA(half_life_kimg=0.01), **parts)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A GAN trained for an epoch of four steps, its checkpoint, and the package of that."""
    run = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    gan = make()
    path = run / "checkpoints" / "last.ckpt"
    toys.fit(run, gan, steps=4).save_checkpoint(path, weights_only=False)
    (run / "config.yaml").write_text("data: {class_path: x.Y}\ninit_from: {path: /old}\n")
    scores = {"fid": 12.5, "kid": float("nan")}
    ScoreCard(scores, {}, checkpoint={"step": 3}).save(run / "scorecards" / "step-3.json")
    (run / "scorecards" / "bad.json").write_text("{")
    package = export_training_package(path, run.parent / "digits", license="MIT")
    return gan, path, package


@pytest.fixture
def package(made, tmp_path):
    """A copy of the package, to be spoiled."""
    return Path(shutil.copytree(made[2], tmp_path / "digits"))


def equal(ours, theirs):
    """Whether two trees are equal in every type, value and tensor."""
    if isinstance(ours, torch.Tensor):
        return ours.dtype == theirs.dtype and torch.equal(ours, theirs)
    if isinstance(ours, dict):
        return list(ours) == list(theirs) and all(equal(ours[k], theirs[k]) for k in ours)
    if isinstance(ours, (list, tuple)):
        same = isinstance(theirs, type(ours) if type(ours) in (list, tuple) else tuple)
        return same and len(ours) == len(theirs) and all(map(equal, ours, theirs))
    return type(ours) is type(theirs) and ours == theirs


def test_a_package_is_the_whole_checkpoint(made):
    _, path, package = made
    assert equal(read_checkpoint(path), read_checkpoint(package))
    again = GANModule.load_from_checkpoint(package)
    assert toys.same(toys.weights(again.generator_ema), toys.weights(made[0].generator_ema))


def test_training_goes_on_from_a_package_as_from_its_checkpoint(made, tmp_path):
    _, path, package = made
    ends = []
    for name, start in (("a", path), ("b", unpack_checkpoint(package, tmp_path / "unpacked.ckpt"))):
        gan = make()
        run = toys.trainer(tmp_path / name, max_steps=6)
        run.fit(gan, toys.loader(), ckpt_path=start)
        assert run.global_step == 6
        ends.append(toys.weights(gan.generator))
    assert toys.same(*ends)


def test_what_lies_in_a_package(made):
    package = made[2]
    assert sorted(each.name for each in package.iterdir()) == [
        *("LICENSE", "README.md", "average.safetensors", "config.json"),
        *("discriminator.safetensors", "discriminator_optimizer.safetensors"),
        *("generator.safetensors", "generator_optimizer.safetensors", "package.json"),
        *("samples.png", "scorecards", "training.json", "training.safetensors"),
    ]
    config = json.loads((package / "config.json").read_text())
    assert config == {"data": {"class_path": "x.Y"}, "init_from": None, "ckpt_path": None}
    assert [each.name for each in (package / "scorecards").iterdir()] == ["step-3.json"]
    card = (package / "README.md").read_text()
    assert card.startswith("---\nlicense: mit\nlibrary_name: lightning-gan\n")
    for line in ("| generator | `MLPGenerator`, 176 weights and statistics |", "| fid | 12.5 |"):
        assert line in card
    assert "kid" not in card
    assert "Trained from new weights." in card


def test_the_chain_of_origins_stays_in_the_card(made, tmp_path):
    gan = make()
    gan.init_from(made[2], strict=True)
    toys.fit(tmp_path, gan, steps=1).save_checkpoint(tmp_path / "b.ckpt", weights_only=False)
    second = export_training_package(tmp_path / "b.ckpt", tmp_path / "second.zip")
    third = make()
    third.init_from(second)
    assert [(each["name"], each["kind"]) for each in third.origins] == [
        ("second.zip", "training package"),
        ("digits", "training package"),
    ]
    with zipfile.ZipFile(second) as archive:
        card = archive.read("second/README.md").decode()
    assert "1. Fine-tuned from digits (training package), weights" in card
    assert third.origins[1]["sha256"] in card
    assert "license: unknown" in card


def zipped(package, path, compression=zipfile.ZIP_DEFLATED, top=""):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for each in sorted(package.rglob("*")):
            archive.write(each, top + str(each.relative_to(package)))
    return path


def hugging_face(package, folder):
    """The layout of a snapshot: links with relative targets to files named by their content."""
    blobs, snapshot = folder / "blobs", folder / "snapshots" / "0123"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for each in package.glob("*.*"):
        name = hashlib.sha256(each.read_bytes()).hexdigest()
        shutil.copy(each, blobs / name)
        (snapshot / each.name).symlink_to(f"../../blobs/{name}")
    return snapshot


LAYOUTS = {
    "folder": lambda package, to: package,
    "zip": lambda package, to: zipped(package, to / "a.zip"),
    "zip of a folder": lambda package, to: zipped(package, to / "b.zip", top="digits/"),
    "snapshot": hugging_face,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read(layout, package, made, tmp_path):
    path = LAYOUTS[layout](package, tmp_path / "there")
    gan = make()
    gan.init_from(path, strict=True)
    saved = read_checkpoint(made[1])["state_dict"]
    for name in ("generator", "discriminator", "generator_ema"):
        theirs = {k: saved[f"{name}.{k}"] for k in toys.weights(getattr(gan, name))}
        assert toys.same(toys.weights(getattr(gan, name)), theirs)


@pytest.fixture(autouse=True)
def _there(tmp_path):
    (tmp_path / "there").mkdir()


# What is refused --------------------------------------------------------------------------------


def refusal(path, load=GANModule.load_from_checkpoint):
    with pytest.raises(InputError) as caught:
        make().init_from(path) if load is None else load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rewrite(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_damaged_packages_are_refused(package):
    weights = package / "generator.safetensors"
    whole = weights.read_bytes()
    for content in (whole[:-1], b"", whole + b"x", b"\xff" * 8 + whole[8:]):
        weights.write_bytes(content)
        message = "generator.safetensors is not the file that was packed, or is damaged"
        assert refusal(package, None).endswith(message)
        assert refusal(package).endswith(message)
    weights.unlink()
    assert refusal(package, None).endswith("is incomplete: there is no generator.safetensors")


def test_headers_that_lie_are_refused(package):
    def pack(content):
        (package / "generator.safetensors").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        rewrite(
            package / "package.json", lambda p: p["files"].update({"generator.safetensors": digest})
        )

    pack((2**40).to_bytes(8, "little") + b"{}")
    assert refusal(package, None).endswith("is damaged: its header is too large")
    header = b'{"w":{"dtype":"F32","shape":[1000000],"data_offsets":[0,4000000]}}'
    pack(len(header).to_bytes(8, "little") + header + b"0000")
    assert refusal(package, None).endswith("generator.safetensors is damaged")


@pytest.mark.parametrize("file", ["package.json", "training.json"])
@pytest.mark.parametrize("text", ["", "[", "[" * 10**5, "\udcff", "3", '{"format": 1}'])
def test_json_that_is_none_is_refused(file, text, package):
    (package / file).write_text(text, errors="surrogatepass")
    assert str(package) in refusal(package)


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"tensor": ["../../etc/passwd", "x"]}, "training.json is damaged"),
        ({"tensor": ["generator.safetensors", "nothing"]}, "training.json is damaged"),
        ({"tensor": 3}, "training.json is damaged"),
        ({"items": [[[], 1]]}, "training.json is damaged"),
        ({"float": "x"}, "training.json is damaged"),
        ({"state_dict": {}}, "was not written by a GANModule"),
    ],
)
def test_trees_that_are_none_are_refused(tree, message, package):
    (package / "training.json").write_text(json.dumps(tree))
    assert refusal(package).endswith(message)


def test_a_class_of_a_stranger_is_refused_as_in_a_checkpoint(package):
    def change(tree):
        tree["lightning_gan"]["spec"]["init_args"]["generator"]["class_path"] = "os.system"

    rewrite(package / "training.json", change)
    with pytest.raises((PluginError, InputError), match="os.system"):
        GANModule.load_from_checkpoint(package)
    make().init_from(package, strict=True)  # builds nothing


def test_a_newer_package_says_so(package):
    rewrite(package / "package.json", lambda p: p.update(format=2, version="9.9"))
    assert "was written by lightning-gan 9.9, which is newer than this one" in refusal(package)


def added(source, path, *members):
    """A zip of the package with members that no honest program writes."""
    zipped(source, path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("member", "message"),
    [
        (("../../evil", b"x", 0), "it names files outside of its folder"),
        (("/etc/evil", b"x", 0), "it names files outside of its folder"),
        (("..\\evil", b"x", 0), "it names files outside of its folder"),
        (("C:/evil", b"x", 0), "it names files outside of its folder"),
        (("link", b"/etc/passwd", stat.S_IFLNK | 0o777), "it holds links or encrypted files"),
        (("training.json", b"{}", 0), "it holds two files of one name"),
        (("bomb", b"\0" * 10**7, 0), "it unpacks to more than it can hold"),
        (("sub/package.json", b"{}", 0), "holds 2 package.json, expected one"),
    ],
)
def test_zips_that_no_honest_program_writes_are_refused(member, message, package, tmp_path):
    path = added(package, tmp_path / "evil.zip", member)
    for load in (None, GANModule.load_from_checkpoint):
        assert refusal(path, load).endswith(message)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["digits", "evil.zip", "there"]


def test_a_zip_cut_short_is_refused(package, tmp_path):
    path = zipped(package, tmp_path / "a.zip", zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    place = content.find(b'"kind"')
    content[place + 1] ^= 1
    path.write_bytes(content)
    assert refusal(path).endswith("package.json is damaged")


def test_what_cannot_be_packed_is_said(made, tmp_path):
    _, path, package = made
    weights = {k: v for k, v in read_checkpoint(path).items() if k != "optimizer_states"}
    torch.save(weights, tmp_path / "w.ckpt")
    for source, target, message in (
        (path, tmp_path, "exists already; choose another name"),
        (package, tmp_path / "x", "is a training package already"),
        (tmp_path / "none.ckpt", tmp_path / "x", "no checkpoint at"),
        (tmp_path / "w.ckpt", tmp_path / "x", "holds weights alone, and a training package all"),
    ):
        with pytest.raises(InputError, match=message):
            export_training_package(source, target)
    with pytest.raises(InputError, match="license: got 'a b'; expected an SPDX identifier"):
        export_training_package(path, tmp_path / "x", license="a b")
    with pytest.raises(InputError, match="'a' is a set, which|a is a set, which"):
        take_apart({"a": {1, 2}}, [])
    with pytest.raises(InputError, match="a.0 is a tensor that safetensors cannot hold"):
        take_apart({"a": [torch.eye(2).to_sparse()]}, [])
    left = sorted(each.name for each in tmp_path.iterdir())
    assert left == ["there", "w.ckpt"]


def test_a_licence_of_ones_own(made, tmp_path):
    (tmp_path / "mine.txt").write_text("Do as you like.\n")
    path = export_training_package(made[1], tmp_path / "x", license=str(tmp_path / "mine.txt"))
    assert (path / "LICENSE").read_text() == "Do as you like.\n"
    assert "license: other" in (path / "README.md").read_text()


def test_paths_that_are_no_packages(tmp_path, made):
    assert not is_package(tmp_path)
    assert not is_package(tmp_path / "none")
    assert not is_package(made[1])  # a checkpoint is a zip, too
    assert is_package(made[2])
    assert TrainingPackage(made[2]).description["progress"]["batches"] == 4
    os.mkfifo(tmp_path / "package.json")
    assert not is_package(tmp_path)
