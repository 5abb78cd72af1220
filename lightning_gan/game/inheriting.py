"""Weights that a network takes over from another one's: which fit, which do not, and the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.components.spec import printable
from lightning_gan.errors import InputError
from lightning_gan.files.columns import columns

Tensors = Mapping[str, Tensor]

GENERATOR, DISCRIMINATOR, AVERAGE = "generator", "discriminator", "average"
# What files call the networks; the first of these words in a name says whose it is.
WORDS = {
    GENERATOR: ("generator", "netg", "net_g", "gen", "g"),
    DISCRIMINATOR: ("discriminator", "netd", "net_d", "disc", "critic", "d"),
    AVERAGE: ("generator_ema", "ema_generator", "netg_ema", "g_ema", "gen_ema", "ema", "g_running"),
}
ROLES = {word: role for role, words in WORDS.items() for word in words}
DEEP = 3  # how many parts of a name may be its prefix
COMPILED = "_orig_mod"  # torch.compile's, wherever it stands
SHOWN = 4  # names of a kind that the table shows


@dataclass
class Inherited:
    """What one network took over.

    Attributes:
        network: ``generator``, ``discriminator`` or ``average``.
        prefix: What its names begin with in the file.
        loaded: Names of weights that were taken over as they are.
        partly: Of those with a row for each class, how many rows were.
        another_shape: Shapes in the file and here, of weights that begin new.
        new: Names that the file has not; they begin new.
        missing: Names of the file for which the network has no place.
    """

    network: str
    prefix: str = ""
    loaded: list[str] = field(default_factory=list)
    partly: dict[str, str] = field(default_factory=dict)
    another_shape: dict[str, str] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def taken(self) -> int:
        """How many weights were taken over, whole or in part."""
        return len(self.loaded) + len(self.partly)

    @property
    def is_whole(self) -> bool:
        """Whether everything was taken over and nothing left."""
        return not (self.partly or self.another_shape or self.new or self.missing)


@dataclass
class Inheritance:
    """What the networks of a GAN took over, as a table.

    Attributes:
        origin: Name and fingerprint of the source.
        networks: One for each network.
        unused: Names of the file that belong to none of them.
        frozen: Names of parameters that begin new and are not trained.
    """

    origin: dict[str, Any]
    networks: list[Inherited]
    unused: list[str]
    frozen: list[str] = field(default_factory=list)

    def reaches(self, network: str) -> bool:
        """Whether a network is one of those that it is about."""
        return any(each.network == network for each in self.networks)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "origin": self.origin,
            "networks": {each.network: _counted(each) for each in self.networks},
            "unused": {"count": len(self.unused), "names": self.unused},
            "frozen": {"count": len(self.frozen), "names": self.frozen},
        }

    def __str__(self) -> str:
        rows: list[Sequence[str]] = [
            ("network", "loaded", "in part", "another shape", "new", "missing")
        ]
        for n in self.networks:
            kinds = (n.loaded, n.partly, n.another_shape, n.new, n.missing)
            rows.append((n.network, *(str(len(kind)) for kind in kinds)))
        lines = [
            f"init_from {self.origin['name']}: weights alone, as a beginning; optimizers and "
            "counts start anew",
            columns(rows),
        ]
        for n in self.networks:
            if not n.taken:
                lines.append(f"{n.network}: nothing was loaded, it begins new")
            lines += _said(f"{n.network}, in part", _pairs(n.partly))
            lines += _said(f"{n.network}, another shape, begins new", _pairs(n.another_shape))
            lines += _said(f"{n.network}, not in the file, begins new", n.new)
            lines += _said(f"{n.network}, in the file, without a place here", n.missing)
        lines += _said("frozen by freeze, though they begin new", self.frozen)
        lines += _said("in the file, of no network here", self.unused)
        return "\n".join(lines)


def _counted(each: Inherited) -> dict[str, Any]:
    found = asdict(each)
    counts = {key: len(value) for key, value in found.items() if isinstance(value, (list, dict))}
    return {"counts": counts, **found}


def _pairs(found: Mapping[str, str]) -> list[str]:
    return [f"{name}: {text}" for name, text in found.items()]


def _said(title: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return [f"{title}: {'; '.join(map(printable, names[:SHOWN]))}{more}"]


def without_compiled(name: str) -> str:
    """Return a name without what ``torch.compile`` puts into it.

    Example:
        >>> without_compiled("generator._orig_mod.layers.0.weight")
        'generator.layers.0.weight'
    """
    return ".".join(part for part in name.split(".") if part != COMPILED)


def role_of(name: str) -> tuple[str | None, int]:
    """Return whose a name is by the words in it, and how many parts of it say so.

    Example:
        >>> role_of("module.netG.main.0.weight"), role_of("main.0.weight")
        (('generator', 2), (None, 0))
    """
    parts = name.split(".")
    for place, part in enumerate(parts[:DEEP]):
        if part.lower() in ROLES and place < len(parts) - 1:
            return ROLES[part.lower()], place + 1
    return None, 0


@dataclass
class Found:
    """Weights of a file that are meant for one network.

    Attributes:
        prefix: What stood before the names.
        tensors: By the names that the network has, or might have.
        names: The file's names of these.
        score: How many are there with name and shape, and how many with their names.
    """

    prefix: str
    tensors: dict[str, Tensor]
    names: dict[str, str]
    score: tuple[int, int]


def find(tensors: Tensors, network: nn.Module, role: str) -> Found:
    """Return the weights of a file that fit a network best.

    Names whose words say that they are the network's come first. Of what stands before its names
    in the file (``module.``, ``state_dict.``, whatever it is), and of a first part that all its own
    names have (``net.``), that is left out or put before which gives most names with their shapes.

    Args:
        tensors: The file's.
        network: The network.
        role: ``generator``, ``discriminator`` or ``average``.
    """
    own = {k: v for k, v in network.state_dict().items() if isinstance(v, Tensor)}
    said: dict[str, str] = {}
    for name in tensors:
        whose, parts = role_of(name)
        if whose == role:
            said.setdefault(".".join(name.split(".")[parts:]), name)
    foreign = {word for word, whose in ROLES.items() if whose != role}
    if role == AVERAGE:  # never what is not called an average
        everything: dict[str, str] = {}
    else:
        everything = {name: name for name in tensors}
    best = Found("", {}, {}, (0, 0))
    for pool, avoided in ((said, set[str]()), (everything, foreign)):
        found = _best(pool, tensors, own, avoided)
        if found.score > best.score:
            best = found
    if best.score == (0, 0) and said:  # nothing fits, and all of it is to be told
        best = Found("", {k: tensors[v] for k, v in said.items()}, said, (0, 0))
    return best


def _best(pool: Mapping[str, str], tensors: Tensors, own: Tensors, avoided: set[str]) -> Found:
    heads = {name.split(".")[0] for name in own}
    added = [""] + ([f"{next(iter(heads))}."] if len(heads) == 1 else [])
    exact: Counter[tuple[str, str]] = Counter()
    named: Counter[tuple[str, str]] = Counter()
    for key, name in pool.items():
        parts = key.split(".")
        for deep in range(min(DEEP + 1, len(parts))):
            if {part.lower() for part in parts[:deep]} & avoided:
                break
            prefix, rest = ".".join(parts[:deep]), ".".join(parts[deep:])
            for before in added:
                if before + rest in own:
                    same = own[before + rest].shape == tensors[name].shape
                    named[prefix, before] += 1
                    exact[prefix, before] += same
    if not named:
        return Found("", {}, {}, (0, 0))
    prefix, before = max(named, key=lambda each: (exact[each], named[each], -len(each[0])))
    inner = f"{prefix}." if prefix else ""
    names = {before + k[len(inner) :]: n for k, n in pool.items() if k.startswith(inner)}
    score = (exact[prefix, before], named[prefix, before])
    return Found(prefix, {key: tensors[name] for key, name in names.items()}, names, score)


def inherit(network: nn.Module, found: Found, role: str) -> Inherited:
    """Give a network what was found for it; what does not fit stays as it is, and is listed.

    Where a weight has another number of rows, in one dimension alone and here one for each of the
    network's ``num_classes``, the rows that both have are taken over: class 3 stays class 3.

    Args:
        network: The network.
        found: What :func:`find` returned.
        role: What the table calls it.

    Raises:
        InputError: A weight that fits holds NaN or infinity.
    """
    state = network.state_dict()
    result = Inherited(role, found.prefix)
    classes = getattr(network, "num_classes", None)
    for name, own in state.items():
        if not isinstance(own, Tensor):
            continue
        given = found.tensors.get(name)
        if given is None:
            result.new.append(name)
            continue
        where = _rows(given, own, classes)
        if given.shape == own.shape and _kind(given) == _kind(own):
            _check_finite(given, found.names[name])
            state[name] = given
            result.loaded.append(name)
        elif where is not None and _kind(given) == _kind(own):
            _check_finite(given, found.names[name])
            both = min(given.shape[where], own.shape[where])
            mixed = own.detach().clone()
            mixed.narrow(where, 0, both).copy_(given.narrow(where, 0, both))
            state[name] = mixed
            counts = f"{both} of {own.shape[where]} classes"
            result.partly[name] = f"{counts} (the file has {given.shape[where]})"
        else:
            result.another_shape[name] = f"{_described(given)} in the file, {_described(own)} here"
    result.missing = [old for name, old in found.names.items() if name not in state]
    network.load_state_dict(state)
    return result


def _rows(given: Tensor, own: Tensor, classes: int | None) -> int | None:
    """Return the one dimension that counts classes and differs, or None."""
    if classes is None or given.dim() != own.dim():
        return None
    pairs = enumerate(zip(given.shape, own.shape, strict=True))
    differ = [i for i, (there, here) in pairs if there != here]
    return differ[0] if len(differ) == 1 and own.shape[differ[0]] == classes else None


def _kind(tensor: Tensor) -> tuple[bool, bool, bool]:
    return tensor.is_floating_point(), tensor.is_complex(), tensor.dtype == torch.bool


def _described(tensor: Tensor) -> str:
    dtype = str(tensor.dtype).removeprefix("torch.")
    return f"{tuple(tensor.shape)}" + ("" if tensor.is_floating_point() else f" {dtype}")


def _check_finite(tensor: Tensor, name: str) -> None:
    if not bool(torch.isfinite(tensor).all()):
        raise InputError(
            f"init_from: {printable(name)} of the file holds NaN or infinity, from which no "
            "training can begin"
        )


def renamed(tensors: Tensors, rename: Mapping[str, str]) -> dict[str, Tensor]:
    """Return tensors under the names that a mapping of beginnings gives them, the longest first.

    Example:
        >>> weight = torch.zeros(1)
        >>> list(renamed({"G_net.main.0.weight": weight}, {"G_net": "generator.net"}))
        ['generator.net.main.0.weight']

    Raises:
        InputError: A beginning is none of the file's, or two names become one.
    """
    result: dict[str, Tensor] = {}
    used = set()
    order = sorted(rename, key=len, reverse=True)
    for name, tensor in tensors.items():
        new = name
        for old in order:
            if name == old or name.startswith(f"{old.rstrip('.')}.") or old == "":
                used.add(old)
                rest = name[len(old.rstrip(".")) :].lstrip(".")
                new = ".".join(part for part in (rename[old].rstrip("."), rest) if part)
                break
        if new in result:
            raise InputError(f"init_from.rename: two names of the file become {printable(new)!r}")
        result[new] = tensor
    unused = [old for old in order if old not in used]
    if unused:
        heads = sorted({name.split(".")[0] for name in tensors})
        raise InputError(
            f"init_from.rename: no name of the file begins with {unused[0]!r}; they begin with "
            f"{', '.join(map(printable, heads[:10]))}"
        )
    return result


def leftovers(tensors: Tensors, used: Iterable[Found]) -> list[str]:
    """Return the names of a file that no network was offered."""
    offered = {name for found in used for name in found.names.values()}
    return [name for name in tensors if name not in offered]
