"""Inception features through torch-fidelity, with random weights: nothing is downloaded."""

from __future__ import annotations

import socket
import sys
import urllib.error

import pytest
import torch

from lightning_gan import InputError
from lightning_gan.metrics.features import extract
from lightning_gan.metrics.inception import InceptionFeatures

inception = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
FILE = "weights-inception-2015-12-05-6726825d.pth"
DOWNLOAD = "torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url"


def unloaded():
    """torch-fidelity's network as it is initialized."""
    network = inception.FeatureExtractorInceptionV3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DOWNLOAD, lambda *_, **__: {})
        patch.setattr(network, "load_state_dict", lambda *_: None)
        return network("inception-v3-compat", ["2048", "logits_unbiased"])


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(unloaded().state_dict(), path)
    return path


@pytest.fixture(scope="module")
def extractor(weights):
    return InceptionFeatures(weights=str(weights))


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty folder in which downloads are kept."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def pictures(channels=3):
    return torch.randint(0, 256, (2, channels, 16, 16), dtype=torch.uint8)


def test_features_and_logits_are_those_of_torch_fidelity(extractor, weights):
    reference = unloaded()
    reference.load_state_dict(torch.load(weights, weights_only=True))
    images = pictures()
    ours = extract(extractor, images)
    with torch.no_grad():
        features, logits = reference(images)
    assert ours.features.shape == (2, 2048)
    assert ours.class_logits.shape == (2, 1008)
    torch.testing.assert_close(ours.features, features)
    torch.testing.assert_close(ours.class_logits, logits)
    assert not torch.allclose(features[0], features[1])


def test_gray_images_are_repeated(extractor):
    gray = pictures(channels=1)
    ours, theirs = extract(extractor, gray), extract(extractor, gray.repeat(1, 3, 1, 1))
    assert torch.equal(ours.features, theirs.features)


def test_the_protocol_pins_the_weights(extractor):
    protocol = extractor.protocol()
    assert protocol["name"] == "inception"
    assert protocol["feature_dim"] == 2048
    assert "299x299" in protocol["resize"]
    assert len(protocol["sha256"]) == 64
    assert protocol["torch_fidelity"][0].isdigit()


def test_building_one_leaves_the_random_state(weights):
    before = torch.get_rng_state()
    InceptionFeatures(weights=weights)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_kept_download_is_used(hub, weights, extractor):
    (hub / FILE).symlink_to(weights)
    assert InceptionFeatures().protocol() == extractor.protocol()


def test_other_channels_are_refused(extractor):
    with pytest.raises(InputError, match="need images of 1 or 3 channels, got 2"):
        extract(extractor, pictures(channels=2))


def test_a_missing_package_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(InputError, match=r"pip install 'lightning-gan\[inception\]'"):
        InceptionFeatures()


def test_without_a_network_the_file_and_its_place_are_named(hub, monkeypatch):
    timeouts = []

    def fail(*_, **__):
        timeouts.append(socket.getdefaulttimeout())
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(DOWNLOAD, fail)
    with pytest.raises(InputError, match="could not be downloaded .*Name or service") as caught:
        InceptionFeatures()
    sentence = str(caught.value)
    assert f"/{FILE} and put the file into {hub}, or set weights to its path" in sentence
    assert timeouts == [20.0]
    assert socket.getdefaulttimeout() is None


def test_an_absent_file_is_named_with_the_nearest(weights):
    absent = weights.with_name("weight.pth")
    with pytest.raises(InputError, match="did you mean 'weights.pth'.: fetch https://.*6726825d"):
        InceptionFeatures(weights=absent)


@pytest.mark.parametrize("kind", ["text", "tensor", "other network", "code"])
def test_other_files_are_refused(tmp_path, kind):
    path = tmp_path / "weights.pth"
    if kind == "text":
        path.write_text("not weights")
    else:
        content = {
            "tensor": torch.zeros(3),
            "other network": torch.nn.Linear(2, 2).state_dict(),
            "code": torch.nn.Linear(2, 2),
        }
        torch.save(content[kind], path)
    with pytest.raises(InputError, match="weights.pth does not hold torch-fidelity's weights"):
        InceptionFeatures(weights=path)


def test_a_damaged_download_is_named(hub):
    (hub / FILE).write_bytes(b"cut off")
    with pytest.raises(InputError, match=f"{FILE} does not hold torch-fidelity's weights"):
        InceptionFeatures()
