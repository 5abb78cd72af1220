"""Who computes gradients and steps: plain torch, or a trainer that has its own ways."""

from __future__ import annotations

from torch import Tensor
from torch.optim import Optimizer

from lightning_gan.game import ranks


class Engine:
    """Plain torch; gradients are averaged over ranks where torch.distributed is initialized.

    Derive from it for a trainer with a backward pass, a setup of processes or a gradient scaler of
    its own. An update calls :meth:`backward` once for each piece of the batch, and then the other
    three, once, in the order in which they stand here.

    Example:
        >>> class AccelerateEngine(Engine):
        ...     def __init__(self, accelerator):
        ...         self.accelerator = accelerator
        ...
        ...     def backward(self, objective, gradient):
        ...         self.accelerator.backward(objective, gradient=gradient)
    """

    def backward(self, objective: Tensor, gradient: Tensor) -> None:
        """Add the gradients of an objective to those that its parameters have.

        Args:
            objective: What a player minimises on a piece of the batch, a scalar.
            gradient: The factor that gradients are multiplied by, a scalar: the share of the
                piece, NaN where the objective is not finite.
        """
        objective.backward(gradient)  # type: ignore[no-untyped-call]

    def average(self, gradients: list[Tensor]) -> None:
        """Average a player's gradients over all ranks, in place.

        Override it where a wrapper of the network has done so in its backward pass.
        """
        ranks.average(gradients)

    def before_step(self, optimizer: Optimizer) -> None:
        """Look at the gradients, averaged, or change them, before they are judged and clipped."""

    def step(self, optimizer: Optimizer) -> None:
        """Let an optimizer step.

        In an update that is left out because its gradient is not finite, the gradients are gone or
        ``optimizer.found_inf`` is set: the optimizer's step then does nothing by itself.
        """
        optimizer.step()
