"""Evaluation of modules with batches, conditions and ranges of their own."""

from __future__ import annotations

import paired
import pytest
import torch
import toys
from looking import Pixels
from pytorch_lightning import LightningDataModule
from torch.nn.functional import avg_pool2d

from lightning_gan import EMA, Batch
from lightning_gan.callbacks import Evaluation
from lightning_gan.data import RandomImages
from lightning_gan.errors import InputError
from lightning_gan.evaluation import evaluate
from lightning_gan.evaluation import reader as reader_module
from lightning_gan.evaluation.reader import KeptConditions, Reader, reader_of
from lightning_gan.evaluation.reals import number_of_classes, real_images

SMALL = {"kid_subsets": 2, "kid_subset_size": 10, "score_splits": 2, "precision_k": 2}


def score(gan, data, **options):
    metrics = options.pop("metrics", ["fid", "precision_recall"])
    return evaluate(gan, data, features=Pixels(), metrics=metrics, **{**SMALL, **options})


def noting(gan):
    """Let a module note the conditions that it samples with."""
    asked, sample = [], gan.sample

    def noted(n, labels=None, seed=None):
        asked.append(labels)
        return sample(n, labels=labels, seed=seed)

    gan.sample = noted
    return asked


# Batches and conditions -------------------------------------------------------------------------


def test_samples_are_asked_for_by_the_conditions_of_the_real_ones():
    gan, data = paired.gan(), paired.Pairs(n=24)
    asked = noting(gan)
    card = score(gan, data, n_fake=30, split="test")
    assert card.protocol["generator"]["labels"] == "conditions of 24 test samples"
    assert card.protocol["n_real"] == 24
    (labels,) = asked
    again = torch.arange(30) % 24
    assert torch.equal(labels["small"], data.stacked("small")[again])
    assert torch.equal(labels["attributes"], data.stacked("attributes")[again])


def test_no_more_conditions_than_samples_are_kept():
    gan, data = paired.gan(), paired.Pairs(n=24)
    card = score(gan, data, n_fake=20)
    assert card.protocol["generator"]["labels"] == "conditions of 20 train samples"


def test_conditions_have_room(monkeypatch):
    monkeypatch.setattr(reader_module, "ROOM", 5 * 4 * 4)
    kept = KeptConditions(100)
    for start in (0, 3):
        kept.add({"a": torch.arange(start, start + 3).float().view(3, 1).expand(3, 4)}, 3)
    assert kept.joined(None)["a"][:, 0].tolist() == [0, 1, 2, 3, 4]
    assert kept.joined(2)["a"][:, 0].tolist() == [0, 1]
    assert KeptConditions(3).joined(None) is None


def test_statistics_are_estimated_with_these_conditions():
    gan = paired.gan(paired.Upscaler(norm=True), ema=EMA(buffers="reestimate"))
    data = paired.Pairs(n=24)
    first = score(gan, data, n_fake=20)
    mean = data.stacked("small")[:20].mean()
    assert gan.generator_ema.norm.running_mean.item() == pytest.approx(mean.item(), abs=0.1)
    assert gan.conditions.held is None
    other = torch.full((4, 1, 2, 2), 9.0)
    gan.conditions.hold(toys.images(4), {"small": other})
    again = score(gan, data, n_fake=20)
    assert again.scores == first.scores  # whatever training holds
    assert torch.equal(gan.conditions.held.y["small"], other)
    gan.sample(1)
    assert gan.generator_ema.norm.running_mean.item() == pytest.approx(9)


def test_a_paired_run_is_evaluated_as_it_trains(tmp_path):
    options = {"n_fake": 20, "n_real": 16, "metrics": ["fid"], "features": Pixels()}
    callback = Evaluation(every_n_steps=2, split="test", **options)
    gan, data = paired.gan(ema=EMA(buffers="reestimate")), paired.Pairs()
    toys.trainer(tmp_path, max_steps=2, callbacks=[callback]).fit(gan, data)
    assert callback.card.protocol["generator"]["labels"] == "conditions of 16 test samples"
    assert len(gan.conditions.held.real) == 8  # of validation
    assert evaluate(gan, data, split="test", **options).scores == callback.card.scores


def test_a_generator_that_gets_no_condition():
    data = RandomImages(shape=toys.SHAPE, n=24)
    gan = toys.gan(generator=paired.Upscaler(), discriminator=paired.Judge())
    with pytest.raises(InputError) as caught:
        score(gan, data, n_fake=20)
    assert str(caught.value) == (
        "evaluation: Upscaler asks for a condition, and the data yield none on the split 'train': "
        "name what the generator gets with prepare_batch, or choose the split that has it"
    )


class Labeled(paired.Upscaler):
    """Is asked for by a dict in which classes are."""

    num_classes, class_entry = 3, "attributes"


def test_classes_may_be_one_entry_of_the_conditions():
    gan, data = paired.gan(Labeled()), paired.Pairs(n=24)
    data.num_classes = 3
    extractor = Pixels()
    extractor.num_classes = 3
    extractor.forward = lambda images: Pixels.forward(extractor, images)._replace(
        class_logits=torch.eye(3)[torch.arange(len(images)) % 3] * 9
    )
    card = evaluate(gan, data, features=extractor, n_fake=30, **SMALL)
    assert card.scores["conditional_accuracy"] == pytest.approx(1.0)
    assert card.protocol["data"]["num_classes"] == 3


def test_an_unlabeled_sample_has_no_class():
    data = paired.Pairs(n=24)
    data.rows[3]["attributes"] = torch.tensor(-1)
    reals = real_images(data, "train", reader=reader_of(paired.gan(Labeled())))
    assert reals.labels is None
    with pytest.raises(InputError, match="conditional_accuracy needs labeled data"):
        score(paired.gan(Labeled()), data, metrics=["conditional_accuracy"], n_fake=20)


def test_our_data_are_read_as_the_module_reads_them():
    def halves(batch):
        x, _ = batch
        return Batch(x[..., :2], {"small": avg_pool2d(x, 2)})

    gan = paired.gan()
    gan.__dict__["prepare_batch"] = halves
    data = RandomImages(shape=(1, 4, 4), n=700, num_classes=3)
    reals = real_images(data, "train", reader=reader_of(gan, data), conditions=650)
    images, labels = data.images("train")
    assert torch.equal(reals.images, images[..., :2])
    assert torch.equal(reals.labels, labels)
    assert number_of_classes(data, reals) == 3
    expected = avg_pool2d(images[:650].float() / 127.5 - 1, 2)
    assert torch.allclose(reals.conditions["small"], expected, atol=1e-6)
    part = real_images(data, "train", 20, reader_of(gan, data))
    usual = real_images(data, "train", 20)
    assert torch.equal(part.images, usual.images[..., :2])
    assert torch.equal(part.labels, usual.labels)
    assert part.conditions is None
    assert part.order == usual.order == "subset"


def test_batches_that_are_prepared_hold_clusters_too():
    gan = paired.gan()
    gan.__dict__["prepare_batch"] = lambda batch: Batch(batch[0], {"group": batch[1]})
    data = RandomImages(shape=(1, 4, 4), n=700, num_classes=3, clusters=4)
    reals = real_images(data, "train", reader=reader_of(gan, data), conditions=650)
    assert torch.equal(reals.conditions["group"], data.images("train")[1][:650])
    assert torch.equal(reals.labels, data.images("train", labels=True)[1])


# Ranges -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("declared", ["free", (0.0, 50.0)])
def test_samples_in_physical_units_score_as_their_pictures_do(declared):
    usual = score(paired.gan(), paired.Pairs(n=24), n_fake=20)
    low, high = (0.0, 50.0) if declared != "free" else (-3.0, 47.0)
    data = paired.Pairs(n=24, low=low, high=high, sample_range=declared)
    card = score(paired.gan(paired.Upscaler(sample_range=declared)), data, n_fake=20)
    bounds = card.protocol["data"]["range"]
    assert card.protocol["generator"]["range"] == bounds
    if declared == "free":
        x = data.stacked("image")
        assert bounds == [x.min().item(), x.max().item()]
    else:
        assert bounds == [0.0, 50.0]
        assert card.scores["fid"] == pytest.approx(usual.scores["fid"], rel=0.1)
    assert card.scores["precision"] == usual.scores["precision"]


def test_whose_range_counts():
    class Unit(LightningDataModule):
        sample_range = "unit"

    silent, declaring = paired.gan(), paired.gan(paired.Upscaler(sample_range=(0.0, 50.0)))
    assert reader_of(silent, Unit()).sample_range == "unit"
    assert reader_of(declaring, Unit()).sample_range == (0.0, 50.0)  # which prepares the batches
    assert reader_of(declaring).sample_range == (0.0, 50.0)
    plain = toys.gan(generator=paired.Upscaler(sample_range=(0.0, 50.0)))
    assert reader_of(plain, Unit()).sample_range == "unit"
    assert reader_of(torch.nn.Linear(1, 1), Unit()) == Reader(sample_range="unit")


def test_data_may_be_converted_between_two_declared_ranges(tmp_path):
    data = RandomImages(shape=toys.SHAPE, n=16, batch_size=8)
    fifty = toys.generator()
    fifty.sample_range = (0.0, 50.0)
    toys.fit(tmp_path, toys.gan(generator=fifty, prepare_batch=lambda x: (x + 1) * 25), data=data)
    with pytest.raises(InputError, match="the data declare sample_range='symmetric', and MLPGen"):
        toys.fit(tmp_path, toys.gan(generator=fifty), data=data)
