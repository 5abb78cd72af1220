"""An evaluation: real features once, then a score card for a generator whenever one is wanted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import LightningDataModule
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from lightning_gan.data.mixtures import Mixture
from lightning_gan.errors import InputError
from lightning_gan.evaluation.card import ScoreCard, versions
from lightning_gan.evaluation.catalog import Facts, Inputs, choose
from lightning_gan.evaluation.extractors import feature_extractor
from lightning_gan.evaluation.plan import Plan
from lightning_gan.evaluation.points import score_points
from lightning_gan.evaluation.processes import CHUNK, made_together, share
from lightning_gan.evaluation.reader import reader_of
from lightning_gan.evaluation.reals import (
    Reals,
    class_shares,
    number_of_classes,
    real_images,
    set_up,
)
from lightning_gan.evaluation.subject import Asked, about, check_fit, sample_shape
from lightning_gan.files.fingerprint import fingerprint
from lightning_gan.game import randomness
from lightning_gan.game.conditions import NoConditionError
from lightning_gan.game.ranks import rank, world_size
from lightning_gan.metrics.cache import kept
from lightning_gan.metrics.features import SYMMETRIC, Bounds, Features, extract
from lightning_gan.metrics.row_statistics import let_last
from lightning_gan.tracking import tracked
from lightning_gan.types import map_tensors, range_bounds


def evaluate(gan: Any, data: LightningDataModule, **options: Any) -> ScoreCard:
    """Score a generator against real images.

    Samples come from ``gan.sample``, that is from the averaged generator where there is one: of
    each class equally many where there are classes, otherwise with the conditions of the real
    samples where the data have some. With several processes each draws and looks at its share; the
    card is the same on all of them, and the same for any number of them. No random state is
    changed.

    Of a :class:`~lightning_gan.data.Mixture`, whose density is known, the samples are points: they
    are held against its modes (:class:`~lightning_gan.metrics.MixtureModes`), and nothing real is
    looked at.

    Batches of the data are read as the module reads them. Samples and real images become 8-bit
    pictures: the declared ``sample_range`` of each is mapped to 0..255, [-1, 1] where none is
    declared, and what lies between the least and the largest real value where it is "free".

    Args:
        gan: A GANModule, or any module with ``sample(n, labels=None, seed=None)``,
            ``generator.sample_shape`` and ``device``.
        data: Where the real images come from; it is prepared, and set up if it is not ours.
        **options: Fields of :class:`~lightning_gan.evaluation.Plan`.

    Raises:
        InputError: A setting is wrong, generator and data do not fit, the samples are not images,
            or there are too few for a metric that was asked for; before anything is sampled.

    Example:
        >>> from lightning_gan import GANModule, create_discriminator, create_generator, create_loss
        >>> from lightning_gan.data import Digits
        >>> gan = GANModule(
        ...     generator=create_generator("mlp", sample_shape=(1, 8, 8)),
        ...     discriminator=create_discriminator("mlp", sample_shape=(1, 8, 8)),
        ...     loss=create_loss("non_saturating"),
        ... )
        >>> card = evaluate(gan, Digits(), n_fake=1500)  # doctest: +SKIP
        >>> print(card.table())  # doctest: +SKIP
    """
    plan = Plan(**options)
    made_together(lambda: data.prepare_data() if rank() == 0 else None)  # the others wait
    set_up(data)
    if isinstance(data, Mixture):
        return score_points(gan, data, plan)
    return Evaluator(gan, data, plan).score(gan)


class Evaluator:
    """Everything that scoring a generator needs and that stays as it is from step to step.

    Construction checks that generator, data and plan fit, trains the judge or finds it in the
    cache, and extracts the features of the real images. All processes have to construct it.

    With an extractor by name the features of the real images are kept in the cache folder, each
    process its share; so are, where there is one process alone, the statistics of the real
    features. An extractor of the user's own has code without a fingerprint: it looks every time.

    Args:
        gan: The module that is going to be scored, on the device where it stays.
        data: The real images, prepared and set up.
        plan: What to measure.

    Attributes:
        plan: As given.
        extractor: Who looks at the images.
        facts: What decides which metrics are possible.
        measures: The metrics, by name.
        protocol: What decides the scores, except for what belongs to the generator.

    Raises:
        InputError: As :func:`evaluate` says.
    """

    def __init__(self, gan: Any, data: LightningDataModule, plan: Plan) -> None:
        sample_shape(gan)
        with randomness.preserved(gan.device):
            reader = reader_of(gan, data)
            real = real_images(data, plan.split, plan.n_real, reader, conditions=plan.n_fake)
            reader = reader._replace(sample_range=real.bounds)
            num_classes = number_of_classes(data, real)
            clusters: int | None = getattr(data, "clusters", None)
            check_fit(gan, real, num_classes, clusters)
            self.plan = plan
            self._device = scoring_device(gan.device)
            extractor = feature_extractor(plan, data, num_classes, reader)
            self.extractor = extractor.to(gan.device)
            tells_them_apart = num_classes is not None and self.extractor.num_classes == num_classes
            self._bounds = real.bounds
            self._asked = Asked(gan, real, plan.split, clusters)
            self.facts = Facts(
                n_fake=plan.n_fake,
                n_real=len(real.images),
                feature_dim=self.extractor.feature_dim,
                num_logits=self.extractor.num_classes,
                num_classes=num_classes if tells_them_apart else None,
                conditional=self._asked.classes(torch.arange(plan.n_fake)) is not None,
                class_shares=class_shares(data, real) if tells_them_apart else None,
            )
            self.measures = choose(plan, self.facts)
            self.protocol = self._describe(data, real, num_classes)
            self._real = self._of_real(real.images, self.protocol["data"]["sha256"])
            self._train: Features | None = None
            if "memorization" in self.measures:
                train = real_images(data, "train", plan.n_train, reader)
                sha256 = fingerprint(train.images)
                self._train = self._of_real(train.images, sha256)
                self.protocol["metrics"]["memorization"] |= {
                    "n_train": len(train.images),
                    "train_sha256": sha256,
                }

    def score(self, gan: Any, **checkpoint: Any) -> ScoreCard:
        """Sample and measure; all processes have to call it, and all get the card.

        Args:
            gan: The module given at construction, or one whose generator is of the same kind.
            **checkpoint: What the card says about where the generator comes from.

        Without ``metrics`` in the plan, a score that has no yardstick in these data is left out,
        with a warning and the reason under ``left_out`` in the details.

        Raises:
            InputError: A metric cannot be computed from these samples; they are not finite, say.
        """
        index = torch.arange(self.plan.n_fake)
        bounds = range_bounds(getattr(gan, "sample_range", None)) or self._bounds

        def draw(chunk: slice) -> Tensor:
            labels = map_tensors(lambda x: x.to(gan.device), self._asked.labels(index[chunk]))
            seed = randomness.derive(self.plan.seed, chunk.start // CHUNK)
            try:
                samples: Tensor = gan.sample(chunk.stop - chunk.start, labels=labels, seed=seed)
            except NoConditionError as error:
                raise InputError(
                    f"evaluation: {type(gan.generator).__name__} asks for a condition, and the "
                    f"data yield none on the split {self.plan.split!r}: name what the generator "
                    "gets with prepare_batch, or choose the split that has it"
                ) from error
            return samples

        with self._asked.held_by(gan, self._bounds):
            fake = made_together(lambda: self._features("sampling", len(index), draw, bounds))
        classes = self._asked.classes(torch.cat([index[c] for c in share(len(index))]))
        inputs = Inputs(fake, classes, self._real, self._train)
        scores: dict[str, float] = {}
        details: dict[str, Any] = {}
        for name, measure in self.measures.items():
            try:
                found, more = measure.scores(self.plan, self.facts, inputs)
            except InputError as error:
                if not measure.yardstick:
                    raise
                if self.plan.metrics is not None:
                    raise InputError(f"{error}, or leave {name} out of metrics") from error
                # On all processes, which compute from the same rows. That these are finite was
                # found out by FID, the first of the metrics.
                rank_zero_warn(f"the score card has no {name}: {error}")
                details.setdefault("left_out", {})[name] = str(error)
                continue
            found = found if isinstance(found, dict) else {name: found}
            scores.update({key: float(value) for key, value in found.items()})
            details.update(more)
        protocol = {**self.protocol, "generator": about(gan, self._asked, bounds)}
        images = getattr(getattr(gan, "progress", None), "images", None)
        return ScoreCard(scores, protocol, details, {**checkpoint, "images": images})

    def _of_real(self, images: Tensor, sha256: str) -> Features:
        """Return the features of this process's share of real images, from the cache or new.

        Args:
            images: uint8, shape (N, C, H, W).
            sha256: Their fingerprint.
        """

        def make() -> Features:
            return self._features("looking at real images", len(images), images.__getitem__)

        if not isinstance(self.plan.features, str):
            return made_together(make)
        key = {
            "images": sha256,
            "features": self.extractor.protocol(),
            "chunk": CHUNK,
            "share": [rank(), world_size()],
            "device": self._device.type,
        }

        def by_name() -> dict[str, Tensor]:
            made = make()._asdict().items()
            return {name: tensor for name, tensor in made if tensor is not None}

        found = made_together(lambda: kept("features", json.dumps(key, sort_keys=True), by_name))
        features = Features(**{name: tensor.to(self._device) for name, tensor in found.items()})
        if world_size() == 1:  # else each process has a part, and statistics are of all
            let_last(features.features)
        return features

    def _features(
        self, what: str, n: int, images: Callable[[slice], Tensor], bounds: Bounds = SYMMETRIC
    ) -> Features:
        """Extract the features of this process's share of n images.

        Args:
            what: What is done, for whoever watches.
            n: Number of images.
            images: Returns those of one chunk, shape (CHUNK or fewer, C, H, W).
            bounds: Range of float images.
        """
        chunks = tracked(share(n), what, len(share(n)))
        found = [extract(self.extractor, images(c), CHUNK, bounds) for c in chunks]
        # More processes than chunks: one without samples has none to add, but takes part.
        none = torch.empty(0, self.facts.feature_dim, device=self._device)
        features = torch.cat([none, *(chunk.features.to(none) for chunk in found)])
        if self.facts.num_logits is None:
            return Features(features)
        no_logits = none.new_empty(0, self.facts.num_logits)
        logits = (chunk.class_logits for chunk in found if chunk.class_logits is not None)
        return Features(features, torch.cat([no_logits, *(each.to(none) for each in logits)]))

    def _describe(
        self, data: LightningDataModule, real: Reals, num_classes: int | None
    ) -> dict[str, Any]:
        """Return what decides the scores, JSON values."""
        options = {
            name: measure.options(self.plan, self.facts) for name, measure in self.measures.items()
        }
        return {
            "n_fake": self.facts.n_fake,
            "n_real": self.facts.n_real,
            "split": self.plan.split,
            "seed": self.plan.seed,
            "chunk": CHUNK,
            "data": {
                "class": f"{type(data).__module__}.{type(data).__qualname__}",
                "sample_shape": list(real.images.shape[1:]),
                "num_classes": num_classes,
                "order": real.order,
                "range": list(real.bounds),
                "sha256": fingerprint(real.images),
            },
            "features": self.extractor.protocol(),
            "metrics": options,
            "versions": versions(),
        }


def scoring_device(device: torch.device) -> torch.device:
    """Return where features and metrics are kept for a generator on a device."""
    # Apple's GPUs have no float64, which the sums and scores are in.
    return torch.device("cpu") if device.type == "mps" else device
