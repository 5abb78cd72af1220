"""What steps as CUDA graphs cannot do; one sentence for each."""

from __future__ import annotations

import torch

from lightning_gan.errors import InputError
from lightning_gan.game import ranks
from lightning_gan.game.gan import GAN
from lightning_gan.game.graphs.recorder import RECORDERS
from lightning_gan.game.side import Side
from lightning_gan.game.torch_seams import has_step_hooks, is_compiled


def check_graph(gan: GAN, device: torch.device) -> None:
    """Refuse what cannot be captured.

    Args:
        gan: The GAN.
        device: Where it is trained.

    Raises:
        InputError: There is no GPU, there are several processes, a network is compiled, or a part
            acts in Python at every step.
    """
    if device.type not in RECORDERS:
        raise InputError(
            f"graph captures steps as CUDA graphs, and this run computes on {device.type}: "
            "train on a GPU, or set graph to false"
        )
    if ranks.world_size() > 1:
        raise InputError(
            f"graph captures the steps of one process, got {ranks.world_size()}: train "
            "on one device, or set graph to false"
        )
    for side in gan.sides():
        if side.settings.compile or is_compiled(side.network):
            raise InputError(
                f"graph captures networks as they are, and the {side.player.value} is compiled: "
                "leave that out, or set graph to false"
            )
    for name, part in gan.parts().items():
        if part.observes and part is not gan.alternation:
            name = name.removeprefix("regularizer/")
            raise InputError(
                f"graph repeats what was captured, and {name} ({type(part).__name__}) changes by "
                "what it observes: leave it out, or set graph to false"
            )


def check_optimizers(*sides: Side) -> None:
    """Refuse optimizers that ask the host, or have hooks of their own.

    Raises:
        InputError: One of them does.
    """
    for side in sides:
        optimizer = side.optimizer
        if optimizer is None:
            continue
        adam = isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW))
        if not (adam and all(group["fused"] for group in optimizer.param_groups)):
            raise InputError(
                "graph needs optimizers that leave out a step that is not finite without asking "
                f"the host, torch's fused Adam or AdamW; {side.settings.named('optimizer')} is "
                f"{type(optimizer).__name__}{', not fused' if adam else ''}: choose one of them, "
                "or set graph to false"
            )
        if has_step_hooks(optimizer):
            raise InputError(
                f"graph passes over the hooks of {side.settings.named('optimizer')}'s steps: leave "
                "them out, or set graph to false"
            )
