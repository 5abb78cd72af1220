"""How data and weights are told apart: the SHA-256 of what they hold."""

from __future__ import annotations

import hashlib
import sys

import torch
from torch import Tensor, nn


def fingerprint(*parts: Tensor | int | str) -> str:
    """Return the SHA-256 of tensors (type, shape, bytes), numbers and words, in order.

    Bytes are taken in little-endian order, so that all platforms agree.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            digest.update(f"{part.dtype} {tuple(part.shape)}\n".encode())
            digest.update(_bytes(part).numpy().data)
        else:
            digest.update(f"{part}\n".encode())
    return digest.hexdigest()


def fingerprint_of_weights(network: nn.Module) -> str:
    """Return the SHA-256 of all parameters and buffers with their names, in order."""
    parts: list[Tensor | str] = []
    for name, value in network.state_dict().items():
        parts += [name, value] if isinstance(value, Tensor) else []
    return fingerprint(*parts)


def _bytes(tensor: Tensor) -> Tensor:
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    flat = tensor.reshape(-1).view(torch.uint8)
    if sys.byteorder == "big":
        flat = flat.view(-1, tensor.element_size()).flip(1).contiguous().reshape(-1)
    return flat
