"""Compiling the networks with torch.compile, where that is asked for."""

from __future__ import annotations

from typing import Any

import torch

from lightning_gan.errors import InputError
from lightning_gan.game.checks import check_compiled, is_compiled
from lightning_gan.types import Player


def compile_networks(gan: Any) -> None:
    """Compile the networks that the module's options name, in place.

    Names of parameters and checkpoints stay as they are; the averaged generator is not compiled.

    Args:
        gan: The module, on the device where it is trained.

    Raises:
        InputError: This machine cannot compile, or a regularizer needs a second derivative.
    """
    check_compiled(gan)  # again: somebody may have called net.compile()
    chosen = [player for player in Player if getattr(gan, f"{player.value}_compile")]
    if not chosen:
        return
    try:
        torch.compile(_trial)(torch.zeros(8, device=gan.device))
    except Exception as error:  # whatever a compiler, a driver or a missing header leads to
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"{chosen[0].value}_compile: torch.compile does not work here, set it to false "
            f"({type(error).__name__}: {reason})"
        ) from error
    for player in chosen:
        network = getattr(gan, player.value)
        if not is_compiled(network):
            network.compile()


def _trial(x: torch.Tensor) -> torch.Tensor:
    return x * 2 + 1
