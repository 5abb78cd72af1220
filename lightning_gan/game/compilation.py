"""Compiling the networks with torch.compile, where that is asked for."""

from __future__ import annotations

import torch

from lightning_gan.errors import InputError
from lightning_gan.game.gan import GAN
from lightning_gan.game.torch_seams import is_compiled


def compile_networks(gan: GAN, device: torch.device) -> None:
    """Compile the networks that the options name, in place.

    Names of parameters and checkpoints stay as they are; the averaged generator is not compiled.

    Args:
        gan: The GAN.
        device: Where it is trained.

    Raises:
        InputError: This machine cannot compile, or a regularizer needs a second derivative.
    """
    gan.check_compiled()  # again: somebody may have called net.compile()
    chosen = [side for side in gan.sides() if side.settings.compile]
    if not chosen:
        return
    try:
        torch.compile(_trial)(torch.zeros(8, device=device))
    except Exception as error:  # whatever a compiler, a driver or a missing header leads to
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"{chosen[0].settings.named('compile')}: torch.compile does not work here, set it to "
            f"false ({type(error).__name__}: {reason})"
        ) from error
    for side in chosen:
        if not is_compiled(side.network):
            side.network.compile()


def _trial(x: torch.Tensor) -> torch.Tensor:
    return x * 2 + 1
