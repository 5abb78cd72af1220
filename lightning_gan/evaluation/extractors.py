"""Who looks at the images of an evaluation."""

from __future__ import annotations

from pytorch_lightning import LightningDataModule

from lightning_gan.errors import InputError
from lightning_gan.evaluation.plan import Plan
from lightning_gan.evaluation.processes import one_after_the_other
from lightning_gan.evaluation.reader import Reader
from lightning_gan.evaluation.reals import real_images
from lightning_gan.metrics.features import FeatureExtractor


def feature_extractor(
    plan: Plan, data: LightningDataModule, num_classes: int | None, reader: Reader
) -> FeatureExtractor:
    """Return the extractor that a plan asks for.

    What has to be trained or downloaded first is so by the first process, and read by the others.

    Args:
        plan: The plan.
        data: The labeled data that the judge learns from.
        num_classes: Classes of the data, or None without labels.
        reader: How their batches are read.

    Raises:
        InputError: The plan asks for what the data do not have, or weights are missing.
    """
    if not isinstance(plan.features, str):
        return plan.features
    labeled = num_classes is not None
    name = ("judge" if labeled else "inception") if plan.features == "auto" else plan.features
    if name == "inception":
        from lightning_gan.metrics.inception import InceptionFeatures

        return one_after_the_other(lambda: InceptionFeatures(plan.weights))
    if plan.weights is not None:
        raise InputError(f"weights are those of features=inception, got features={plan.features}")
    if num_classes is None:
        raise _no_labels(data)
    channel = None if reader.prepares else getattr(data, "channel_data", None)
    if channel is None:
        return _judge(data, num_classes, reader)
    from lightning_gan.metrics.channel_judge import ChannelJudge

    judge = _judge(channel, channel.native_classes, Reader(sample_range=reader.sample_range))
    return ChannelJudge(judge, getattr(data, "sample_shape")[0])  # noqa: B009


def _judge(data: LightningDataModule, num_classes: int, reader: Reader) -> FeatureExtractor:
    """Return a judge of labeled data, newly trained or from the cache."""
    from lightning_gan.metrics.judge import judge_for

    train = real_images(data, "train", reader=reader)
    test = real_images(data, "test", reader=reader)
    if train.labels is None or test.labels is None:
        raise _no_labels(data)
    learned = (train.images, train.labels, test.images, test.labels, num_classes)
    return one_after_the_other(lambda: judge_for(*learned))


def _no_labels(data: LightningDataModule) -> InputError:
    return InputError(
        f"features=judge needs data with one class label for each image in both splits, "
        f"{type(data).__name__} has none: set features=inception"
    )
