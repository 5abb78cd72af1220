"""A judge for images whose channels are images of their own."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lightning_gan.errors import InputError
from lightning_gan.metrics.features import FeatureExtractor, Features


class ChannelJudge(FeatureExtractor):
    """Let a judge of gray images look at every channel by itself.

    With K classes of a channel and C channels there are K^C classes of an image: the numbers that
    the channels' classes spell, the first channel the highest digit. The logit of one is the sum
    of the channels' log-probabilities, so that their softmax is the product of the channels'
    probabilities. Features are those of all channels, one after the other.

    Args:
        judge: The judge of one channel, an extractor with class logits.
        channels: Number of channels C.

    Raises:
        InputError: The judge tells no classes apart.
    """

    name = "channel judge"

    def __init__(self, judge: FeatureExtractor, channels: int) -> None:
        super().__init__()
        if judge.num_classes is None:
            raise InputError(f"a channel judge needs class logits, which {judge.name} has not")
        self.judge = judge
        self.channels = channels
        self.feature_dim = channels * judge.feature_dim
        self.num_classes = judge.num_classes**channels

    def forward(self, images: Tensor) -> Features:
        """Return the features, (N, C * D), and class logits, (N, K^C), of images (N, C, H, W)."""
        n = len(images)
        found = self.judge(images.reshape(-1, 1, *images.shape[2:]))
        # In log-probabilities: sums of raw logits would have the same softmax, but no fixed scale.
        assert found.class_logits is not None  # checked at construction
        each = found.class_logits.log_softmax(dim=1).view(n, self.channels, -1)
        logits = each[:, 0]
        for channel in range(1, self.channels):
            logits = (logits.unsqueeze(2) + each[:, channel].unsqueeze(1)).flatten(1)
        return Features(found.features.view(n, -1), logits)

    def protocol(self) -> dict[str, Any]:
        """Return what pins down this and the judge of a channel, JSON values."""
        return {**self.judge.protocol(), **super().protocol()}
