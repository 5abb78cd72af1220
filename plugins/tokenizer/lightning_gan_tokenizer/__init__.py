"""Image tokenizers for lightning-gan: VQ and KL autoencoders, and their halves to take along."""

from lightning_gan_tokenizer.codebook_use import CodebookUse
from lightning_gan_tokenizer.halves import Decoder, Encoder, decoder, encoder, export
from lightning_gan_tokenizer.kl import KLAutoencoder
from lightning_gan_tokenizer.metrics import TokenizerMetrics
from lightning_gan_tokenizer.vq import VQAutoencoder

__all__ = [
    "CodebookUse",
    "Decoder",
    "Encoder",
    "KLAutoencoder",
    "TokenizerMetrics",
    "VQAutoencoder",
    "decoder",
    "encoder",
    "export",
]
