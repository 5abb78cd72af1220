"""Frozen weights that come from a file of their own: checkpoints name it and leave them out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from lightning_gan.components.part import Part
from lightning_gan.errors import InputError


class Referenced:
    """The parts whose frozen weights are saved by reference.

    Args:
        parts: All parts, by name.
    """

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = {name: part for name, part in parts.items() if part.weights_from}
        self._fingerprints: dict[str, str] = {}

    def names(self, root: nn.Module) -> list[str]:
        """Return the names, below ``root``, of the parameters that are left out."""
        if not self._parts:
            return []
        left_out = {
            id(parameter)
            for part in self._parts.values()
            for parameter in part.parameters()
            if not parameter.requires_grad
        }
        named = root.named_parameters(remove_duplicate=False)
        return [name for name, parameter in named if id(parameter) in left_out]

    def describe(self) -> dict[str, dict[str, str]]:
        """Return where they come from, and a fingerprint of them, by part."""
        return {
            name: {"from": str(part.weights_from), "sha256": self._fingerprint(name, part)}
            for name, part in self._parts.items()
        }

    def check(self, saved: Mapping[str, Any]) -> None:
        """Check that the weights are those that were there when a file was written.

        Raises:
            InputError: They are others.
        """
        for name, part in self._parts.items():
            then = saved.get(name)
            if then is not None and then["sha256"] != self._fingerprint(name, part):
                raise InputError(
                    f"{name} ({type(part).__name__}) was saved with weights from {then['from']}, "
                    f"and those from {part.weights_from} are others: give it the same file"
                )

    def _fingerprint(self, name: str, part: Part) -> str:
        if name not in self._fingerprints:
            digest = hashlib.sha256()
            for key, parameter in part.named_parameters():
                if not parameter.requires_grad:
                    digest.update(f"{key} {tuple(parameter.shape)} {parameter.dtype}".encode())
                    values = parameter.detach().cpu().contiguous().reshape(-1)
                    digest.update(values.view(torch.uint8).numpy().data)
            self._fingerprints[name] = digest.hexdigest()
        return self._fingerprints[name]
