"""Updates that are not finite are left out: nothing of them reaches weights, statistics or EMA."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_gan.errors import NotFiniteError
from lightning_gan.types import Player


class Guard:
    """Lets a player's optimizer step only where the norm of its gradient is finite.

    The verdict stays on the device where the optimizer is torch's fused Adam or AdamW, which take
    it as they take that of a gradient scaler; for others the host reads it once a step. What the
    batch did to floating buffers (batch-norm statistics, spectral norm, running means) is undone
    with it. The gradient is averaged over ranks before, so that all ranks come to one verdict.
    """

    def __init__(self) -> None:
        self._places: list[tuple[nn.Module, str]] = []
        self._kept: list[Tensor] = []
        self._verdicts: list[Tensor] = []
        self._skipped: dict[str, Tensor] = {}
        self._in_a_row: dict[str, Tensor] = {}
        self._most_in_a_row: dict[str, Tensor] = {}
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
        self._verdicts = []

    @torch.no_grad()
    def judge(self, player: Player, optimizer: Optimizer, norm: Tensor) -> None:
        """Keep the optimizer from stepping where the norm of its gradient is not finite."""
        skip = norm.isfinite().logical_not().float()
        fused = all(group.get("fused") for group in optimizer.param_groups)
        # Fused SGD, told to skip its first step, keeps a momentum that it never initialized.
        if fused and isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW)):
            optimizer.found_inf = skip  # type: ignore[attr-defined]
        elif skip.item():
            optimizer.zero_grad(set_to_none=True)  # an optimizer passes over what has no gradient
        self._verdicts.append(skip)
        name = player.value
        row = (self._in_a_row.get(name, 0) + 1) * skip
        self._skipped[name] = self._skipped.get(name, 0) + skip
        self._most_in_a_row[name] = torch.maximum(row, self._most_in_a_row.get(name, row))
        self._in_a_row[name] = row

    @torch.no_grad()
    def settle(self) -> None:
        """Put the buffers back as they were before the batch, if any of its steps was left out.

        At the end of the batch, when no graph needs them any more.
        """
        if self._verdicts:
            skipped = torch.stack(self._verdicts).any()
            for (layer, name), kept in zip(self._places, self._kept, strict=True):
                buffer = getattr(layer, name)
                buffer.copy_(torch.where(skipped, kept, buffer))

    def counts(self) -> dict[str, Tensor]:
        """Return how many updates of each player have been left out, as scalars for the log."""
        return {f"skipped/{name}": count for name, count in self._skipped.items()}

    def is_lost(self, limit: int | None) -> bool:
        """Whether too many updates in a row have been left out since the last check.

        Args:
            limit: How many are too many; None: none are.
        """
        most, self._most_in_a_row = self._most_in_a_row, {}
        if most:  # training may have gone on, and recovered
            self._lost = None
        for name, count in most.items():
            if limit is not None and count >= limit:
                self._lost = f"{int(count)} updates of the {name} in a row"
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

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Return the counts."""
        return {"skipped": dict(self._skipped), "in_a_row": dict(self._in_a_row)}

    def load_state_dict(self, state: dict[str, dict[str, Tensor]]) -> None:
        """Take over what :meth:`state_dict` returned."""
        self._skipped, self._in_a_row = dict(state["skipped"]), dict(state["in_a_row"])
