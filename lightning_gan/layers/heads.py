"""What a discriminator says besides its logits: linear heads by name, features of its layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor, nn

from lightning_gan.errors import InputError
from lightning_gan.layers.sliced_linear import SlicedLinear
from lightning_gan.types import DiscriminatorOutput

RESERVED = ("logits", "features", "extra", "function", "direction")  # the last are of slices


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
        self,
        logits: Tensor | DiscriminatorOutput,
        features: Tensor,
        maps: list[Tensor] | None,
    ) -> Tensor | DiscriminatorOutput:
        """Return a discriminator's output: the logits alone where there is nothing else to say.

        Args:
            logits: Its logits, perhaps with what was said beside them.
            features: Its last features, shape (N, F).
            maps: Features of its layers to hand out, or None.
        """
        if not len(self) and maps is None:
            return logits
        said = self(features)
        classes = said.pop("class_logits", None)
        if isinstance(logits, Tensor):
            return DiscriminatorOutput(logits, classes, maps, said)
        return replace(logits, class_logits=classes, features=maps, extra={**logits.extra, **said})


def last_logits(
    head: nn.Linear | SlicedLinear, features: Tensor, classes: Tensor | None
) -> Tensor | DiscriminatorOutput:
    """Return the logits of the last layer, and the projection of the classes added to them.

    Args:
        head: The last layer.
        features: Its input, shape (N, F).
        classes: What is learned of the class of each sample, shape (N, F) (Miyato & Koyama 2018,
            section 3); or None.

    Returns:
        Logits, shape (N,), or (N, outputs) of several; of a SlicedLinear with their slices.
    """
    if isinstance(head, SlicedLinear):
        return head.judge(features, classes)
    logits: Tensor = head(features)
    if classes is not None:
        logits = logits + (features * classes).sum(1, keepdim=True)
    return logits.squeeze(1) if logits.shape[1] == 1 else logits


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
