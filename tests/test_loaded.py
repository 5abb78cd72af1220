"""Generators from wherever they are, sampled, whatever the number and the batch size."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from importlib.util import find_spec

import exporting
import pytest
import torch
import toys
from exporting import Named, Painter, Styled

import lightning_gan
from lightning_gan import EMA, InputError, Prior, load_generator
from lightning_gan.components.following import weights_follow
from lightning_gan.export import LoadedGenerator, export_generator
from lightning_gan.priors.normal import NormalPrior
from lightning_gan.priors.uniform import UniformPrior
from lightning_gan.sampling.images import read_image
from lightning_gan.sampling.projection import project
from lightning_gan.sampling.translation import translate
from lightning_gan.sampling.ways import latents, manifold, ways


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A module of three classes with an averaged generator, and its run with a checkpoint."""
    run = tmp_path_factory.mktemp("run")
    generator = toys.generator(sample_shape=exporting.SHAPE, num_classes=3)
    gan = exporting.gan(generator, ema=EMA(half_life_kimg=1.0), prior=UniformPrior(0.0, 2.0))
    data = toys.loader(toys.images(shape=exporting.SHAPE), torch.arange(32) % 3)
    trainer = toys.fit(run, gan, steps=3, data=data)
    trainer.save_checkpoint(run / "checkpoints" / "last.ckpt")
    return gan, run


@pytest.fixture(scope="module")
def loaded(trained):
    return load_generator(trained[1])


def test_the_same_samples_from_everywhere(trained, tmp_path):
    gan, run = trained
    expected = gan.sample(6, labels=[0, 1, 2, 0, 1, 2], seed=4)
    last = run / "checkpoints" / "last.ckpt"
    folder = export_generator(gan, tmp_path / "g")
    for path in (last, run, run / "checkpoints", folder, str(folder)):
        generator = lightning_gan.load_generator(path)
        assert isinstance(generator, LoadedGenerator)
        assert not generator.training
        found = generator.sample(6, labels=[0, 1, 2, 0, 1, 2], seed=4)
        assert torch.equal(found, expected), path
        assert (generator.latent_dim, generator.num_classes) == (3, 3)
        assert generator.about["progress"]["batches"] == 3
        assert generator.about["averaged"] is True
        z = torch.rand(2, 3)
        y = torch.tensor([1, 2])
        assert torch.equal(generator(z, y), gan.generator_ema(z, y))


def test_whatever_the_number_and_the_batch_size(loaded):
    whole = loaded.sample(300, seed=7)
    for n, batch_size in ((300, 1), (300, 7), (16, 256), (1, 256), (257, 100)):
        found = loaded.sample(n, seed=7, batch_size=batch_size)
        assert found.shape[0] == n
        assert (found - whole[:n]).abs().max() < 1e-5
    assert not torch.equal(loaded.sample(16, seed=8), whole[:16])
    assert loaded.sample(0, seed=1).shape == (0, 1, 8, 8)
    pieces = list(loaded.sample_in_pieces(300, seed=7, batch_size=128))
    assert [len(piece.z) for piece in pieces] == [128, 128, 44]
    assert torch.equal(torch.cat([piece.samples for piece in pieces]), whole)
    assert [len(piece.y) for piece in pieces] == [128, 128, 44]


def test_a_gpu_does_not_round_what_is_loaded():
    class Looking(Styled):
        def forward(self, z, y=None):
            seen.append(torch.backends.cudnn.allow_tf32)
            return super().forward(z, y)

    seen = []
    before = torch.backends.cudnn.allow_tf32
    LoadedGenerator(Looking(), Prior()).sample(2)
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32 == before
    exporting.gan(Looking()).sample(2)
    assert seen[1] == before


def test_sampling_leaves_random_states_alone(loaded):
    before = torch.get_rng_state()
    loaded.sample(3)
    assert torch.equal(torch.get_rng_state(), before)


def test_truncation_draws_latents_towards_the_center(loaded):
    def latents(psi):
        return torch.cat([p.z for p in loaded.sample_in_pieces(8, seed=1, truncation=psi)])

    z = latents(None)
    assert torch.allclose(latents(0.5), 1 + 0.5 * (z - 1))  # of U(0, 2)
    assert torch.equal(latents(1.0), z)
    assert torch.equal(latents(0.0), torch.ones(8, 3))
    one, other = loaded.sample(2, labels=[1, 1], seed=1, truncation=0.0)
    assert torch.allclose(one, other, atol=1e-5)
    assert Prior().center == 0
    assert NormalPrior(mean=2.0).center == 2


def test_a_generator_with_a_truncation_of_its_own_is_told():
    class Styles(Styled):
        truncation = 1.0
        w_mean = 0.25

        def forward(self, z, y=None):
            w = self.map(z)
            if not self.training:
                w = self.w_mean + self.truncation * (w - self.w_mean)
            return self.out(w).tanh().view(-1, *exporting.SHAPE)

    generator = Styles()
    loaded = LoadedGenerator(generator, Prior())
    flat = generator.out(torch.full((1, 6), 0.25)).tanh().view(1, 1, 8, 8)
    assert torch.allclose(loaded.sample(3, seed=0, truncation=0.0), flat.expand(3, -1, -1, -1))
    assert generator.truncation == 1
    z = next(loaded.sample_in_pieces(3, seed=0, truncation=0.5)).z
    assert torch.equal(z, next(loaded.sample_in_pieces(3, seed=0)).z)
    # On ways as well: their latents stay.
    assert torch.equal(z, latents(loaded, 3, 0, truncation=0.5))
    assert torch.allclose(ways(loaded, 1, 3, truncation=0.0), flat.expand(1, 3, -1, -1, -1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": -1}, "n must be a whole number from 0, got -1"),
        ({"n": 2, "batch_size": 0}, "batch_size must be a whole number from 1, got 0"),
        ({"n": 2, "truncation": -0.5}, "truncation must not be negative, got -0.5"),
        ({"n": 2, "truncation": math.nan}, "truncation must be a finite number, got nan"),
        ({"n": 2, "labels": [0, 3]}, "class labels must lie in 0..2 (num_classes=3), got 0..3"),
    ],
)
def test_wrong_numbers(loaded, options, message):
    with pytest.raises(InputError) as caught:
        loaded.sample(**options)
    assert str(caught.value) == message


def test_a_prior_that_is_not_described_is_asked_for(tmp_path):
    class Odd(Prior):
        def __init__(self, draw):
            super().__init__()
            self.draw = draw

        def sample(self, n, latent_dim, *, generator, device):
            return self.draw(n, latent_dim)

    gan = exporting.gan(Styled(), prior=Odd(lambda n, size: torch.ones(n, size)))
    loaded = load_generator(export_generator(gan, tmp_path / "g"))
    assert loaded.sample(2, z=torch.zeros(2, 3)).shape == (2, 1, 8, 8)
    with pytest.raises(InputError, match=r"the prior of this generator could not be described wh"):
        loaded.sample(2)
    given = load_generator(tmp_path / "g", prior=gan.prior)
    assert torch.equal(given.sample(2, seed=0), gan.sample(2, seed=0))


class Shifted(Prior):
    """A prior with a tensor and a number of its own."""

    def __init__(self):
        super().__init__()
        self.register_buffer("shift", torch.zeros(()))
        self.scale = 1.0

    def get_extra_state(self):
        return {"scale": self.scale}

    def set_extra_state(self, state):
        self.scale = state["scale"]

    def sample(self, n, latent_dim, *, generator, device):
        z = torch.randn(n, latent_dim, generator=generator, device=device)
        return z * self.scale + self.shift


def test_the_state_of_a_prior_comes_along(tmp_path):
    gan = exporting.gan(Styled(), prior=Shifted())
    gan.prior.shift.fill_(3.0)
    gan.prior.scale = 0.5
    folder = export_generator(gan, tmp_path / "g")
    assert (folder / "prior.safetensors").is_file()
    assert torch.equal(load_generator(folder).sample(3, seed=0), gan.sample(3, seed=0))


class Begun(Styled):
    """A generator that begins with the weights of a file."""

    def __init__(self, file: str) -> None:
        super().__init__()
        if not weights_follow():
            self.load_state_dict(torch.load(file, weights_only=True))


def test_the_file_that_a_network_began_with_is_not_needed(tmp_path):
    file = tmp_path / "begun.pt"
    torch.save(Styled().state_dict(), file)
    gan = exporting.gan(Begun(str(file)))
    folder = export_generator(gan, tmp_path / "g")
    file.unlink()
    assert torch.equal(load_generator(folder).sample(3, seed=0), gan.sample(3, seed=0))
    assert not weights_follow()


def test_what_is_not_there(tmp_path):
    def refusal(path):
        with pytest.raises(InputError) as caught:
            load_generator(path)
        return str(caught.value)

    (tmp_path / "made").mkdir()
    assert refusal(tmp_path / "mode") == (
        f"nothing is at {tmp_path}/mode, did you mean '{tmp_path}/made'?"
    )
    (tmp_path / "made" / "generator.onnx").touch()
    assert refusal(tmp_path / "made") == (
        f"{tmp_path}/made holds generator.onnx, which runs without lightning-gan; to load it here, "
        "export it with --format safetensors as well"
    )
    (tmp_path / "runs" / "version_1" / "checkpoints").mkdir(parents=True)
    (tmp_path / "runs" / "version_1" / "checkpoints" / "last.ckpt").touch()
    assert refusal(tmp_path / "runs") == (
        f"{tmp_path}/runs holds several runs: name one, such as {tmp_path}/runs/version_1"
    )
    (tmp_path / "models--a--b" / "snapshots").mkdir(parents=True)
    assert refusal(tmp_path / "models--a--b").endswith("Hugging Face cache without a main branch")
    assert refusal("hf://digits") == (
        "expected hf://user/name or hf://user/name@revision, got 'hf://digits'"
    )


# The Hugging Face hub -----------------------------------------------------------------------------

hub = pytest.mark.skipif(find_spec("huggingface_hub") is None, reason="huggingface_hub is missing")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
OFFLINE = """
import sys
from lightning_gan import InputError, load_generator
print(float(load_generator("hf://user/digits").sample(4, seed=0).sum()))
print(float(load_generator("hf://user/digits@main").sample(4, seed=0).sum()))
try:
    load_generator("hf://user/others")
except InputError as error:
    print(error)
"""


@pytest.fixture
def cache(trained, tmp_path):
    """A cache of the hub with one model, as huggingface_hub lays it out."""
    model = tmp_path / "hub" / "models--user--digits"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text(COMMIT)
    export_generator(trained[0], model / "snapshots" / COMMIT)
    return tmp_path / "hub"


def test_a_folder_of_the_cache(trained, cache):
    found = load_generator(cache / "models--user--digits").sample(4, seed=0)
    assert torch.equal(found, trained[0].sample(4, seed=0))


@hub
@pytest.mark.slow
def test_the_hub_offline(trained, cache):
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(cache)},
        capture_output=True,
        text=True,
    )
    first, second, error = done.stdout.splitlines()
    expected = trained[0].sample(4, seed=0).sum().item()
    assert float(first) == pytest.approx(expected, abs=1e-4)
    assert first == second
    assert error == (
        "hf://user/others is not in the cache of the Hugging Face hub, and the hub cannot be "
        "reached or HF_HUB_OFFLINE is set: load it once where there is a connection, or name a "
        "folder"
    )


def test_without_the_hub_package(monkeypatch):
    from lightning_gan.export import hub

    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs huggingface_hub, .* 'lightning-gan\[hub\]'"):
        load_generator("hf://user/digits")


# Ways, planes, projections, inputs ----------------------------------------------------------------


def test_ways_end_in_latents_of_the_seed(loaded):
    found = ways(loaded, 2, 5, labels=torch.tensor([2, 0]), seed=3)
    assert found.shape == (2, 5, 1, 8, 8)
    z = next(loaded.sample_in_pieces(4, seed=3)).z
    ends = loaded.sample(4, labels=[2, 0, 2, 0], z=z)
    assert torch.allclose(found[:, 0], ends[:2], atol=1e-6)
    assert torch.allclose(found[:, -1], ends[2:], atol=1e-6)
    with pytest.raises(InputError, match="without latents has nothing to interpolate between"):
        ways(LoadedGenerator(Painter(), Prior()), 1, 2)


def test_a_plane_for_each_class(loaded):
    plane = LoadedGenerator(
        toys.generator(sample_shape=(1, 4, 4), latent_dim=2, num_classes=3), Prior()
    )
    one = manifold(plane, 3, labels=torch.tensor([1]))
    four = manifold(plane, 3)
    assert one.shape[0] == 3
    assert four.shape[1:] == (2 * one.shape[1] + 8, 2 * one.shape[2] + 8)
    assert torch.equal(four[:, : one.shape[1], one.shape[2] + 8 :], one)
    assert (four[:, one.shape[1] + 8 :, one.shape[2] + 8 :] == 1).all()  # no fourth class
    with pytest.raises(InputError, match="manifold expects a generator with two latents, got 3"):
        manifold(loaded, 3)


def test_the_latent_of_a_sample_is_found(loaded):
    (image,) = loaded.sample(1, labels=[2], seed=99)
    before = torch.get_rng_state()
    found = project(loaded, image, label=2, steps=60, starts=2)
    assert found.y == 2
    assert found.error < 0.01
    assert found.error < found.first_error / 3
    again = loaded.sample(1, labels=[2], z=found.z[None])[0]
    assert torch.allclose(again, found.sample, atol=1e-5)
    assert (again - image).square().mean().sqrt().item() == pytest.approx(found.error, rel=1e-3)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(p.grad is None for p in loaded.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be a whole number from 1, got 0"),
        ({"starts": 0}, "starts must be a whole number from 1, got 0"),
        ({"label": 3}, "class labels must lie in 0..2 (num_classes=3), got 3..3"),
    ],
)
def test_wrong_projections(loaded, options, message):
    with pytest.raises(InputError) as caught:
        project(loaded, torch.zeros(1, 8, 8), **options)
    assert str(caught.value) == message
    with pytest.raises(InputError, match=r"the image has shape \(1, 4, 4\), the samples"):
        project(loaded, torch.zeros(1, 4, 4))


@pytest.mark.parametrize("scale", [1, 2])
def test_tiles_give_what_the_whole_gives(scale):
    painter = LoadedGenerator(Painter(scale=scale), Prior())
    torch.nn.init.dirac_(painter.generator.layer.weight)  # what a pixel becomes, it decides alone
    image = exporting.tensors(1, 21, 17)
    whole = translate(painter, image, tile=32)
    assert whole.shape == (1, 21 * scale, 17 * scale)
    for tile, overlap in ((8, 3), (8, 0), (10, 5), (16, 1)):
        tiled = translate(painter, image, tile=tile, overlap=overlap, batch_size=2)
        assert torch.allclose(tiled, whole, atol=1e-6)


def test_tiles_are_blended_where_they_overlap():
    class Own(Painter):
        """Each tile becomes its own mean."""

        def forward(self, z, y=None):
            return y.mean(dim=(1, 2, 3), keepdim=True).expand_as(y)

    image = torch.cat([torch.zeros(1, 4, 4), torch.ones(1, 4, 3)], dim=2)
    found = translate(LoadedGenerator(Own(), Prior()), image, tile=4, overlap=1)
    first, second = 0.0, 0.75
    row = [first] * 3 + [(first + second) / 2] + [second] * 3
    assert torch.allclose(found[0, 0], torch.tensor(row))


def test_a_generator_of_one_size_gets_whole_tiles():
    painter = LoadedGenerator(Painter(size=8), Prior())
    assert translate(painter, exporting.tensors(1, 5, 6), overlap=2).shape == (1, 5, 6)
    assert translate(painter, exporting.tensors(1, 20, 9), overlap=2).shape == (1, 20, 9)


def test_images_that_cannot_be_translated():
    painter = LoadedGenerator(Painter(), Prior())
    with pytest.raises(InputError, match=r"Painter cannot take an image of shape \(3, 4, 4\): "):
        translate(painter, exporting.tensors(3, 4, 4))
    message = "overlap must be a whole number from 0 to half a tile, 4, got 5"
    with pytest.raises(InputError, match=message):
        translate(painter, exporting.tensors(1, 20, 20), tile=8, overlap=5)


def test_image_files(tmp_path):
    from PIL import Image

    picture = Image.new("L", (6, 4), 255)
    picture.paste(0, (0, 0, 3, 4))
    picture.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", None).shape == (1, 4, 6)
    found = read_image(tmp_path / "a.png", 3, (4, 4))
    assert found.shape == (3, 4, 4)
    assert found[0].tolist() == [[-1.0, -1.0, 1.0, 1.0]] * 4  # the middle, cropped
    assert read_image(tmp_path / "a.png", 1, (2, 3)).shape == (1, 2, 3)
    with pytest.raises(InputError, match=f"no image at {tmp_path}/b.png"):
        read_image(tmp_path / "b.png", None)
    (tmp_path / "b.png").write_text("nothing")
    with pytest.raises(InputError, match=f"cannot read the image {tmp_path}/b.png: "):
        read_image(tmp_path / "b.png", None)


def test_conditions_of_other_kinds_are_passed_on():
    loaded = LoadedGenerator(Named(), Prior())
    y = {"kind": torch.tensor([0, 2]), "image": exporting.tensors(2, 1, 8, 8)}
    assert loaded.sample(2, y, seed=0).shape == (2, 1, 8, 8)
