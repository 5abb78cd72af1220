"""The mutual information term of InfoGAN."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from lightning_gan.errors import InputError
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.step import AdversarialStep
from lightning_gan.types import finite


class MutualInformationRegularizer(Regularizer):
    r"""Codes that can be read from samples (InfoGAN, Chen et al. 2016, equations 5 and 6).

    Both players minimise

    .. math:: -E_{c \sim P(c), x \sim G(z, c)} \log Q(c \mid x)

    which is :math:`H(c) - L_I`, the entropy of the codes less a lower bound of the mutual
    information of codes and samples. Codes c are the end of the latent: first the discrete ones,
    one after the other, each one-hot, then the continuous ones, as the prior ``codes`` draws them
    with the same arguments. Q is a head of the discriminator; in the discriminator's update its
    weights are trained, in the generator's the samples.

    Q's output begins with the logits of the discrete codes. For the continuous ones follow the
    means of a normal distribution of variance 1, or with ``learned_std`` their means and then the
    logarithms of their standard deviations.

    Args:
        weight: Factor of the term, the paper's lambda, any number.
        discrete: Number of values of each discrete code, each at least 2.
        continuous: Number of continuous codes, at least 0.
        continuous_weight: Factor of the continuous codes beside the discrete ones, any number; it
            keeps them on one scale.
        learned_std: Whether Q says how sure it is of continuous codes.
        head: Name of the entry of the discriminator's ``extra`` that holds Q's output, (N, Q):
            {"codes": 12} among its ``heads`` for ``discrete`` [10] and ``continuous`` 2.
        interval: Use the term in every ``interval``-th update of a player, ``interval``-fold; at
            least 1.

    Example:
        lightning-gan fit prior=codes regularizers=[mutual_information] \
            model.discriminator.heads.codes=12

    Raises:
        InputError: A number is out of range, or there are no codes; when the GAN is put together,
            latents are too short; in training, Q's output has another width, or the latents do not
            end in one-hot codes.
    """

    def __init__(
        self,
        weight: float = 1.0,
        discrete: Sequence[int] = (10,),
        continuous: int = 2,
        continuous_weight: float = 0.1,
        learned_std: bool = False,
        head: str = "codes",
        interval: int = 1,
    ) -> None:
        super().__init__(weight, interval)
        if any(type(size) is not int or size < 2 for size in discrete):
            raise InputError(f"discrete must be whole numbers from 2, got {list(discrete)}")
        if type(continuous) is not int or continuous < 0:
            raise InputError(f"continuous must be a whole number from 0, got {continuous!r}")
        if not discrete and not continuous:
            raise InputError("mutual_information needs codes: set discrete, continuous or both")
        self.discrete, self.continuous = discrete, continuous
        self.continuous_weight = finite(continuous_weight, "continuous_weight")
        self.learned_std, self.head = learned_std, head
        self.requires = frozenset({head})
        self._looked = False

    @property
    def codes(self) -> int:
        """Length of all codes in a latent."""
        return sum(self.discrete) + self.continuous

    def bind(self, generator: nn.Module, discriminator: nn.Module) -> None:
        """Check that latents are long enough."""
        size = getattr(generator, "latent_dim", self.codes)
        if size < self.codes:
            raise InputError(
                f"mutual_information reads {self.codes} numbers of codes at the end of a latent, "
                f"and the generator has latent_dim {size}"
            )

    def discriminator(self, step: AdversarialStep) -> Mapping[str, Tensor]:
        """Return the terms of ``discrete`` and ``continuous`` codes of each fake, shape (N,)."""
        return self._terms(step)

    def generator(self, step: AdversarialStep) -> Mapping[str, Tensor]:
        """Return the terms of ``discrete`` and ``continuous`` codes of each fake, shape (M,)."""
        return self._terms(step)

    def _terms(self, step: AdversarialStep) -> Mapping[str, Tensor]:
        said = step.fake_output.extra[self.head]
        logits = sum(self.discrete)
        width = logits + self.continuous * (2 if self.learned_std else 1)
        if said.shape != (len(step.z), width):
            raise InputError(
                f"{self.head} of the discriminator must have shape (N, {width}) for these codes, "
                f"here ({len(step.z)}, {width}), got {tuple(said.shape)}"
            )
        codes = step.z[:, step.z.shape[1] - self.codes :].to(said.dtype)
        self._look_at(codes[:, :logits])
        terms: dict[str, Tensor] = {}
        start = 0
        for size in self.discrete:
            own = slice(start, start + size)
            term = cross_entropy(said[:, own], codes[:, own], reduction="none")
            terms["discrete"] = terms["discrete"] + term if "discrete" in terms else term
            start += size
        if self.continuous:
            mean, *std = said[:, logits:].split(self.continuous, 1)
            log_std = std[0] if std else torch.zeros_like(mean)
            scaled = (codes[:, logits:] - mean) * torch.exp(-log_std)
            surprise = 0.5 * scaled.square() + log_std + 0.5 * math.log(2 * math.pi)
            terms["continuous"] = self.continuous_weight * surprise.sum(1)
        return terms

    def _look_at(self, codes: Tensor) -> None:
        """Check once that there are one-hot codes where they are read; the host waits for it."""
        if self._looked or codes.is_meta:
            return
        start = 0
        for size in self.discrete:
            part = codes[:, start : start + size]
            if not bool(((part == 0) | (part == 1)).all() & (part.sum(1) == 1).all()):
                raise InputError(
                    "mutual_information reads discrete codes as one-hot numbers near the end of "
                    "the latent, and finds others there: choose prior=codes, with the same "
                    "discrete and continuous"
                )
            start += size
        self._looked = True
