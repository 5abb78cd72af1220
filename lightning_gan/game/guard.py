"""Updates that are not finite are left out: nothing of them reaches weights, statistics or EMA."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from lightning_gan.errors import NotFiniteError
from lightning_gan.game.optimization import dense
from lightning_gan.types import Player


class Guard:
    """Lets a player's optimizer step only where its whole gradient is finite.

    The verdict stays on the device where the optimizer is torch's fused Adam or AdamW, which take
    it as they take that of a gradient scaler; for others the host reads it once a step. What the
    batch did to floating buffers (batch-norm statistics, spectral norm, running means) is undone
    with it. The gradient is averaged over ranks before, so that all ranks come to one verdict.
    """

    def __init__(self) -> None:
        self._places: list[tuple[nn.Module, str]] = []
        self._kept: list[Tensor] = []
        self.verdicts: list[tuple[Player, Tensor]] = []  # of this batch
        self._new: dict[str, list[Tensor]] = {}  # verdicts that are in no count yet
        self._skipped: dict[str, int] = {}
        self._in_a_row: dict[str, int] = {}
        self._most_in_a_row: dict[str, int] = {}
        self._lost: str | None = None

    def watch(self, *modules: nn.Module) -> None:
        """Choose the modules whose buffers are put back."""
        layers = {id(layer): layer for module in modules for layer in module.modules()}
        self._places = [
            (layer, name)
            for layer in layers.values()
            for name, buffer in layer.named_buffers(recurse=False)
            if buffer.is_floating_point()
        ]

    @torch.no_grad()
    def begin(self) -> None:
        """Remember the buffers as they are before a batch."""
        self._kept = [getattr(layer, name).clone() for layer, name in self._places]
        self.verdicts = []

    @torch.no_grad()
    def judge(self, player: Player, optimizer: Optimizer, parameters: list[nn.Parameter]) -> None:
        """Keep the optimizer from stepping where a gradient of its parameters is not finite."""
        skip = not_finite([p.grad for p in parameters if p.grad is not None])
        fused = all(group.get("fused") for group in optimizer.param_groups)
        # Fused SGD, told to skip its first step, keeps a momentum that it never initialized.
        if fused and isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW)):
            optimizer.found_inf = skip  # type: ignore[attr-defined]
        elif skip.item():
            optimizer.zero_grad(set_to_none=True)  # an optimizer passes over what has no gradient
        self.verdicts.append((player, skip))

    @torch.no_grad()
    def settle(self) -> None:
        """Put the buffers back as they were before the batch, if any of its steps was left out.

        At the end of the batch, when no graph needs them any more.
        """
        if self.verdicts and self._places:
            skipped = torch.stack([skip for _, skip in self.verdicts]).any()
            for (layer, name), kept in zip(self._places, self._kept, strict=True):
                buffer = getattr(layer, name)
                buffer.copy_(torch.where(skipped, kept, buffer))

    def note(self) -> None:
        """Keep the verdicts of a batch until they are counted."""
        for player, skip in self.verdicts:
            self._new.setdefault(player.value, []).append(skip)
        self.verdicts = []

    def counts(self) -> dict[str, Tensor]:
        """Return how many updates of each player have been left out, as scalars for the log."""
        self._count()
        return {f"skipped/{name}": torch.tensor(float(n)) for name, n in self._skipped.items()}

    def _count(self) -> None:
        """Read the verdicts that are in no count yet; here the host waits for the device."""
        for name, verdicts in self._new.items():
            self._skipped.setdefault(name, 0)
            row, most = self._in_a_row.get(name, 0), self._most_in_a_row.get(name, 0)
            for skip in torch.stack(verdicts).tolist():
                row = row + 1 if skip else 0
                most = max(most, row)
                self._skipped[name] += int(skip)
            self._in_a_row[name], self._most_in_a_row[name] = row, most
        self._new = {}

    def is_lost(self, limit: int | None) -> bool:
        """Whether too many updates in a row have been left out since the last check.

        Args:
            limit: How many are too many; None: none are.
        """
        self._count()
        most, self._most_in_a_row = self._most_in_a_row, {}
        if most:  # training may have gone on, and recovered
            self._lost = None
        for name, count in most.items():
            if limit is not None and count >= limit:
                self._lost = f"{count} updates of the {name} in a row"
        return self._lost is not None

    def raise_if_lost(self, advice: str) -> None:
        """End training for the reason that was found.

        Args:
            advice: Where training ends and what to try.

        Raises:
            NotFiniteError: There was one.
        """
        lost, self._lost = self._lost, None
        if lost is not None:
            raise NotFiniteError(
                f"NaN or infinite losses or gradients: {lost} were left out, and the weights are "
                f"as before them; {advice}"
            )

    def state_dict(self) -> dict[str, dict[str, int]]:
        """Return the counts."""
        self._count()
        return {"skipped": dict(self._skipped), "in_a_row": dict(self._in_a_row)}

    def load_state_dict(self, state: dict[str, dict[str, int]]) -> None:
        """Take over what :meth:`state_dict` returned."""
        # int: tensors in checkpoints of before
        self._skipped = {name: int(count) for name, count in state["skipped"].items()}
        self._in_a_row = {name: int(count) for name, count in state["in_a_row"].items()}
        self._new = {}


def not_finite(tensors: list[Tensor]) -> Tensor:
    """Return 1.0 where any element is NaN or infinite, else 0.0: float32, on their device.

    One pass, and on a GPU one kernel, without a wait: the check of torch's gradient scaler, which
    multiplies what it looks at by a scale, here 1. What that takes no notice of (complex and sparse
    tensors, bfloat16 on a GPU) is told by its norm.

    Args:
        tensors: On one device; nothing in them changes.
    """
    if not tensors:
        return torch.zeros((), dtype=torch.float32)
    found, one = (
        torch.full((), value, dtype=torch.float32, device=tensors[0].device) for value in (0.0, 1.0)
    )
    plain = [tensor for tensor in tensors if _scaler_takes(tensor)]
    if plain:
        torch._amp_foreach_non_finite_check_and_unscale_(plain, found, one)
    if len(plain) < len(tensors):
        norm = get_total_norm([dense(tensor) for tensor in tensors if not _scaler_takes(tensor)])
        found = torch.maximum(found, norm.isfinite().logical_not().float())
    return found


def _scaler_takes(tensor: Tensor) -> bool:
    plain = tensor.layout is torch.strided and tensor.is_floating_point()
    return plain and (tensor.dtype is not torch.bfloat16 or tensor.device.type == "cpu")
