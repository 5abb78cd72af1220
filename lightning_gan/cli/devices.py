"""Where the commands compute that build no Trainer."""

from __future__ import annotations

from typing import Any

import torch

from lightning_gan.errors import InputError


def chosen_device(given: Any) -> torch.device:
    """Return the device: the user's, or a GPU where there is one.

    Raises:
        InputError: There is no such device.
    """
    if given is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(given)
        torch.empty(0, device=device)
    except (RuntimeError, TypeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"device: got {given!r}; {reason}: try device=cpu") from error
    return device
