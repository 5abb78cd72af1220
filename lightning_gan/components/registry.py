"""Entry-point registry of whatever a GAN is made of and a checkpoint names; standard library only.

Listing reads package metadata and imports nothing, but modules that LIGHTNING_GAN_PLUGINS names. A
plugin is imported when its name is used, and checked at that moment against the base class of its
kind.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lightning_gan.components import developing, installed, offered
from lightning_gan.errors import PluginError, nearest

# Version of the plugin interface: raised when a plugin must be changed to work.
API_VERSION = 1
DISTRIBUTION = "lightning-gan"
CONFIG_GROUP = "lightning_gan.configs"


@dataclass(frozen=True)
class Kind:
    """One kind of component: its entry-point group, base class, and what a plugin must define.

    Attributes:
        name: What it is called, for example ``loss``.
        folder: Last part of its entry-point group, and our folder of such components.
        base: Name of the base class.
        required: Methods that the base class does not define.
        home: Module of a base class that is torch's; None for our own.
    """

    name: str
    folder: str
    base: str
    required: tuple[str, ...]
    home: str | None = None

    @property
    def group(self) -> str:
        """Entry-point group, for example ``lightning_gan.losses``."""
        return f"lightning_gan.{self.folder}"

    @property
    def public_base(self) -> str:
        """The base class as users write it, for example ``lightning_gan.AdversarialLoss``."""
        return f"{self.home or 'lightning_gan'}.{self.base}"

    def load_base(self) -> type:
        """Import and return the base class."""
        home = self.home or f"lightning_gan.{self.folder}.base"
        base: type = _resolve(f"{home}:{self.base}")
        return base


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("generator", "generators", "Generator", ("forward",)),
        Kind("discriminator", "discriminators", "Discriminator", ("forward",)),
        Kind("loss", "losses", "AdversarialLoss", ("discriminator", "generator")),
        Kind("regularizer", "regularizers", "Regularizer", ()),
        Kind("alternation", "alternations", "Alternation", ("phases",)),
        Kind("augment", "augments", "Augment", ("forward",)),
        Kind("prior", "priors", "Prior", ("sample",)),
        Kind("average", "averages", "Average", ("update",)),
        Kind("schedule", "schedules", "Schedule", ("at",)),
        Kind("balance", "balances", "Balance", ("weights",)),
        Kind("optimizer", "optimizers", "Optimizer", ("step",), home="torch.optim"),
        Kind("lr_scheduler", "lr_schedulers", "LRScheduler", (), home="torch.optim.lr_scheduler"),
    )
}


@dataclass(frozen=True)
class Entry:
    """One registered component, as its distribution's metadata describes it."""

    kind: str
    name: str
    value: str
    distribution: str
    version: str

    @property
    def class_path(self) -> str:
        """Dotted import path, for example ``lightning_gan.losses.minimax.MinimaxLoss``."""
        return self.value.replace(":", ".")

    @property
    def ours(self) -> bool:
        """Whether this component ships with lightning-gan itself."""
        return self.distribution == DISTRIBUTION

    @property
    def disabled(self) -> bool:
        """Whether LIGHTNING_GAN_DISABLE switches its distribution off; ours never is."""
        return not self.ours and installed.is_disabled(self.distribution)

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} from {self.distribution} {self.version} ({self.value})"


def kind(name: str) -> Kind:
    """Return the kind called ``name`` (``"generator"``, ``"loss"``, ...).

    Raises:
        PluginError: There is no such kind.
    """
    if name not in KINDS:
        raise PluginError(
            f"unknown kind of component {name!r}{nearest(name, KINDS)} Kinds: {', '.join(KINDS)}"
        )
    return KINDS[name]


@functools.cache
def entries(kind_name: str) -> tuple[Entry, ...]:
    """Return every registered component of a kind, sorted by name; imports no plugin."""
    found = {e for e in _scan(kind(kind_name).group, kind_name) if not e.disabled}
    found |= {e for e in _developed(kind(kind_name)) if e.class_path not in _paths(found)}
    return tuple(sorted(found, key=_order))


def disabled_entries(kind_name: str) -> tuple[Entry, ...]:
    """Return the components of a kind that LIGHTNING_GAN_DISABLE switches off."""
    found = _scan(kind(kind_name).group, kind_name)
    return tuple(sorted((entry for entry in found if entry.disabled), key=_order))


@functools.cache
def config_packages() -> tuple[Entry, ...]:
    """Return the packages of Hydra YAML files that distributions contribute, ours first."""
    found = [entry for entry in _scan(CONFIG_GROUP, "configs") if not entry.disabled]
    return tuple(sorted(found, key=lambda e: (not e.ours, e.name)))


def clear_cache() -> None:
    """Forget the scanned metadata, after a distribution was installed into a running process."""
    entries.cache_clear()
    config_packages.cache_clear()
    installed.forget()
    developing.public_classes.cache_clear()


def names(kind_name: str) -> list[str]:
    """Return the distinct short names of a kind, sorted."""
    return sorted({entry.name for entry in entries(kind_name)})


def find_entry(kind_name: str, name: str) -> Entry:
    """Return the entry called ``name`` or ``distribution:name``; imports nothing.

    Our own components win over a plugin's of the same name, with a warning; two plugins of the same
    name are an error that ``distribution:name`` settles.

    Raises:
        PluginError: No such name, or more than one plugin registers it.
    """
    distribution, _, short = name.rpartition(":")
    found = [
        entry
        for entry in entries(kind_name)
        if entry.name == short and distribution in ("", entry.distribution)
    ]
    if not found:
        qualified = [f"{entry.distribution}:{entry.name}" for entry in entries(kind_name)]
        known = qualified if distribution else names(kind_name)
        hint = elsewhere(kind_name, name) or nearest(name, known) or "."
        raise PluginError(
            f"unknown {kind_name} {name!r}{hint} Available: {', '.join(known) or 'none'}"
        )
    if len(found) > 1:
        listing = "; ".join(str(entry) for entry in found)
        if not found[0].ours:
            choices = " or ".join(f"'{entry.distribution}:{entry.name}'" for entry in found)
            raise PluginError(f"{kind_name} {short!r} is ambiguous: {listing}. Write {choices}")
        others = ", ".join(f"'{entry.distribution}:{entry.name}'" for entry in found[1:])
        warnings.warn(
            f"{kind_name} {short!r} is registered more than once; using ours. "
            f"For the other write {others}",
            stacklevel=2,
        )
    return found[0]


def load(kind_name: str, name: str) -> type:
    """Import the component called ``name`` (or ``distribution:name``), check it and return it.

    Raises:
        PluginError: The name is unknown or ambiguous, the import failed, or the object does not
            fulfil the contract of its kind.
    """
    return load_entry(find_entry(kind_name, name))


def load_entry(entry: Entry) -> type:
    """Import and check one entry; see :func:`load`."""
    reason = outdated(entry.distribution)
    if reason:
        raise PluginError(f"{entry} is {reason}")
    try:
        component: type = _resolve(entry.value)
    except Exception as error:
        raise PluginError(f"{entry} failed to import: {type(error).__name__}: {error}") from error
    check_entry(entry, component)
    return component


def find_classes(class_path: str, *kind_names: str) -> list[Entry]:
    """Return the entries that register the class at a dotted path, ours first; imports nothing.

    Args:
        class_path: The path, as an entry point spells it.
        kind_names: Kinds to look in; none: all.
    """
    found = [
        entry
        for name in kind_names or KINDS
        for entry in entries(name)
        if entry.class_path == class_path
    ]
    return sorted(found, key=lambda entry: not entry.ours)


def load_class_of(found: list[Entry]) -> type:
    """Import the class that several entries register, and check it as one of them says.

    Args:
        found: What :func:`find_classes` returned, one at least. An entry that registers the class
            as something it is not harms nobody, as long as another registers it rightly.

    Raises:
        PluginError: The import failed, or the class is what none of the entries says.
    """
    first: PluginError | None = None
    for entry in found:
        try:
            return load_entry(entry)
        except PluginError as error:
            first = first or error
    assert first is not None
    raise first


def check_entry(entry: Entry, component: Any) -> None:
    """Check a loaded object against the base class of its kind.

    Raises:
        PluginError: Wrong base class, a required method is missing, or a method cannot be called
            as the base class declares it.
    """
    required = KINDS[entry.kind]
    base = required.load_base()
    if not (isinstance(component, type) and issubclass(component, base)):
        what = f"class {component.__name__}" if isinstance(component, type) else repr(component)
        raise PluginError(f"{entry} is {what}, expected a subclass of {required.public_base}")
    for method in required.required:
        if getattr(component, method) is getattr(base, method):
            raise PluginError(f"{entry} does not define {method}{_signature(base, method)}")
    for method, declared in vars(base).items():
        if method.startswith("_") or not inspect.isfunction(declared):
            continue
        if required.home is not None and method not in required.required:
            continue  # of torch's many methods these are the ones that are called
        theirs = getattr(component, method)
        if theirs is not declared and not _callable_like(theirs, declared):
            raise PluginError(
                f"{entry} defines {method}{inspect.signature(theirs)}, "
                f"expected {method}{inspect.signature(declared)}"
            )


def outdated(distribution: str) -> str:
    """Return why a distribution is not for this version of the plugin interface, or ""."""
    declared = installed.written_for(distribution)
    wrong = sorted(version for version in declared if not version.isdecimal())
    if wrong:
        return (
            f"outdated: its entry point {installed.API_GROUP} is called {wrong[0]!r}, expected the "
            f"number of the plugin interface, such as {API_VERSION}"
        )
    if not declared or str(API_VERSION) in declared:
        return ""
    older = max(map(int, declared)) < API_VERSION
    upgrade = distribution if older else DISTRIBUTION
    return (
        f"outdated: written for version {', '.join(sorted(declared))} of the plugin interface, and "
        f"this lightning-gan has version {API_VERSION}: pip install --upgrade {upgrade}"
    )


def _scan(group: str, kind_name: str) -> set[Entry]:
    return {
        Entry(kind_name, point.name, point.value, point.distribution, point.version)
        for point in installed.points()
        if point.group == group
    }


def _developed(kind: Kind) -> set[Entry]:
    """Return the components of modules that LIGHTNING_GAN_PLUGINS names; a broken one has none."""
    found = set()
    for module in developing.modules():
        if developing.import_failure(module) is None:
            base = kind.load_base()
            for cls in developing.public_classes(module):
                if issubclass(cls, base):
                    name = developing.short_name(cls.__name__, kind.base)
                    value = f"{cls.__module__}:{cls.__qualname__}"
                    found.add(Entry(kind.name, name, value, module, developing.VERSION))
    return found


def _paths(found: set[Entry]) -> set[str]:
    return {entry.class_path for entry in found}


def _order(entry: Entry) -> tuple[str, bool, str]:
    return entry.name, not entry.ours, entry.distribution


def elsewhere(kind_name: str, name: str) -> str:
    """Return who has a name that is not registered, and how to get it, or ""."""
    distribution, _, name = name.rpartition(":")
    for entry in disabled_entries(kind_name):
        if entry.name == name and distribution in ("", entry.distribution):
            return f": {entry.distribution} has it, and {installed.DISABLE} switches it off."
    for module in developing.modules():
        reason = developing.import_failure(module)
        if reason:
            return f". {developing.VARIABLE}={module} is {reason}."
    return offered.how_to_get(KINDS[kind_name].folder, name)


def _resolve(value: str) -> Any:
    module, _, attributes = value.partition(":")
    found: Any = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        found = getattr(found, attribute)
    return found


def _signature(owner: type, method: str) -> str:
    return str(inspect.signature(getattr(owner, method)))


def _callable_like(theirs: Callable[..., Any], declared: Callable[..., Any]) -> bool:
    """Whether ``theirs`` accepts every call that the declared signature allows."""
    parameters = list(inspect.signature(declared).parameters.values())
    keywords = {p.name: None for p in parameters if p.kind is p.KEYWORD_ONLY}
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    needed = [p for p in positional if p.default is p.empty]
    try:
        signature = inspect.signature(theirs)
        signature.bind(*positional, **keywords)
        signature.bind(*needed, **keywords)
    except TypeError:
        return False
    return True
