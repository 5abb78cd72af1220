"""An evaluation from samples to card, with features and answers that are known."""

from __future__ import annotations

import json

import ddp_evaluation
import forked
import pytest
import torch
import toys
from looking import Blind, Halves, Pixels

from lightning_gan import EMA
from lightning_gan.data import Digits, RandomImages
from lightning_gan.errors import InputError
from lightning_gan.evaluation import Plan, ScoreCard, evaluate
from lightning_gan.evaluation import evaluator as evaluator_module
from lightning_gan.evaluation import scores as scores_of
from lightning_gan.evaluation.catalog import MEASURES
from lightning_gan.evaluation.evaluator import CHUNK, Evaluator, scoring_device
from lightning_gan.evaluation.plan import METRICS
from lightning_gan.metrics import row_statistics
from lightning_gan.metrics.features import extract
from lightning_gan.metrics.mixture_modes import MixtureModes

SMALL = {"n_fake": 40, "n_real": 48, "kid_subsets": 3, "kid_subset_size": 20, "score_splits": 2}


def score(gan, data, **options):
    return evaluate(gan, data, **{"features": Pixels(), **SMALL, **options})


def refusal(gan, data, **options):
    with pytest.raises(InputError) as caught:
        score(gan, data, **options)
    return str(caught.value)


class Copies(Halves):
    """A generator that returns the training images one after the other."""

    def __init__(self, data):
        super().__init__(num_classes=None, sample_shape=data.sample_shape)
        self.images = data.images("train")[0].float().div(127.5).sub(1)

    def forward(self, z, y=None):
        return self.images[: len(z)] + 0 * self.scale


def test_everything_is_measured(gan, data):
    card = score(gan, data)
    assert set(card.protocol["metrics"]) == set(METRICS) == set(MEASURES)
    neutral = [n for n in scores_of.headline(card.scores) if scores_of.direction(n) == "neither"]
    assert sorted(neutral) == ["duplicates_real", "mode_kl_floor", "total_variation_noise"]
    directed = [name for name in scores_of.headline(card.scores) if name not in neutral]
    assert directed == [name for metric in METRICS for name in scores_of.OF_METRICS[metric]]
    of_points = MixtureModes([[0.0, 0.0]], std=1.0)
    of_points.update(torch.zeros(1, 2))
    others = set(of_points.compute()) - set(card.scores)
    assert set(scores_of.DIRECTIONS) <= set(card.scores) | others
    assert all(scores_of.direction(name) != "neither" for name in others)
    assert card.scores["modes"] == 2
    assert card.scores["mode_kl"] < 0.01  # the real images are not quite half and half
    assert card.scores["conditional_accuracy"] == 1.0
    assert card.scores["total_variation"] == 0.0
    assert card.details["class_histogram"] == [20, 20]
    assert card.details["confusion"] == [[20, 0], [0, 20]]
    assert set(card.details["class_shares"]) == {"share", "low", "high", "expected"}
    assert len(card.details["sharpness_per_class"]["sharpness_margin"]) == 2
    json.dumps(card.details, allow_nan=False)


def test_the_training_set_itself_is_perfect_and_memorized(data):
    gan = toys.gan(generator=Copies(data))
    card = score(gan, data, n_fake=64, n_real=64)
    assert card.scores["fid"] == pytest.approx(0, abs=1e-6)
    assert card.scores["precision"] == card.scores["recall"] == card.scores["coverage"] == 1
    assert card.scores["memorization"] == 1
    assert card.scores["nearest_train_distance"] == 0


def test_the_same_settings_give_the_same_card_and_another_seed_another(gan, data):
    one, same, other = score(gan, data), score(gan, data), score(gan, data, seed=1)
    assert one.scores == same.scores
    assert one.scores["fid"] != other.scores["fid"]
    assert one.protocol["data"] == other.protocol["data"]


def test_labels_are_balanced_and_chunks_have_seeds_of_their_own(gan, data, monkeypatch):
    asked = []
    sample = gan.sample

    def record(n, labels=None, seed=None):
        asked.append((n, labels, seed))
        return sample(n, labels=labels, seed=seed)

    monkeypatch.setattr(gan, "sample", record)
    score(gan, data, n_fake=CHUNK + 3, metrics=["fid"])
    assert [n for n, _, _ in asked] == [CHUNK, 3]
    assert torch.equal(torch.cat([y for _, y, _ in asked]), torch.arange(CHUNK + 3) % 2)
    assert len({seed for _, _, seed in asked}) == 2


def test_an_unconditional_generator_is_not_asked_for_classes(data):
    card = score(toys.gan(generator=Halves(num_classes=None)), data)
    assert "conditional_accuracy" not in card.scores
    assert "total_variation" in card.scores
    assert card.protocol["generator"]["labels"] is None


def test_features_without_classes(gan, data):
    card = score(gan, data, features=Blind())
    assert set(card.protocol["metrics"]) == set(METRICS[:2]) | set(METRICS[3:7])
    unlabeled = score(toys.gan(), RandomImages(shape=(1, 4, 4), n=64))
    assert "classifier_score" in unlabeled.scores
    assert "total_variation" not in unlabeled.scores


def test_only_the_metrics_that_were_asked_for(gan, data):
    extractor = Pixels()
    card = score(gan, data, metrics=["precision_recall", "fid"],
                 features=extractor)  # fmt: skip
    assert list(card.scores) == ["fid", "precision", "recall"]
    assert extractor.looked_at == 48 + 40  # the training set is left alone


def test_the_averaged_generator_is_scored(data):
    gan = toys.gan(generator=Halves(), discriminator=toys.discriminator(num_classes=2), ema=EMA())
    before = score(gan, data, metrics=["fid"])
    gan.generator.scale.data.fill_(0.0)
    after = score(gan, data, metrics=["fid"])
    assert before.scores == after.scores
    assert before.protocol["generator"]["weights"] == "averaged"
    gan.generator_ema.scale.data.fill_(0.0)
    assert score(gan, data, metrics=["fid"]).scores != before.scores


def test_the_protocol_says_everything(gan, data):
    card = score(gan, data, split="test")
    protocol = card.protocol
    assert protocol["data"] == {
        "class": "lightning_gan.data.random.RandomImages",
        "sample_shape": [1, 4, 4],
        "num_classes": 2,
        "order": "subset",
        "range": [-1.0, 1.0],
        "sha256": protocol["data"]["sha256"],
    }
    assert len(protocol["data"]["sha256"]) == 64
    assert protocol["features"]["name"] == "pixels"
    assert protocol["metrics"]["kid"] == {"subsets": 3, "subset_size": 20}
    assert protocol["metrics"]["precision_recall"] == {"k": 3}
    assert protocol["metrics"]["memorization"]["n_train"] == 64
    prior = protocol["generator"].pop("prior")
    assert prior["class_path"].startswith("lightning_gan.priors.")
    assert protocol["generator"] == {
        "weights": "trained",
        "labels": "arange(n) % 2",
        "range": [-1.0, 1.0],
        "truncation": None,
    }
    assert (protocol["n_fake"], protocol["n_real"], protocol["split"]) == (40, 48, "test")
    assert set(protocol["versions"]) == {"lightning-gan", "torch", "torchmetrics", "numpy"}
    assert card.checkpoint == {"images": 0}


def test_no_random_state_is_changed(gan, data):
    before = torch.get_rng_state()
    score(gan, data)
    assert torch.equal(torch.get_rng_state(), before)


def test_real_features_are_extracted_once(gan, data):
    extractor = Pixels()
    evaluator = Evaluator(gan, data, Plan(features=extractor, **SMALL))
    ready = extractor.looked_at
    first, second = evaluator.score(gan), evaluator.score(gan, step=5)
    assert extractor.looked_at == ready + 2 * 40
    assert first.scores == second.scores
    assert second.checkpoint == {"step": 5, "images": 0}


# Refusals ---------------------------------------------------------------------------------------


def test_samples_of_another_shape(gan):
    assert refusal(gan, Digits()) == (
        "the generator makes images of shape (1, 4, 4), the data have images of shape (1, 8, 8): "
        "evaluate it on the data that it was trained on"
    )


def test_other_classes(gan):
    assert refusal(gan, RandomImages(shape=(1, 4, 4), num_classes=3)) == (
        "the generator is conditional on 2 classes, the data have 3: "
        "evaluate it on the data that it was trained on"
    )


def test_clusters_are_no_classes(gan):
    card = score(gan, RandomImages(shape=(1, 4, 4), n=48, num_classes=2, clusters=2))
    assert "conditional_accuracy" not in card.scores
    assert card.scores["total_variation"] == 0.0  # each cluster is asked for equally often
    assert card.protocol["generator"]["labels"] == "arange(n) % 2 (clusters)"


def test_another_number_of_clusters(gan):
    data = RandomImages(shape=(1, 4, 4), num_classes=2, clusters=3)
    assert refusal(gan, data) == (
        "the generator is conditional on 2 classes, the data have 3 clusters: "
        "evaluate it on the data that it was trained on"
    )


def test_samples_that_are_no_images(data):
    gan = toys.gan(
        generator=toys.generator(sample_shape=(6,)),
        discriminator=toys.discriminator(sample_shape=(6,)),
    )
    assert refusal(gan, data) == (
        "evaluation is for images of shape (C, H, W), the generator makes samples of shape (6,): "
        "leave evaluation out for it"
    )


def test_a_module_that_cannot_sample(data):
    assert refusal(torch.nn.Linear(1, 1), data) == (
        "evaluation expects a module with sample(n, labels=None, seed=None) and "
        "generator.sample_shape, got Linear: use a GANModule"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"precision_k": 40, "metrics": ["precision_recall"]},
            "metrics: precision_recall with precision_k=40 needs at least 41 samples of each kind, "
            "got 40 generated and 48 real ones: use more, or leave precision_recall out of metrics",
        ),
        (
            {"coverage_k": 50},
            "metrics: density_coverage with coverage_k=50 needs at least 51 samples of each kind, "
            "got 40 generated and 48 real ones: use more, or leave density_coverage out of metrics",
        ),
        (
            {"score_splits": 41},
            "metrics: classifier_score with score_splits=41 needs at least 41 samples of each "
            "kind, got 40 generated and 48 real ones: use more, or leave classifier_score out of "
            "metrics",
        ),
        (
            {"features": Blind(), "metrics": ["fid", "classifier_score"]},
            "metrics: classifier_score needs features with class logits: leave it out",
        ),
        (
            {"features": Blind(), "metrics": ["class_balance"]},
            "metrics: class_balance needs labeled data and features that tell their classes apart, "
            "such as the judge's: leave it out",
        ),
        (
            {"features": "judge", "weights": "x.pth"},
            "weights are those of features=inception, got features=judge",
        ),
    ],
)
def test_what_cannot_be_measured_is_said_before_sampling(options, message, gan, data, monkeypatch):
    monkeypatch.setattr(gan, "sample", lambda *a, **k: pytest.fail("sampled"))
    assert refusal(gan, data, **options) == message


def test_conditional_accuracy_of_an_unconditional_generator(data):
    gan = toys.gan(generator=Halves(num_classes=None))
    assert refusal(gan, data, metrics=["conditional_accuracy"]) == (
        "metrics: conditional_accuracy needs a conditional generator: leave it out"
    )


def test_the_judge_needs_labels():
    data = RandomImages(shape=(1, 4, 4), n=64)
    assert refusal(toys.gan(), data, features="judge") == (
        "features=judge needs data with one class label for each image in both splits, "
        "RandomImages has none: set features=inception"
    )


def test_the_real_judge_on_real_digits(tmp_path, monkeypatch):
    """It tells real digits apart, and knows noise from digits."""
    monkeypatch.setenv("LIGHTNING_GAN_CACHE", str(tmp_path))
    data = Digits(labels=False)  # the judge learns from them all the same
    copies = toys.gan(
        generator=Copies(data), discriminator=toys.discriminator(sample_shape=(1, 8, 8))
    )
    shape = {"sample_shape": (1, 8, 8)}
    noise = toys.gan(generator=toys.generator(**shape), discriminator=toys.discriminator(**shape))
    good, bad = (
        evaluate(gan, data, n_fake=500, metrics=["fid", "separation", "precision_recall"])
        for gan in (copies, noise)
    )
    assert good.protocol["features"]["name"] == "judge"
    assert good.protocol["features"] == bad.protocol["features"]  # the second is from the cache
    assert good.protocol["features"]["test_accuracy"] > 0.95
    assert good.scores["fid"] < bad.scores["fid"] / 10
    assert good.scores["sharpness_confidence"] > 0.9
    assert good.scores["precision"] > 0.8 > 0.2 > bad.scores["precision"]


def test_the_cache_changes_no_score_and_saves_the_look_at_real_images(tmp_path, monkeypatch):
    monkeypatch.setenv("LIGHTNING_GAN_CACHE", str(tmp_path))
    monkeypatch.setattr(row_statistics, "_memory", {})
    monkeypatch.setattr(row_statistics, "_lasting", set())
    data, looks = Digits(), []
    shape = {"sample_shape": (1, 8, 8)}
    gan = toys.gan(generator=toys.generator(**shape), discriminator=toys.discriminator(**shape))
    other = toys.gan(generator=toys.generator(**shape), discriminator=toys.discriminator(**shape))
    plan = Plan(**{**SMALL, "n_fake": 60}, features="judge")
    new = Evaluator(gan, data, plan)
    first, of_other = new.score(gan), new.score(other)
    kept = {path.name.split("-")[0] for path in tmp_path.iterdir()}
    assert kept == {"judge", "features", "statistics"}
    monkeypatch.setattr(
        evaluator_module, "extract", lambda *a: looks.append(len(a[1])) or extract(*a)
    )
    row_statistics._memory.clear()
    again = Evaluator(gan, data, plan)
    assert looks == []
    assert again.score(other).scores == of_other.scores != first.scores
    assert again.score(gan).scores == first.scores
    assert again.protocol == new.protocol


def test_a_foreign_extractor_is_not_trusted_to_be_the_same(gan, data, tmp_path, monkeypatch):
    monkeypatch.setenv("LIGHTNING_GAN_CACHE", str(tmp_path))
    score(gan, data)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def copied(data):
    """All real images are the same."""
    images, labels = data.images("train")

    def copies(split, labels=labels, indices=None):
        chosen = slice(None) if indices is None else indices
        return images[:1].expand_as(images)[chosen], found[chosen]

    found, data.images = labels, copies
    return data


def test_data_of_copies_have_all_other_scores(gan, copied):
    with pytest.warns(UserWarning, match="the score card has no (duplicates|memorization): near-"):
        card = score(gan, copied)
    assert {"fid", "recall", "total_variation"} < set(card.scores)
    assert not {"duplicates", "memorization", "nearest_train_distance"} & set(card.scores)
    assert list(card.details["left_out"]) == ["duplicates", "memorization"]
    assert "have an exact copy" in card.details["left_out"]["memorization"]


def test_a_score_by_name_on_data_of_copies(gan, copied):
    assert refusal(gan, copied, metrics=["duplicates"]).endswith(
        "remove the copies from the data, or leave duplicates out of metrics"
    )


def test_scores_are_kept_where_there_is_float64():
    assert scoring_device(torch.device("mps")) == torch.device("cpu")
    assert scoring_device(torch.device("cuda", 1)) == torch.device("cuda", 1)


def test_samples_that_are_not_finite(gan, data):
    gan.generator.scale.data.fill_(torch.nan)
    assert "must be finite, got NaN or infinity" in refusal(gan, data)


# Several processes ------------------------------------------------------------------------------


def test_two_processes_write_the_card_of_one(tmp_path):
    """1,100 samples are three chunks; 48 real images one, so that one process has none."""
    ddp_evaluation.main(0, 1, tmp_path)
    job = ddp_evaluation.__file__
    ranks = [forked.Started(job, [rank, tmp_path], tmp_path) for rank in (0, 1)]
    outputs = [forked.end(rank)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], "\n".join(outputs)[-4000:]
    one, zero_of_two, one_of_two = (
        ScoreCard.load(tmp_path / name) for name in ("0-of-1.json", "0-of-2.json", "1-of-2.json")
    )
    assert zero_of_two.scores == one_of_two.scores
    assert zero_of_two.protocol == one.protocol
    assert zero_of_two.details["confusion"] == one.details["confusion"]
    assert zero_of_two.scores == pytest.approx(one.scores, rel=1e-9, abs=1e-12)
    assert (tmp_path / "refusals").read_text() == 2 * "generated images are not finite\n"
