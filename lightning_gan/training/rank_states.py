"""States that each process has for itself: random states, unfinished means, states of parts."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lightning_gan.files.fingerprint import fingerprint
from lightning_gan.game import ranks
from lightning_gan.game.gan import GAN
from lightning_gan.types import map_tensors, tensors_in


def states_of_parts(gan: GAN) -> dict[str, dict[str, Any]] | None:
    """Return the states of this rank's parts, where those of the ranks differ; else None.

    A part may change a buffer wherever it is asked (a queue, a pool of images, a running mean of
    its own batches). Then each rank has another, of which the module's state holds rank 0's.
    """
    if ranks.world_size() == 1:
        return None
    states = {name: own_state(part) for name, part in gan.parts().items()}
    alike = len(set(ranks.gather_objects(_fingerprint(states)))) == 1
    return None if alike else states


def load_states_of_parts(gan: GAN, states: dict[str, dict[str, Any]]) -> None:
    """Take over what :func:`states_of_parts` returned."""
    for name, part in gan.parts().items():
        if name in states:
            part.load_state_dict(states[name], strict=False)


def own_state(part: nn.Module) -> dict[str, Any]:
    """Return buffers and extra state of a part, without its parameters, on the CPU."""
    trained = {name for name, _ in part.named_parameters(remove_duplicate=False)}
    state = {key: value for key, value in part.state_dict().items() if key not in trained}
    return {key: v.cpu() if isinstance(v, Tensor) else v for key, v in state.items()}


def _fingerprint(states: dict[str, dict[str, Any]]) -> str:
    parts: list[Tensor | str] = []
    for name, state in states.items():
        for key, value in state.items():
            parts += [f"{name}.{key}", *tensors_in(value)]
            parts.append(repr(map_tensors(lambda _: None, value)))
    return fingerprint(*parts)
