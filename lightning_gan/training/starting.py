"""Training that begins with somebody's weights: fine-tuning, as opposed to going on."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from torch import nn

from lightning_gan.errors import InputError
from lightning_gan.game import inheriting
from lightning_gan.game.freezing import frozen_names
from lightning_gan.game.gan import GAN
from lightning_gan.game.inheriting import AVERAGE, DISCRIMINATOR, GENERATOR, Found, Inheritance
from lightning_gan.training.sources import Source, read_source

PLAYERS = (GENERATOR, DISCRIMINATOR)


@dataclass
class Beginning:
    """The arguments of :func:`init_from` besides the GAN, as settings name them.

    Args:
        path: A checkpoint, a training package, an exported generator or a file of weights.
        strict: Whether all must fit.
        only: Leave the other network alone.
        average: Whether the trained generator begins with the averaged one of the file.
        rename: New beginnings of names by the file's.
    """

    path: str
    strict: bool = False
    only: Literal["generator", "discriminator"] | None = None
    average: bool = False
    rename: dict[str, str] | None = None


def init_from(
    gan: GAN,
    path: str | os.PathLike[str],
    *,
    strict: bool = False,
    only: str | None = None,
    average: bool = False,
    rename: Mapping[str, str] | None = None,
) -> Inheritance:
    """Let a GAN's networks begin with the weights of a file; counts and optimizers start anew.

    What fits by name and shape is taken over. Where a weight has a row for each class and another
    number of them, the rows that both have are. Everything else begins new and is listed. The
    averaged generator begins with the file's, or with what the generator took over.

    Args:
        gan: The GAN, before it is trained.
        path: A checkpoint, a training package (folder or zip), the folder of an exported
            generator, or a file of safetensors or of torch's with tensors by their names.
        strict: Whether all must fit.
        only: ``"generator"`` or ``"discriminator"``: leave the other alone.
        average: Whether the trained generator begins with the file's averaged one, too.
        rename: New beginnings of names by the file's, such as ``{"G_net": "generator.net"}``.

    Returns:
        The table: loaded, in part, of another shape, new, missing. ``print`` shows it.

    Raises:
        InputError: The file is missing, damaged or foreign, nothing in it fits, or not all does
            where ``strict`` asks for it.
    """
    if only is not None and only not in PLAYERS:
        raise InputError(f"init_from.only must be 'generator' or 'discriminator', got {only!r}")
    if gan.progress.batches:
        raise InputError(
            f"init_from begins a training, and this GAN has seen {gan.progress.batches} batches"
        )
    source = read_source(path)
    tensors = inheriting.renamed(source.tensors, rename or {})
    found = _found(gan, tensors, only, average, source)
    networks: dict[str, nn.Module] = {
        role: network
        for role, network in _networks(gan).items()
        if only is None or (role == DISCRIMINATOR) == (only == DISCRIMINATOR)
    }
    if not any(each.score[1] for each in found.values()):
        raise InputError(_nothing(path, networks, tensors))
    saved = {role: _copied(network) for role, network in networks.items()}
    try:
        results = [
            inheriting.inherit(network, found[role], role) for role, network in networks.items()
        ]
        if not any(each.taken for each in results):
            raise InputError(_nothing(path, networks, tensors))
        left = inheriting.leftovers(tensors, (found[role] for role in networks))
        foreign = inheriting.leftovers(tensors, found.values())  # of no GAN of this kind
        origin = source.origin()
        frozen = set(frozen_names(gan.generator, gan.discriminator))
        new = [f"{r.network}.{n}" for r in results for n in (*r.new, *r.another_shape)]
        table = Inheritance(origin, results, left, [name for name in new if name in frozen])
        if strict and (foreign or not all(each.is_whole for each in results)):
            told = " | ".join(str(table).splitlines()[2 + len(results) :])
            raise InputError(f"init_from.strict: {path} does not fit exactly: {told}")
    except BaseException:
        for role, network in networks.items():
            network.load_state_dict(saved[role])
        raise
    gan.begun_from([origin, *source.origins], table)
    return table


def _networks(gan: GAN) -> dict[str, nn.Module]:
    networks = {GENERATOR: cast(nn.Module, gan.generator), DISCRIMINATOR: gan.discriminator}
    if gan.generator_ema is not None:
        networks[AVERAGE] = gan.generator_ema
    return networks


def _copied(network: nn.Module) -> dict[str, object]:
    copied = network.state_dict()
    for name, value in copied.items():
        copied[name] = value.clone() if hasattr(value, "clone") else value
    return copied


def _found(
    gan: GAN,
    tensors: inheriting.Tensors,
    only: str | None,
    average: bool,
    source: Source,
) -> dict[str, Found]:
    """Return what the file has for each network."""
    found = {role: inheriting.find(tensors, gan.generator, role) for role in (GENERATOR, AVERAGE)}
    found[DISCRIMINATOR] = inheriting.find(tensors, gan.discriminator, DISCRIMINATOR)
    trained, averaged, other = (found[role] for role in (GENERATOR, AVERAGE, DISCRIMINATOR))
    if averaged.score[1] and (average or not trained.score[1]):
        found[GENERATOR] = averaged
    elif not averaged.score[1]:
        found[AVERAGE] = trained
    trained = found[GENERATOR]
    shared = only is None and set(trained.names.values()) & set(other.names.values())
    if shared and trained.score[1] and other.score[1]:  # names that say of nothing whose they are
        if trained.score[0] == other.score[0]:
            raise InputError(
                f"init_from: the names in {source.name} do not say whose they are, and fit both "
                "networks; set init_from.only=generator or init_from.only=discriminator"
            )
        loser = DISCRIMINATOR if trained.score[0] > other.score[0] else GENERATOR
        nothing = Found("", {}, {}, (0, 0))
        found[loser] = nothing
        if loser == GENERATOR:
            found[AVERAGE] = nothing
    return found


def _nothing(path: object, networks: Mapping[str, nn.Module], tensors: inheriting.Tensors) -> str:
    network = next(iter(networks.values()))
    own = next(iter(network.state_dict()), "no weights")
    theirs: Sequence[str] = list(tensors)[:2]
    return (
        f"init_from: nothing of {path} fits: its names are {', '.join(map(repr, theirs))} ..., and "
        f"{type(network).__name__} has {own!r} ...; say what is what with init_from.rename"
    )
