"""Folders that are given to others: formats, contract, reference samples, card."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import exporting
import pytest
import torch
import toys
import yaml
from exporting import Branching, Named, Painter, Speaker, Styled
from safetensors.torch import load_file

from lightning_gan import EMA, InputError, create_generator
from lightning_gan.evaluation import ScoreCard
from lightning_gan.export import formats as formats_of
from lightning_gan.export import load_generator
from lightning_gan.export.card import Origin
from lightning_gan.export.publish import publish
from lightning_gan.priors.uniform import UniformPrior

MISSING = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
needs_onnx = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

# In a process in which our package cannot be imported: every file gives what the reference says.
BLOCKED = """
import json, sys
sys.modules["lightning_gan"] = sys.modules["pytorch_lightning"] = None
import torch
from pathlib import Path
from safetensors.torch import load_file

for folder in map(Path, sys.argv[2:]):
    contract = json.loads((folder / "contract.json").read_text())
    reference = load_file(folder / "reference.safetensors")
    inputs = [reference[about["name"]] for about in contract["inputs"]]
    if sys.argv[1] == "torch_export":
        program = torch.export.load(folder / "generator.pt2").module()
    else:
        import onnxruntime
        session = onnxruntime.InferenceSession(str(folder / "generator.onnx"))
    for n in (1, 5, 16):
        given = [x[:n] for x in inputs]
        if sys.argv[1] == "torch_export":
            found = program(*given)
            found = found if isinstance(found, tuple) else (found,)
        else:
            names = [about["name"] for about in contract["outputs"]]
            fed = {about["name"]: x.numpy() for about, x in zip(contract["inputs"], given)}
            found = [torch.from_numpy(x) for x in session.run(names, fed)]
        assert len(found) == len(contract["outputs"])
        for about, x in zip(contract["outputs"], found):
            expected = reference[about["name"]]
            if about["shape"][:1] == ["N"]:
                assert (x - expected[:n]).abs().max() < 1e-5, (folder, about, n)
            elif n == 16:
                assert (x - expected).abs().max() < 1e-5, (folder, about, n)
print("alike")
"""


def made(kind):
    return {
        "plain": lambda: exporting.gan(
            create_generator(
                "dcgan", sample_shape=(1, 8, 8), num_classes=3, base_channels=2, latent_dim=4
            )
        ),
        "styled": lambda: exporting.gan(Styled(), prior=UniformPrior(-2.0, 2.0)),
        "named": lambda: exporting.gan(Named()),
        "painter": lambda: exporting.gan(Painter(size=8)),
    }[kind]()


EXAMPLES = {"named": {"kind": torch.tensor([2, 0]), "image": exporting.tensors(2, 1, 8, 8)}}


@pytest.fixture(scope="module", params=["torch_export", pytest.param("onnx", marks=needs_onnx)])
def traced(request, tmp_path_factory):
    """A format, and a folder of it for every kind of generator."""
    root = tmp_path_factory.mktemp("traced")
    for kind in ("plain", "styled", "named", "painter"):
        publish(made(kind), root / kind, [request.param], example=EXAMPLES.get(kind))
    return request.param, root


@pytest.mark.slow
def test_it_runs_where_our_package_is_not(traced):
    name, root = traced
    folders = sorted(str(folder) for folder in root.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, name, *folders],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "alike\n", done.stderr[-2000:]


@pytest.mark.slow
def test_the_contract_says_what_goes_in_and_comes_out(traced):
    name, root = traced
    contract = json.loads((root / "named" / "contract.json").read_text())
    assert contract["files"] == {name: formats_of.FILES[name]}
    assert contract["largest_difference"][name] < 1e-5
    assert [about["name"] for about in contract["inputs"]] == ["z", "y.kind", "y.image"]
    assert contract["inputs"][1] == {
        "name": "y.kind", "dtype": "int64", "shape": ["N"], "range": [0, 2],
    }  # fmt: skip
    assert contract["inputs"][2]["shape"] == ["N", 1, 8, 8]
    styled = json.loads((root / "styled" / "contract.json").read_text())
    assert styled["outputs"] == [
        {"name": "samples", "dtype": "float32", "shape": ["N", 1, 8, 8], "range": [-1.0, 1.0]},
        {"name": "extra.w", "dtype": "float32", "shape": ["N", 6]},
        {"name": "extra.size", "dtype": "float32", "shape": []},
    ]
    assert styled["left_out"] == ["extra.word"]
    assert styled["prior"]["arguments"] == {"low": -2.0, "high": 2.0}
    assert styled["prior"]["text"].startswith("Independent uniform latents")
    assert "samples, *others = generator(" in (root / "styled" / "README.md").read_text() or (
        name == "onnx"
    )
    painter = json.loads((root / "painter" / "contract.json").read_text())
    assert [about["name"] for about in painter["inputs"]] == ["y"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A module that has trained a little, with an averaged generator."""
    folder = tmp_path_factory.mktemp("trained")
    gan = exporting.plain(num_classes=3)
    gan = toys.gan(generator=gan.generator, discriminator=gan.discriminator, ema=EMA())
    data = toys.loader(toys.images(shape=exporting.SHAPE), torch.arange(32) % 3)
    toys.fit(folder, gan, steps=2, data=data)
    return gan


def test_the_folder_of_weights(trained, tmp_path):
    done = publish(trained, tmp_path / "g", class_names=["a", "b", "c"], license="mit", seed=3)
    assert done.differences == {"safetensors": 0.0}
    assert sorted(path.name for path in done.folder.iterdir()) == [
        "README.md", "contract.json", "generator.json", "generator.safetensors",
        "reference.safetensors", "samples.png",
    ]  # fmt: skip
    contract = json.loads((done.folder / "contract.json").read_text())
    assert contract["class_names"] == ["a", "b", "c"]
    assert contract["reference"] == {"file": "reference.safetensors", "samples": 16, "seed": 3}
    assert contract["prior"]["text"] == "the standard normal distribution"
    reference = load_file(done.folder / "reference.safetensors")
    loaded = load_generator(done.folder)
    assert torch.equal(reference["y"], torch.arange(16) % 3)
    assert torch.equal(loaded.sample(16, reference["y"], z=reference["z"]), reference["samples"])
    assert torch.equal(loaded.sample(16, reference["y"], seed=3), reference["samples"])
    assert list(tmp_path.iterdir()) == [done.folder]  # nothing unfinished beside it


def test_the_card(trained, tmp_path):
    protocol = {
        "n_fake": 5, "n_real": 6, "split": "train", "seed": 0, "data": {"class": "a.Digits"},
        "generator": {"weights": "averaged"}, "features": {"name": "judge"},
    }  # fmt: skip
    origin = Origin("digits", "Digits", ScoreCard({"fid": 12.5}, protocol))
    publish(trained, tmp_path / "g", license="mit", class_names=["a", "b", "c"], origin=origin)
    text = (tmp_path / "g" / "README.md").read_text()
    _, head, body = text.split("---\n", 2)
    assert yaml.safe_load(head) == {
        "library_name": "lightning-gan",
        "license": "mit",
        "tags": ["gan", "generative-adversarial-network", "image-generation"],
        "pipeline_tag": "unconditional-image-generation",
    }
    for part in (
        "# digits\n", "- batches: 2\n", "- real samples seen: 16\n", "- data: Digits\n", "fid",
        "12.5", "![Samples, not picked](samples.png)", "Classes: 0 a, 1 b, 2 c.",
        "The averaged generator of a GAN (MLPGenerator), which makes samples of shape 1 x 8 x 8 of "
        "3 classes",
    ):  # fmt: skip
        assert part in body
    code = body.split("### safetensors\n\n```python\n")[1].split("```")[0]
    assert len(code.splitlines()) == 3
    assert run_card(tmp_path / "g").shape == (16, 1, 8, 8)


@pytest.mark.skipif(find_spec("huggingface_hub") is None, reason="huggingface_hub is missing")
def test_the_hub_reads_the_head_of_the_card(trained, tmp_path):
    from huggingface_hub import ModelCard

    publish(trained, tmp_path / "g", license="mit")
    data = ModelCard.load(tmp_path / "g" / "README.md").data
    assert (data.license, data.library_name) == ("mit", "lightning-gan")


def test_what_a_run_says_goes_into_the_card(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "scorecards").mkdir()
    (tmp_path / "config.yaml").write_text(
        "data: {class_path: lightning_gan.data.ImageFolder, init_args: {root: /x/cats}}\n"
        "trainer: {default_root_dir: runs/kittens}\n"
    )
    for step in (1, 2):
        card = ScoreCard({"fid": float(step)}, {}, checkpoint={"step": step})
        card.save(tmp_path / "scorecards" / f"{step}.json")
    origin = Origin.of(tmp_path / "checkpoints" / "last.ckpt", 2)
    assert (origin.name, origin.data) == ("kittens", "ImageFolder (cats)")
    assert origin.scores.scores == {"fid": 2.0}
    assert Origin.of(tmp_path / "checkpoints" / "last.ckpt", 3).scores is None


def test_batches_of_images_as_an_example_and_none(tmp_path):
    gan = exporting.gan(Painter())  # of any size
    publish(gan, tmp_path / "guessed")
    reference = load_file(tmp_path / "guessed" / "reference.safetensors")
    assert reference["y"].shape == (16, 1, 32, 32)
    publish(gan, tmp_path / "given", example=exporting.tensors(3, 1, 4, 6))
    reference = load_file(tmp_path / "given" / "reference.safetensors")
    assert reference["y"].shape == (16, 1, 4, 6)
    assert torch.equal(reference["y"][0], reference["y"][3])
    text = (tmp_path / "given" / "README.md").read_text()
    assert "pipeline_tag: image-to-image" in text
    assert torch.equal(run_card(tmp_path / "given"), reference["samples"])


def run_card(folder):
    """Run the card's code for the weights and return its samples."""
    code = (folder / "README.md").read_text().split("### safetensors\n\n```python\n")[1]
    code = code.split("```")[0].replace('load_generator(".")', f"load_generator({str(folder)!r})")
    code = code.replace('"reference.safetensors"', repr(str(folder / "reference.safetensors")))
    names = {}
    exec(code, names)
    return names["samples"]


def test_the_card_of_a_generator_whose_condition_is_a_dict(tmp_path):
    example = {"image": exporting.tensors(3, 1, 8, 8), "kind": torch.tensor([0, 1, 2])}
    publish(exporting.gan(Named()), tmp_path / "g", example=example)
    assert run_card(tmp_path / "g").shape == (16, 1, 8, 8)


@pytest.mark.parametrize(
    "name", ["torch_export", pytest.param("onnx", marks=[needs_onnx, pytest.mark.slow])]
)
def test_images_of_any_size_go_through_a_file_of_a_network_that_takes_them(name, tmp_path):
    gan = exporting.gan(Painter(scale=2))
    publish(gan, tmp_path / "made", ["safetensors", name])
    contract = json.loads((tmp_path / "made" / "contract.json").read_text())
    assert contract["inputs"][0]["shape"] == ["N", 1, "H", "W"]
    assert contract["outputs"][0]["shape"] == ["N", 1, "2*H", "2*W"]
    x = exporting.tensors(1, 1, 5, 7)
    if name == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(tmp_path / "made" / "generator.onnx"))
        found = torch.from_numpy(session.run(None, {"y": x.numpy()})[0])
    else:
        found = torch.export.load(tmp_path / "made" / "generator.pt2").module()(x)
    assert found.shape == (1, 1, 10, 14)
    assert (found - gan.generator(torch.empty(1, 0), x)).abs().max() < 1e-5


@pytest.mark.parametrize(
    "name", ["torch_export", pytest.param("onnx", marks=[needs_onnx, pytest.mark.slow])]
)
def test_sequences_of_any_length_too_with_the_generator_s_own_example(name, tmp_path):
    gan = exporting.gan(Speaker())
    publish(gan, tmp_path / "made", ["safetensors", name])
    reference = load_file(tmp_path / "made" / "reference.safetensors")
    assert torch.equal(reference["y"], gan.generator.example_input(16))
    contract = json.loads((tmp_path / "made" / "contract.json").read_text())
    assert contract["spec"]["class_path"] == "exporting.Speaker"
    assert contract["inputs"][0]["shape"] == ["N", 2, "T"]
    assert contract["outputs"][0]["shape"] == ["N", 1, "3*T"]
    x = exporting.tensors(1, 2, 5)
    if name == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(tmp_path / "made" / "generator.onnx"))
        found = torch.from_numpy(session.run(None, {"y": x.numpy()})[0])
    else:
        found = torch.export.load(tmp_path / "made" / "generator.pt2").module()(x)
    assert found.shape == (1, 1, 15)
    assert (found - gan.generator(torch.empty(1, 0), x)).abs().max() < 1e-5


class Framed(Painter):
    """Of any size in its own words, and in truth of 32 pixels."""

    def forward(self, z, y=None):
        return super().forward(z, y) + torch.ones(32, 32)


def test_what_has_one_size_after_all_is_said_to_have_it(tmp_path):
    publish(exporting.gan(Framed()), tmp_path / "made", ["torch_export"])
    contract = json.loads((tmp_path / "made" / "contract.json").read_text())
    assert contract["inputs"][0]["shape"] == ["N", 1, 32, 32]


def refused(*args, **options):
    with pytest.raises(InputError) as caught:
        publish(*args, **options)
    return str(caught.value)


def test_what_cannot_be_traced_leaves_nothing(tmp_path):
    message = refused(exporting.gan(Branching()), tmp_path / "g", ["safetensors", "torch_export"])
    assert message.startswith(
        "Branching cannot be traced by torch.export, for it does what depends on values or on the "
        "number of samples: "
    )
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


def test_what_differs_is_not_given_away(trained, tmp_path, monkeypatch):
    def off(gan, interface, inputs, to):
        return lambda given: tuple(x + 0.1 for x in interface.run(given))

    monkeypatch.setitem(formats_of.FORMATS, "onnx", off)
    monkeypatch.setattr(formats_of, "NEEDS", {})
    message = refused(trained, tmp_path / "g", ["onnx"])
    assert message == (
        "generator.onnx differs from the generator by 0.1 in samples, which is more than rounding; "
        "nothing was written"
    )
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments(trained, tmp_path, monkeypatch):
    assert refused(trained, tmp_path / "g", ["onx"]) == (
        "unknown format 'onx', did you mean 'onnx'? Expected one of safetensors, torch_export, "
        "onnx, or several with commas between them"
    )
    assert refused(trained, tmp_path / "g", []) == (
        "format expects one of safetensors, torch_export, onnx, got nothing"
    )
    assert refused(trained, tmp_path / "g", class_names=["a"]) == (
        "class_names must name each of 3 classes, got 1"
    )
    assert refused(exporting.gan(Named()), tmp_path / "g").startswith(
        "Named asks for a condition that nobody knows: pass one of its inputs, --input FILE"
    )
    assert refused(trained, tmp_path / "g", example=torch.zeros(2)) == (
        "example expects the conditions of a few samples, N first"
    )
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    message = f"{tmp_path}/full exists and is not empty; choose another folder"
    assert refused(trained, tmp_path / "full") == message
    (tmp_path / "file").write_text("mine")
    assert "file exists and is not empty" in refused(trained, tmp_path / "file")
    monkeypatch.setattr(formats_of, "find_spec", lambda name: None)
    assert refused(trained, tmp_path / "g", ["onnx"]) == (
        "the format onnx needs onnx, onnxscript, onnxruntime, which is not installed; try: pip "
        "install 'lightning-gan[onnx]'"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]


def test_an_empty_folder_is_filled(trained, tmp_path):
    (tmp_path / "g").mkdir()
    publish(trained, tmp_path / "g")
    assert (tmp_path / "g" / "README.md").is_file()
