"""Updates that are not finite are left out: nothing of them reaches weights, statistics or EMA."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from lightning_gan.game.optimization import dense
from lightning_gan.game.side import Side
from lightning_gan.game.torch_seams import buffers_of, copy_all, note_non_finite, version

# What the check of torch's gradient scaler takes.
TAKEN = frozenset({torch.float16, torch.float32, torch.float64})
TAKEN_ON_CPU = TAKEN | {torch.bfloat16}
SMALL = 2**16  # elements; smaller buffers are copied whether they changed or not


class Guard:
    """Lets a player's optimizer step only where its whole gradient is finite.

    The verdict stays on the device where the optimizer is torch's fused Adam or AdamW, which take
    it as they take that of a gradient scaler; for others the host reads it once a step. What the
    batch did to buffers (batch-norm statistics, spectral norm, queues, counters) and to the extra
    state of parts is undone with it. The gradient is averaged over ranks before, so that all ranks
    come to one verdict.

    A copy of each buffer is kept and renewed where the buffer changed. Of large ones torch's
    version counter tells: a part must change them in place, and not through ``.data``.

    Attributes:
        verdicts: Of this batch: whose update, and 1.0 where it was left out.
    """

    def __init__(self) -> None:
        self._places: list[_Place] = []
        self._layers: list[nn.Module] = []
        self._states: list[Any] = []
        self.verdicts: list[tuple[Side, Tensor]] = []

    def watch(self, *modules: nn.Module) -> None:
        """Choose the modules whose buffers and extra state are put back."""
        layers = {id(layer): layer for module in modules for layer in module.modules()}
        self._places = [
            _Place(layer, name)
            for layer in layers.values()
            for name in buffers_of(layer)  # those that are None so far as well
        ]
        plain = nn.Module.get_extra_state
        self._layers = [e for e in layers.values() if type(e).get_extra_state is not plain]

    def begin(self) -> None:
        """Remember buffers and extra state as they are before a batch."""
        self.verdicts = []
        self._keep([place for place in self._places if place.may_have_changed()])
        if self._layers:
            self._states = [copy.deepcopy(layer.get_extra_state()) for layer in self._layers]

    def judge(self, side: Side, gradients: list[Tensor]) -> None:
        """Keep a player's optimizer from stepping where a gradient is not finite."""
        optimizer = side.optimizer
        assert optimizer is not None
        skip = any_not_finite(gradients)
        fused = False not in [bool(group.get("fused")) for group in optimizer.param_groups]
        # Fused SGD, told to skip its first step, keeps a momentum that it never initialized.
        if fused and isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW)):
            optimizer.found_inf = skip  # type: ignore[attr-defined]
        elif skip.item():
            optimizer.zero_grad(set_to_none=True)  # an optimizer passes over what has no gradient
        self.verdicts.append((side, skip))

    def settle(self, asks: bool = True) -> None:
        """Put everything back as it was before the batch, if any of its steps was left out.

        At the end of the batch, when no graph needs the buffers any more.

        Args:
            asks: Whether the host may read the verdict where that costs no wait, on a CPU.
        """
        if not self.verdicts or not (self._places or self._layers):
            return
        skipped = torch.stack([skip for _, skip in self.verdicts]).any()
        asks = asks and skipped.device.type == "cpu"
        if asks and not skipped.item():
            return
        for place in self._places:
            if place.came_or_went():
                if skipped.item():
                    place.restore(place.kept)
            elif place.may_have_changed():
                place.restore(
                    place.kept if asks else torch.where(skipped, place.kept, place.buffer)
                )
                if not asks and place.is_large():  # what is captured renews its copy itself
                    place.kept.copy_(place.buffer)
        if self._layers and self._states_changed() and skipped.item():
            for layer, state in zip(self._layers, self._states, strict=True):
                layer.set_extra_state(state)

    def _states_changed(self) -> bool:
        try:
            return bool(self._states != [layer.get_extra_state() for layer in self._layers])
        except (RuntimeError, ValueError):  # tensors or arrays among them
            return True

    def _keep(self, places: list[_Place]) -> None:
        known = [place for place in places if place.fits()]
        if known:
            copy_all([p.kept for p in known], [p.buffer for p in known])
        for place in places:
            place.keep()

    def note(self) -> None:
        """Keep the verdicts of a batch until they are counted."""
        for side, skip in self.verdicts:
            side.skipped.waiting.append(skip)
        self.verdicts = []


class _Place:
    """A buffer of a layer and the copy that is kept of it."""

    def __init__(self, layer: nn.Module, name: str) -> None:
        self.layer, self.name = layer, name
        self._buffers = buffers_of(layer)
        self.kept = torch.empty(0)
        self._original: Tensor | None = None
        self._version = -1

    @property
    def buffer(self) -> Tensor:
        """What the layer has under this name now; in spite of the type, it may be None."""
        return self._buffers[self.name]  # type: ignore[return-value]

    def came_or_went(self) -> bool:
        """Whether the buffer was None and is not now, or the other way round."""
        return (self._original is None) != (self.buffer is None)

    def is_large(self) -> bool:
        """Whether the version counter tells if the buffer changed."""
        return self.buffer.numel() > SMALL

    def may_have_changed(self) -> bool:
        """Whether the buffer differs from the copy, as far as can be told without reading it."""
        buffer = self.buffer
        if buffer is not self._original:
            return True
        if buffer is None:
            return False
        # Kernels of batch norm change without a new version.
        return not self.is_large() or version(buffer) != self._version

    def fits(self) -> bool:
        """Whether the copy can take the buffer's values."""
        buffer, kept = self.buffer, self.kept
        if buffer is None:
            return False
        return (buffer.shape, buffer.dtype, buffer.device) == (kept.shape, kept.dtype, kept.device)

    def keep(self) -> None:
        """Note what the copy, renewed where it fits, is of."""
        buffer = self._original = self.buffer
        if buffer is None:
            return
        if not self.fits():
            self.kept = buffer.detach().clone()
        self._version = version(buffer)

    def restore(self, value: Tensor) -> None:
        """Give the buffer a value, be it the same object as before or another in its place."""
        if self._original is not None:
            self._original.data.copy_(value)  # a graph that waits for its backward may hold it
        if self.buffer is not self._original:
            setattr(self.layer, self.name, self._original)


def any_not_finite(tensors: list[Tensor]) -> Tensor:
    """Return 1.0 where any element is NaN or infinite, else 0.0: float32, on their device.

    One pass, and on a GPU one kernel, without a wait: the check of torch's gradient scaler, which
    multiplies what it looks at by a scale, here 1. What that takes no notice of (complex and sparse
    tensors, bfloat16 on a GPU) is told by its norm.

    Args:
        tensors: On one device; nothing in them changes.
    """
    if not tensors:
        return torch.zeros((), dtype=torch.float32)
    device = tensors[0].device
    found = torch.zeros((), dtype=torch.float32, device=device)
    taken = TAKEN_ON_CPU if device.type == "cpu" else TAKEN
    plain = [t for t in tensors if t.dtype in taken and t.layout is torch.strided]
    if plain:
        note_non_finite(plain, found)
    if len(plain) < len(tensors):
        known = set(map(id, plain))
        norm = get_total_norm([dense(tensor) for tensor in tensors if id(tensor) not in known])
        found = torch.maximum(found, norm.isfinite().logical_not().float())
    return found
