"""The network of features, the distance in them, and the term."""

import pytest
import torch
from conftest import waves
from lightning_gan_superresolution import FeatureDistance, FeatureNetwork
from lightning_gan_superresolution.__main__ import main
from lightning_gan_superresolution.features import SCORE, TERM, feature_distance
from safetensors import safe_open

from lightning_gan import InputError
from lightning_gan.testing import check_component


def test_component():
    check_component(
        "regularizer", "feature_distance", sample_shape=(3, 8, 8), arguments={"weight": 2.0}
    )


def test_its_size():
    assert sum(x.numel() for x in FeatureNetwork().parameters()) == 72_080


def test_the_distance_by_hand():
    network = FeatureNetwork()
    made, wanted = torch.rand(2, 2, 3, 8, 8) * 2 - 1
    total = torch.zeros(2)
    for ours, theirs in zip(network(made), network(wanted), strict=True):
        a, b = (torch.nn.functional.normalize(x, dim=1, eps=1e-12) for x in (ours, theirs))
        both = (ours.norm(dim=1) > 1e-3) & (theirs.norm(dim=1) > 1e-3)
        assert both.all()
        total += 2 - 2 * (a * b).sum(1).flatten(1).mean(1)  # |a - b|^2 of unit vectors
    assert torch.allclose(feature_distance(network, made, wanted), total / 6, atol=1e-4)
    assert torch.equal(feature_distance(network, made, made), torch.zeros(2))


def test_gray_images_are_seen_as_color():
    network, gray = FeatureNetwork(), torch.rand(2, 1, 8, 8)
    both = zip(network(gray), network(gray.repeat(1, 3, 1, 1)), strict=True)
    assert all(torch.equal(a, b) for a, b in both)


def test_what_comes_with_the_package_is_trained():
    """Chance is 1 in 4 for right angles and 1 in 10 for classes."""
    for file, task, least in ((TERM, "right angles", 0.5), (SCORE, "classes", 0.5)):
        with safe_open(file, "pt") as weights:
            said = weights.metadata()
        assert said["task"] == task
        assert float(said["accuracy"]) > least
        FeatureNetwork(file)


def test_blur_is_far_in_the_features_of_both():
    """Further than noise of the same squared error is from pixels to pixels: structure counts."""
    image = (torch.rand(4, 3, 8, 8).repeat_interleave(2, 2).repeat_interleave(2, 3)) * 2 - 1
    blurred = torch.nn.functional.avg_pool2d(image, 3, 1, 1)
    for file in (TERM, SCORE):
        network = FeatureNetwork(file)
        slight = feature_distance(network, image + 0.02 * torch.randn_like(image), image)
        assert (feature_distance(network, blurred, image) > slight).all()


def test_images_that_are_too_small():
    term = FeatureDistance()
    with pytest.raises(InputError, match=r"1 or 3 channels and 4 or more pixels .* \(1, 2, 8, 8\)"):
        term.distance(torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 8), None)


def test_a_network_of_ones_own(tmp_path, capsys):
    images = waves(tmp_path / "images", n=16, size=(8, 8))
    out = tmp_path / "own.safetensors"
    words = ["features", str(images), str(out), "--epochs", "1"]
    # 14 images are too few for a batch of 128.
    assert main(words) == 2
    assert "too few for a batch of 128" in capsys.readouterr().err
    assert main([*words, "--batch_size", "4"]) == 0
    assert "right angles: " in capsys.readouterr().out
    FeatureDistance(features_file=str(out))
    assert main([*words, "--batch_size", "4"]) == 2
    assert "must be a new .safetensors file" in capsys.readouterr().err
    words[2] = str(tmp_path / "classes.safetensors")
    assert main([*words, "--batch_size", "4", "--classes"]) == 2
    assert "no class folders" in capsys.readouterr().err


def test_a_file_that_holds_something_else(tmp_path):
    with pytest.raises(InputError, match="features_file: there is no file"):
        FeatureDistance(features_file=str(tmp_path / "absent.safetensors"))
    (tmp_path / "x.safetensors").write_bytes(b"no")
    with pytest.raises(InputError, match="does not hold the weights of a FeatureNetwork"):
        FeatureDistance(features_file=str(tmp_path / "x.safetensors"))
