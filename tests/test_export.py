from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
import toys
from torch import nn

from lightning_gan import EMA, Generator, InputError, PluginError
from lightning_gan.export import export_generator, load_generator, read_description


class Plain(nn.Module):
    """A network that is no component."""

    latent_dim, sample_shape = 3, toys.SHAPE

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 16)

    def forward(self, z, y=None):
        return self.layer(z).tanh().view(-1, *toys.SHAPE)


class Counting(Generator):
    """A component with a number of its own, and two names for one weight."""

    def __init__(self, counted=5):
        super().__init__()
        self.latent_dim, self.sample_shape = 3, toys.SHAPE
        self.layer = nn.Linear(3, 16)
        self.same = self.layer
        self.counted = counted

    def get_extra_state(self):
        return {"counted": self.counted}

    def set_extra_state(self, state):
        self.counted = state["counted"]

    def forward(self, z, y=None):
        return self.same(z).tanh().view(-1, *toys.SHAPE)


class Deep(toys.MLPGenerator):
    """A component with an argument that no file can hold."""

    def __init__(self, activation):
        super().__init__(sample_shape=toys.SHAPE, latent_dim=3, hidden=(8,))


@pytest.fixture
def exported(tmp_path):
    return export_generator(toys.gan(), tmp_path / "made" / "here")


def change(folder, **values):
    path = folder / "generator.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def refusal(folder, **options):
    with pytest.raises(InputError) as caught:
        load_generator(folder, **options)
    return str(caught.value)


def test_the_same_samples_come_from_the_folder_alone(tmp_path):
    gan = toys.gan()
    folder = export_generator(gan, tmp_path / "made" / "here")
    assert sorted(p.name for p in folder.iterdir()) == ["generator.json", "generator.safetensors"]
    before = torch.get_rng_state()
    generator = load_generator(folder)
    assert torch.equal(torch.get_rng_state(), before)
    assert not generator.training
    z = torch.randn(5, 3)
    with torch.no_grad():
        assert torch.equal(generator(z), gan.generator.eval()(z))


def test_what_a_program_needs_to_know_is_said(tmp_path):
    labels = toys.loader(y=torch.arange(32) % 3)
    gan = toys.gan(generator=toys.generator(num_classes=3), ema=EMA())
    toys.fit(tmp_path, gan, steps=2, data=labels)
    found = read_description(export_generator(gan, tmp_path / "g"))
    assert found["generator"] == gan.generator.spec()
    assert found["generator"]["distribution"] == "lightning-gan"
    assert found["prior"] == gan.prior.spec()
    assert (found["latent_dim"], found["sample_shape"]) == (3, [1, 4, 4])
    assert (found["num_classes"], found["range"], found["averaged"]) == (3, [-1.0, 1.0], True)
    assert found["progress"]["batches"] == 2
    assert found["progress"]["images"] == 16


def test_the_averaged_generator_is_written(tmp_path):
    gan = toys.gan(ema=EMA(half_life_kimg=100.0, ramp_up=None))
    toys.fit(tmp_path, gan, steps=3)
    generator = load_generator(export_generator(gan, tmp_path / "g")).generator
    assert toys.same(generator.state_dict(), gan.generator_ema.state_dict())
    assert not toys.same(generator.state_dict(), gan.generator.state_dict())


def test_batch_statistics_are_estimated_anew_where_that_is_due(tmp_path):
    class Normed(Plain, Generator):
        def __init__(self):
            Generator.__init__(self)
            self.layer, self.norm = nn.Linear(3, 16), nn.BatchNorm1d(16)

        def forward(self, z, y=None):
            return self.norm(self.layer(z)).tanh().view(-1, *toys.SHAPE)

    gan = toys.gan(generator=Normed(), ema=EMA(buffers="reestimate"))
    mean = gan.generator_ema.norm.running_mean.clone()
    export_generator(gan, tmp_path / "g")
    generator = load_generator(tmp_path / "g", generator=Normed()).generator
    assert not torch.equal(generator.norm.running_mean, mean)


def test_shared_weights_and_plain_state_are_kept(tmp_path):
    gan = toys.gan(generator=Counting())
    gan.generator.counted = 7
    generator = load_generator(export_generator(gan, tmp_path / "g")).generator
    assert generator.counted == 7
    assert torch.equal(generator.layer.weight, gan.generator.layer.weight)
    assert generator.same is generator.layer


def test_a_state_that_no_file_can_hold_is_refused(tmp_path):
    gan = toys.gan(generator=Counting())
    gan.generator.counted = object()
    message = "Counting.get_extra_state must return tensors or plain values to be exported: "
    with pytest.raises(InputError, match=re.escape(message)):
        export_generator(gan, tmp_path / "g")
    assert not (tmp_path / "g").exists()


@pytest.mark.parametrize("network", [Plain, lambda: Deep(activation=lambda x: x)])
def test_a_network_without_a_description_is_asked_for(tmp_path, network):
    gan = toys.gan(generator=network())
    folder = export_generator(gan, tmp_path / "g")
    message = refusal(folder)
    assert message.startswith(f"{folder}: the generator could not be described (")
    assert message.endswith(
        f"build the network and pass it: load_generator('{folder}', generator=net)"
    )
    generator = load_generator(folder, generator=network()).generator
    assert toys.same(generator.state_dict(), gan.generator.state_dict())
    assert not generator.training


def test_an_older_export_is_replaced_whole(exported):
    gan = toys.gan()
    export_generator(gan, exported)
    assert toys.same(load_generator(exported).generator.state_dict(), gan.generator.state_dict())
    assert len(list(exported.iterdir())) == 2


def test_an_interrupted_export_leaves_the_old_one(exported, monkeypatch):
    before = load_generator(exported).generator.state_dict()

    def fails(path, content):
        path.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", fails)
    with pytest.raises(KeyboardInterrupt):
        export_generator(toys.gan(), exported)
    assert toys.same(load_generator(exported).generator.state_dict(), before)
    assert len(list(exported.iterdir())) == 2


def test_a_folder_without_an_export(tmp_path):
    assert refusal(tmp_path) == (
        f"no exported generator at {tmp_path}; expected a folder with generator.json and "
        "generator.safetensors, such as runs/digits_dcgan/version_0/generators/step-00004000"
    )


def test_missing_and_damaged_weights(exported):
    weights = exported / "generator.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-20])
    assert refusal(exported).startswith(f"{weights} is damaged: ")
    weights.unlink()
    assert refusal(exported) == f"{weights} is missing; export the generator again"


def test_damaged_and_foreign_descriptions(exported):
    path = exported / "generator.json"
    text = path.read_text()
    path.write_text(text[:100])
    assert refusal(exported).startswith(f"{path} is damaged: ")
    path.write_text("[1]")
    assert refusal(exported) == f"{path} was not written by lightning-gan"
    path.write_text('{"format": 1, "generator": {}}')
    assert refusal(exported) == (
        f"{path} is damaged: averaged, extra_state, latent_dim, num_classes, prior, prior_state, "
        "progress, range, sample_shape, version is missing"
    )
    path.write_text(text)
    change(exported, generator=3)
    assert refusal(exported) == f"{path} is damaged: a mapping was expected"
    change(exported, format=2, version="9.0")
    assert refusal(exported) == (
        f"{path} was written by lightning-gan 9.0, which is newer than this one; try: pip install "
        "--upgrade lightning-gan"
    )


def test_weights_of_another_network(exported, tmp_path):
    other = toys.generator(hidden=(9,))
    message = refusal(exported, generator=other)
    assert "generator.safetensors does not fit MLPGenerator: " in message
    assert "\n" not in message


def test_only_networks_are_built(exported):
    change(exported, generator={"import": "torch.relu"})
    assert refusal(exported) == f"{exported}: expected a network, got a builtin_function_or_method"
    change(exported, generator={"class_path": "os.system", "init_args": {"command": "true"}})
    with pytest.raises(PluginError, match="generator names os.system, which is neither a register"):
        load_generator(exported)


def test_a_plugin_that_is_not_installed_is_named(exported):
    spec = {"class_path": "theirs.net.Net", "init_args": {}}
    change(exported, generator={**spec, "distribution": "their-gan", "version": "2.0"})
    with pytest.raises(PluginError, match="Try: pip install their-gan"):
        load_generator(exported)


def test_the_device_of_the_network(exported):
    assert next(load_generator(exported, "meta").parameters()).device.type == "meta"
