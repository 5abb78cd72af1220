"""The autoencoder whose codes are places in a codebook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan import GeneratorOutput
from lightning_gan_tokenizer.networks import Autoencoder, whole_number


class VQAutoencoder(Autoencoder):
    """An autoencoder of images with discrete codes (van den Oord et al. 2017; Esser et al. 2021).

    Each vector that the encoder makes is replaced by the nearest one of a codebook, and the
    gradient goes straight through to the encoder. The image is the condition,
    ``prepare_batch=BatchKeys(real=0, y=0)``. The terms ``l1``, ``commitment`` and ``codebook_use``
    train it, an adversarial one makes it VQGAN.

    Args:
        sample_shape: (C, H, W), the sides multiples of 2 ** ``levels``.
        codes: Vectors in the codebook.
        code_dim: Length of a vector.
        hidden_channels: Channels of the maps inside.
        levels: How often the sides are halved.
        blocks: Residual blocks in each network.

    Attributes:
        codebook: The vectors, an embedding.

    Raises:
        InputError: The shape does not fit, or a number is out of range.

    Example:
        lightning-gan fit experiment=tokenizer_vq model.generator.codes=1024
    """

    def __init__(
        self,
        sample_shape: Sequence[int],
        codes: int = 512,
        code_dim: int = 64,
        hidden_channels: int = 256,
        levels: int = 2,
        blocks: int = 2,
    ) -> None:
        whole_number(codes, "codes", 2)
        whole_number(code_dim, "code_dim", 1)
        super().__init__(sample_shape, code_dim, code_dim, hidden_channels, levels, blocks)
        self.codebook = nn.Embedding(codes, code_dim)
        nn.init.normal_(self.codebook.weight, std=code_dim**-0.5)

    def forward(self, z: Tensor, y: Any = None) -> GeneratorOutput:
        """Rebuild images from their codes.

        Args:
            z: Latents, shape (N, 0).
            y: The images, shape (N, C, H, W).

        Returns:
            The images again, and as by-products ``encoded`` and ``quantized`` (N, code_dim, h, w)
            and ``codes``, int64 (N, h, w).
        """
        encoded = self.encoder(self.images(y, z))
        codes = self.nearest(encoded)
        quantized = self.vectors(codes).to(encoded.dtype)
        passed = quantized.detach() + (encoded - encoded.detach())  # the vectors, to the bit
        extra = {"encoded": encoded, "quantized": quantized, "codes": codes}
        return GeneratorOutput(self.decoder(passed), extra)

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes of images (N, C, H, W), int64 (N, h, w)."""
        return self.nearest(self.encoder(images))

    def decode(self, codes: Tensor) -> Tensor:
        """Return the images (N, C, H, W) of codes, int64 (N, h, w)."""
        made: Tensor = self.decoder(self.vectors(codes))
        return made

    def nearest(self, encoded: Tensor) -> Tensor:
        """Return the place of the nearest vector for each of (N, code_dim, h, w)."""
        flat = encoded.detach().movedim(1, -1).to(self.codebook.weight.dtype)
        book = self.codebook.weight.detach()
        distances = book.square().sum(1) - 2 * (flat @ book.t())  # less what all share
        return distances.argmin(-1)

    def vectors(self, codes: Tensor) -> Tensor:
        """Return the vectors (N, code_dim, h, w) of codes (N, h, w)."""
        found: Tensor = self.codebook(codes)
        return found.movedim(-1, 1)


def perplexity(counts: Tensor) -> Tensor:
    """Return the exponential of the entropy of counts: how many equal codes would be as varied.

    Example:
        >>> perplexity(torch.tensor([5, 5, 0, 0]))
        tensor(2.)
    """
    shares = counts.double() / counts.sum().clamp_min(1)
    entropy: Tensor = torch.special.entr(shares).sum()
    return entropy.exp().to(torch.float32)
