"""What a registered component is tried with: by convention, and as its distribution declares it.

A distribution declares it in a mapping that an entry point of the group ``lightning_gan.cases``
names::

    [project.entry-points."lightning_gan.cases"]
    my_gan = "my_gan.cases:CASES"

    CASES = {
        "my_r2": {"weight": 2.0},
        "generator/tiny": {"arguments": {"width": 8}, "y": torch.rand(4, 3)},
    }

A name, or a kind and a name, stands for the keywords of ``check_component``: arguments of the
constructor, keywords of its check. What a checkpoint cannot hold or what has weights is made by a
function, which gets an empty folder for files: ``"my_loss": lambda folder: {"networks": ...}``.
Three more words are for the kit alone: ``couples``, why what is computed of a sample depends on
others of its batch (None: it does not, whatever the parts declare); ``shapes``, further sample
shapes to try; ``leave_out``, names of checks that are left out, each with its reason.
"""

from __future__ import annotations

import copy
import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_gan.components import installed, registry
from lightning_gan.components.registry import Entry
from lightning_gan.errors import InputError, nearest
from lightning_gan.testing.component import sort_keywords

GROUP = f"{installed.PREFIX}.cases"
# What constructors take by convention, and what makes their networks small.
CONVENTIONAL = {"sample_shape": (1, 8, 8), "num_classes": 3}
SMALL = {"base_channels": 4, "hidden": (8,), "latent_dim": 8}
NETWORKS = ("generator", "discriminator")
WORDS = ("couples", "shapes", "leave_out")


@dataclass(frozen=True)
class Tried:
    """What one trial of a component is made of; made anew for each.

    Attributes:
        arguments: Of its constructor.
        keywords: Of its check.
    """

    arguments: dict[str, Any]
    keywords: dict[str, Any]

    def build(self, component: type, **changes: Any) -> Any:
        """Return the component, with some arguments changed."""
        return component(**{**self.arguments, **changes})


@dataclass(frozen=True)
class Case:
    """A registered component as it is tried.

    Attributes:
        entry: What is registered.
        folder: Where its files are written.
    """

    entry: Entry
    folder: Path

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.entry.kind

    @property
    def component(self) -> type:
        """Its class, imported and looked at.

        Raises:
            PluginError: It is broken.
        """
        return registry.load_entry(self.entry)

    def declared(self) -> dict[str, Any]:
        """Return what its distribution says of it.

        Raises:
            InputError: What is declared is no mapping, or of nothing that is registered.
        """
        table = declarations(self.entry.distribution)
        own = table.get(f"{self.kind}/{self.entry.name}", table.get(self.entry.name, {}))
        if callable(own):
            self.folder.mkdir(parents=True, exist_ok=True)
            return dict(own(self.folder))
        return copy.deepcopy(dict(own))

    def word(self, name: str, default: Any = None) -> Any:
        """Return what is declared for the kit alone."""
        return self.declared().get(name, default)

    def tried(self) -> Tried:
        """Return arguments and keywords: what is declared, on top of what is conventional."""
        own = {key: value for key, value in self.declared().items() if key not in WORDS}
        arguments, keywords = sort_keywords(self.kind, self.component, own)
        accepted = inspect.signature(self.component).parameters
        small = {**CONVENTIONAL, **(SMALL if self.kind in NETWORKS else {})}
        filled = {name: value for name, value in small.items() if name in accepted}
        return Tried({**filled, **arguments}, keywords)

    def may_be_unconditional(self) -> bool:
        """Whether ``num_classes=None`` is another way to build it."""
        parameter = inspect.signature(self.component).parameters.get("num_classes")
        return parameter is not None and parameter.default is None


def declarations(distribution: str) -> dict[str, Any]:
    """Return what a distribution declares of its components, by ``name`` or ``kind/name``.

    Raises:
        InputError: It is no mapping, or of something that the distribution does not register.
    """
    found: dict[str, Any] = {}
    for point in installed.points():
        if point.group != GROUP or point.distribution != distribution:
            continue
        where = f"{distribution}: the entry point {GROUP} {point.name} = {point.value}"
        module, _, attribute = point.value.partition(":")
        try:
            value = getattr(importlib.import_module(module), attribute)
        except Exception as error:
            raise InputError(
                f"{where} failed to import: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(value, Mapping):
            raise InputError(f"{where} is {type(value).__name__}; expected a mapping by names")
        found.update(value)
    known = {
        name
        for kind in registry.KINDS
        for entry in registry.entries(kind)
        if entry.distribution == distribution
        for name in (entry.name, f"{kind}/{entry.name}")
    }
    for name in found:
        if name not in known:
            raise InputError(
                f"{distribution}: {GROUP} declares {name!r}, which it does not register"
                f"{nearest(name, known)}"
            )
    return found
