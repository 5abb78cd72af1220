"""What a discriminator says besides its logits: linear heads by name, features of its layers."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.types import DiscriminatorOutput

RESERVED = ("logits", "features", "extra")


class LinearHeads(nn.ModuleDict):
    """Linear layers on the last features of a discriminator, by the name that terms ask for.

    Args:
        features: Width of the last features.
        sizes: Name and width of each head; None or empty: there are none.

    Raises:
        InputError: A name is no plain word or one of the output's own, or a width is below 1.
    """

    def __init__(self, features: int, sizes: Mapping[str, int] | None) -> None:
        super().__init__()
        for name, size in (sizes or {}).items():
            taken = name in RESERVED or hasattr(nn.ModuleDict, name)
            if not name.isidentifier() or taken:
                raise InputError(f"a head cannot be called {name!r}; choose a plain word")
            if type(size) is not int or size < 1:
                raise InputError(
                    f"heads must have a width from 1 each, such as {{'codes': 12}}, got {name}: "
                    f"{size!r}"
                )
            self[name] = nn.Linear(features, size)

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Return what each head says, shape (N, width), of features (N, F)."""
        return {name: head(features) for name, head in self.items()}

    def joined(
        self, logits: Tensor, features: Tensor, maps: list[Tensor] | None
    ) -> Tensor | DiscriminatorOutput:
        """Return a discriminator's output: the logits alone where there is nothing else to say.

        Args:
            logits: Its logits.
            features: Its last features, shape (N, F).
            maps: Features of its layers to hand out, or None.
        """
        if not len(self) and maps is None:
            return logits
        said = self(features)
        return DiscriminatorOutput(logits, said.pop("class_logits", None), maps, said)


def activations(
    layers: nn.Sequential, x: Tensor, collect: bool
) -> tuple[Tensor, list[Tensor] | None]:
    """Run layers one after the other.

    Args:
        layers: The layers.
        x: Their input.
        collect: Whether to keep what each activation (LeakyReLU, ReLU) returned.

    Returns:
        What the last layer returned; and what was kept, first to last, or None.
    """
    if not collect:
        return layers(x), None
    found: list[Tensor] = []
    for layer in layers:
        x = layer(x)
        if isinstance(layer, (nn.LeakyReLU, nn.ReLU)):
            found.append(x)
    return x, found
