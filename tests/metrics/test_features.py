"""The contract of feature extractors, and the function that runs them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_gan import InputError, metrics
from lightning_gan.metrics.features import (
    FeatureExtractor,
    Features,
    checked_logits,
    extract,
    fingerprint_of_weights,
    from_uint8,
    pixel_bounds,
    to_uint8,
)


class Means(FeatureExtractor):
    """Mean and norm of each image through dropout, and two logits."""

    name = "means"
    feature_dim = 2
    num_classes = 2

    def __init__(self, classes=True):
        super().__init__()
        self.linear = nn.Linear(1, 2)
        self.dropout = nn.Dropout(0.5)
        self.classes = classes
        self.batches = []

    def forward(self, images):
        self.batches.append(len(images))
        assert not torch.is_grad_enabled()
        flat = images.flatten(1)
        features = torch.stack([flat.mean(1), flat.norm(dim=1)], dim=1)
        logits = self.linear(self.dropout(flat.mean(1, keepdim=True)))
        return Features(features, logits if self.classes else None)


class Pixels(FeatureExtractor):
    name = "pixels"
    feature_dim = 16

    def forward(self, images):
        return Features(images.flatten(1))


def images(n=7):
    return torch.rand(n, 1, 4, 4) * 2 - 1


def test_chunks_give_the_same_as_one_pass():
    extractor, x = Means(), images()
    whole, parts = extract(extractor, x), extract(extractor, x, batch_size=3)
    assert extractor.batches == [7, 3, 3, 1]
    assert whole.features.shape == (7, 2)
    assert whole.class_logits.shape == (7, 2)
    torch.testing.assert_close(whole.features, parts.features)
    torch.testing.assert_close(whole.class_logits, parts.class_logits)


def test_no_logits_stay_none():
    assert extract(Means(classes=False), images()).class_logits is None


def test_floats_score_as_the_pictures_they_become():
    x = images()
    pictures = x.add(1).mul(127.5).round().to(torch.uint8)
    assert torch.equal(extract(Pixels(), x).features, extract(Pixels(), pictures).features)
    exact = pictures.flatten(1) / 127.5 - 1
    torch.testing.assert_close(extract(Pixels(), pictures).features, exact, atol=1e-6, rtol=0)


def test_rounding_clips_and_keeps_pictures():
    values = torch.tensor([-3.0, -1.0, -1 + 2 / 255, 0.999, 1.0, 1.5])
    assert to_uint8(values).tolist() == [0, 0, 1, 255, 255, 255]
    every = torch.arange(256, dtype=torch.uint8)
    assert to_uint8(every) is every
    assert torch.equal(to_uint8(every / 127.5 - 1), every)


def test_modes_and_random_state_stay_as_they_were():
    extractor = Means().train()
    extractor.linear.eval()
    before = torch.get_rng_state()
    extract(extractor, images())
    after_images = torch.get_rng_state()
    assert not torch.equal(before, after_images)  # images() itself draws
    torch.set_rng_state(before)
    x = images()
    extract(extractor, x)
    assert torch.equal(torch.get_rng_state(), after_images)
    assert extractor.training
    assert extractor.dropout.training
    assert not extractor.linear.training


def test_the_modes_come_back_after_an_error():
    extractor = Means().train()
    extractor.linear = nn.Linear(3, 2)
    with pytest.raises(RuntimeError):
        extract(extractor, images())
    assert extractor.dropout.training


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (torch.zeros(3, 4, 4), r"images must have the shape \(N, C, H, W\), got \(3, 4, 4\)"),
        (torch.zeros(0, 1, 4, 4), r"shape \(N, C, H, W\), got \(0, 1, 4, 4\)"),
        (torch.zeros(1, 1, 4, 4).long(), "must be uint8 or float in .-1, 1., got torch.int64"),
        (torch.full((1, 1, 4, 4), torch.nan), "images must be finite, got NaN or infinity"),
    ],
)
def test_images_of_another_kind_are_refused(x, sentence):
    with pytest.raises(InputError, match=sentence):
        extract(Pixels(), x)


def test_an_impossible_batch_size_is_refused():
    with pytest.raises(InputError, match="batch_size must be at least 1, got 0"):
        extract(Pixels(), images(), batch_size=0)


def test_the_protocol_pins_the_weights():
    extractor = Means()
    protocol = extractor.protocol()
    assert protocol == {
        "name": "means",
        "sha256": fingerprint_of_weights(extractor),
        "resize": None,
        "feature_dim": 2,
        "num_classes": 2,
    }
    with torch.no_grad():
        extractor.linear.bias[0] += 1e-6
    assert extractor.protocol()["sha256"] != protocol["sha256"]


@pytest.mark.parametrize(
    ("logits", "got"),
    [
        (torch.zeros(3), r"got torch.float32 of shape \(3,\)"),
        (torch.zeros(3, 2), r"got torch.float32 of shape \(3, 2\)"),
        (torch.zeros(3, 4).long(), r"got torch.int64 of shape \(3, 4\)"),
    ],
)
def test_class_logits_of_another_kind_are_refused(logits, got):
    sentence = r"class_logits must be floats of shape \(N, 4\), " + got
    with pytest.raises(InputError, match=sentence):
        checked_logits(logits, 4)


def test_class_logits_must_be_finite():
    with pytest.raises(InputError, match="class_logits must be finite, got NaN or infinity"):
        checked_logits(torch.tensor([[0.0, torch.inf]]), 2)


def test_the_public_names_of_the_room():
    assert set(metrics._HOMES) == set(metrics.__all__) == set(dir(metrics))
    for name in metrics.__all__:
        assert getattr(metrics, name).__module__ == f"lightning_gan.metrics.{metrics._HOMES[name]}"
    with pytest.raises(AttributeError, match="lightning_gan.metrics' has no attribute 'Nonsense'"):
        metrics.Nonsense  # noqa: B018


# Ranges -----------------------------------------------------------------------------------------


def test_values_of_any_range_become_pixels_and_come_back():
    dose = torch.tensor([0.0, 12.5, 50.0, 60.0]).view(1, 1, 2, 2)
    seen = to_uint8(dose, (0.0, 50.0))
    assert seen.flatten().tolist() == [0, 64, 255, 255]
    assert from_uint8(seen, (0.0, 50.0)).flatten().tolist() == pytest.approx([0, 12.54902, 50, 50])
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(from_uint8(every)), every)
    assert torch.equal(to_uint8(from_uint8(every, (-3.0, 7.0)), (-3.0, 7.0)), every)


def test_bounds_of_declared_and_free_ranges():
    x = torch.tensor([-7.0, 3.0])
    assert pixel_bounds(None, x) == pixel_bounds("symmetric", x) == (-1, 1)
    assert pixel_bounds("unit", x) == (0, 1)
    assert pixel_bounds((0.0, 50.0), x) == (0, 50)
    assert pixel_bounds("free", x) == (-7, 3)
    assert pixel_bounds("free", torch.ones(3)) == (1, 2)


def test_samples_of_any_range_are_looked_at_alike():
    x = torch.rand(3, 1, 4, 4) * 2 - 1

    class Flat(FeatureExtractor):
        name, feature_dim = "flat", 16

        def forward(self, images):
            return Features(images.flatten(1))

    usual, other = extract(Flat(), x), extract(Flat(), (x + 1) * 25, bounds=(0.0, 50.0))
    assert torch.allclose(usual.features, other.features, atol=0.008)
    assert usual.features.min() < -0.5
