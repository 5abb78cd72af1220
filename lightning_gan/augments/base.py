"""The contract of augmentations, of those of images, and the controller that some share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.components.part import Part
from lightning_gan.errors import InputError
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Feedback, SampleRange, finite, range_bounds


class Augment(Part):
    """Changes samples before the discriminator sees them. The base class itself: the identity.

    The same call serves real samples and fakes. It keeps the shape, is differentiable twice, and
    takes its randomness from torch's global generators.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Augment samples.

        Args:
            x: Samples, shape (N, *sample_shape); images in [-1, 1].

        Returns:
            Samples of the same shape.
        """
        return x

    def declare_range(self, sample_range: SampleRange) -> None:
        """Get to know the range that the data declare, where the generator declares none."""


class ImageAugment(Augment):
    """An augmentation of images, which knows where their values lie.

    Args:
        sample_range: Range of the images, "symmetric" for [-1, 1], "unit" for [0, 1] or a pair.
            None: what generator or data declare, [-1, 1] where neither does or "free".

    Attributes:
        middle: Middle of the range, the grey of an image.
        radius: Half its width.

    Raises:
        InputError: ``sample_range`` is no range.
    """

    def __init__(self, sample_range: str | list[float] | None = None) -> None:
        super().__init__()
        self._declared = tuple(sample_range) if isinstance(sample_range, list) else sample_range
        self._take(self._declared)  # type: ignore[arg-type]  # checked there

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Take over the range that the generator declares, where none was given.

        Raises:
            InputError: The generator makes no images.
        """
        shape = getattr(generator, "sample_shape", None)
        if isinstance(shape, tuple) and len(shape) != 3:
            raise self._no_images(f"a generator of sample_shape {shape}")
        if self._declared is None:
            self._take(getattr(generator, "sample_range", None))

    def declare_range(self, sample_range: SampleRange) -> None:
        """Take over the range that the data declare, where none was given."""
        if self._declared is None:
            self._take(sample_range)

    def check(self, x: Tensor) -> None:
        """Check that samples are images.

        Raises:
            InputError: They are of another shape than (N, C, H, W).
        """
        if x.dim() != 4:
            raise self._no_images(f"samples of shape {tuple(x.shape)}")

    def _no_images(self, got: str) -> InputError:
        return InputError(f"{type(self).__name__} augments images (N, C, H, W), got {got}")

    def _take(self, declared: SampleRange) -> None:
        low, high = range_bounds(declared) or (-1.0, 1.0)
        self.middle, self.radius = (low + high) / 2, (high - low) / 2


class AdaptiveAugment(Augment):
    r"""An augmentation whose probability p follows how often D takes real samples for real.

    The controller of Karras et al. 2020 ("Training generative adversarial networks with limited
    data"), section 3: every ``interval`` batches, with :math:`r_t` the mean sign of the logits of
    their real samples over all processes, p goes up where :math:`r_t` is above ``target``, and down
    where it is below: by n / (1000 kimg) after n images. It stays in [0, 1]. Batches in which D
    judged no real samples do not count. The host reads one number in ``interval`` batches, and all
    processes come to the same p.

    Attributes:
        p: The probability; in the log as ``augment/p``.
        target: Where :math:`r_t` is to be. None: p is constant, or follows a schedule.
        kimg: Thousands of images in which p can go from 0 to 1.
        interval: Batches between two adjustments.
    """

    signs: Tensor

    def control(self, p: float, target: float | None, kimg: float, interval: int) -> None:
        """Set up the controller, in the constructor.

        Args:
            p: The probability at first.
            target: Where :math:`r_t` is to be, in [-1, 1]; None: p is left alone.
            kimg: Thousands of images in which p can go from 0 to 1.
            interval: Batches between two adjustments.

        Raises:
            InputError: A number is out of its range.
        """
        self.p = finite(p, "p")
        if not 0 <= self.p <= 1:
            raise InputError(f"p must lie in [0, 1], got {p}")
        if target is not None and not -1 <= finite(target, "target") <= 1:
            raise InputError(f"target must lie in [-1, 1], or be null, got {target}")
        if finite(kimg, "kimg") <= 0:
            raise InputError(f"kimg must be positive, got {kimg}")
        if type(interval) is not int or interval < 1:
            raise InputError(f"interval must be a whole number from 1, got {interval!r}")
        self.target = None if target is None else float(target)
        self.kimg, self.interval = float(kimg), interval
        self.observes = target is not None
        self.register_buffer("signs", torch.zeros(()))  # sum since the last adjustment
        self._batches = self._images = 0  # since then, those that count
        self._seen = 0  # images, at the last batch

    def prepare(self, step: AdversarialStep) -> None:
        """Report p."""
        step.report("p", torch.full((), self.p, device=step.real.device))

    def observe(self, feedback: Feedback) -> None:
        """Take note of a batch, and move p where it is time to."""
        sign, images = feedback.real_sign, feedback.progress.images - self._seen
        self._seen += images
        if self.target is None or sign is None:
            return
        self.signs += sign.to(self.signs)
        self._batches += 1
        self._images += images
        if self._batches < self.interval:
            return
        mean = float(self.signs) / self._batches
        change = self._images / (1000 * self.kimg)
        self.p += change * ((mean > self.target) - (mean < self.target))
        self.p = min(max(self.p, 0.0), 1.0)
        self.signs.zero_()
        self._batches = self._images = 0

    def get_extra_state(self) -> dict[str, Any]:
        """Return p where the controller moves it, and the counts since it did."""
        p = None if self.target is None else self.p
        counts = {"batches": self._batches, "images": self._images, "seen": self._seen}
        return {"p": p, **counts}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`get_extra_state` returned; a constant p stays the one given."""
        if self.target is not None and state["p"] is not None:
            self.p = state["p"]
        self._batches, self._images = state["batches"], state["images"]
        self._seen = state["seen"]
