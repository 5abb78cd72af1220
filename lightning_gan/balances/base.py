"""The contract of balances, and what they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
import torch.distributed
from torch import Tensor, nn

from lightning_gan.components.part import Part
from lightning_gan.errors import InputError, nearest
from lightning_gan.step import AdversarialStep
from lightning_gan.types import Player

ADVERSARIAL = "adversarial"


class Balance(Part):
    """Sets factors of the terms of an objective, update by update. The base class itself: all 1.

    State lives in buffers, which are only changed in place, without reading them on the host: a
    captured graph then changes them too.
    """

    def weights(
        self, player: Player, terms: Mapping[str, Tensor], step: AdversarialStep
    ) -> Mapping[str, Tensor | float]:
        """Return factors of a player's terms, by name; called once for each of its updates.

        Args:
            player: Whose objective it is.
            terms: The terms of this update: scalars that already carry their weights, in the graph.
                ``"adversarial"`` is the adversarial term, every other has the name of its
                regularizer, followed by ``/`` and a part's where it has several. A lazy term is
                only there when it is due.
            step: The update. ``torch.autograd.grad(term, step.fake, retain_graph=True)`` is the
                gradient of a term with respect to the generated samples, in an update of the
                generator; ``step.generator`` is the network.

        Returns:
            Factors, finite and without graph; a name that is missing stands for 1.
        """
        return {}


def safe_ratio(numerator: Tensor, denominator: Tensor, largest: float) -> Tensor:
    """Return a quotient of norms that is never NaN or infinite.

    Args:
        numerator: Numbers of 0 or more.
        denominator: The same.
        largest: Largest quotient, finite.

    Returns:
        The quotient, at least 0 and at most ``largest``. Where it says nothing, because the
        denominator is 0 or either number is NaN or infinite, it is 1: the term keeps its weight.

    Example:
        >>> safe_ratio(torch.tensor([3.0, 3.0, 0.0]), torch.tensor([2.0, 1e-9, 0.0]), 10.0)
        tensor([ 1.5000, 10.0000,  1.0000])
    """
    known = numerator.isfinite() & denominator.isfinite() & (denominator != 0)
    quotient = numerator / torch.where(known, denominator, torch.ones_like(denominator))
    return torch.where(known, quotient, torch.ones_like(quotient)).clamp(0.0, largest)


def gradient_norms(component: nn.Module, terms: Mapping[str, Tensor], at: Tensor) -> Tensor:
    """Return the Euclidean norm of each term's gradient, in float32, averaged over ranks.

    Args:
        component: Who asks, for the sentence.
        terms: Scalars in the graph, by name; the graph stays.
        at: Parameter or samples to differentiate with respect to.

    Returns:
        The norms, shape (len(terms),).

    Raises:
        InputError: A term does not depend on ``at``.
    """
    norms = []
    for name, term in terms.items():
        gradient = None
        if term.requires_grad:
            (gradient,) = torch.autograd.grad(term, at, retain_graph=True, allow_unused=True)
        if gradient is None:
            raise InputError(
                f"{type(component).__name__}: the term {name!r} does not depend on what its "
                "gradient is taken of; balance terms that do"
            )
        norms.append(torch.linalg.vector_norm(gradient.detach().float()))
    return mean_over_ranks(torch.stack(norms))


@torch.no_grad()
def mean_over_ranks(values: Tensor) -> Tensor:
    """Return the mean over all ranks of numbers that are no part of a graph, so that all agree."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        values = values.clone()
        torch.distributed.all_reduce(values)
        values /= torch.distributed.get_world_size()
    return values


def named(terms: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """Return those of the terms that one of the names stands for, parts of a term included.

    Example:
        >>> terms = dict.fromkeys(["adversarial", "codes/commitment"], torch.ones(()))
        >>> list(named(terms, ["codes"]))
        ['codes/commitment']
    """
    wanted = set(names)
    prefixes = tuple(f"{name}/" for name in wanted)
    return {key: t for key, t in terms.items() if key in wanted or key.startswith(prefixes)}


def sum_of(terms: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of scalars."""
    return torch.stack(list(terms.values())).sum()


def find_layer(component: nn.Module, network: nn.Module, name: str) -> nn.Parameter:
    """Return the parameter that a dotted name stands for; of a module, its ``weight``.

    Raises:
        InputError: There is no such parameter, or it is frozen.
    """
    found = _parameter(network, name)
    if found is None:
        found = _parameter(network, f"{name}.weight")
    if found is None:
        parameters = [name for name, _ in network.named_parameters()]
        raise InputError(
            f"{type(component).__name__}: layer={name!r} names no parameter of "
            f"{type(network).__name__}{nearest(name, parameters) or '.'} "
            f"Its last ones: {', '.join(parameters[-3:]) or 'none'}"
        )
    if not found.requires_grad:
        raise InputError(
            f"{type(component).__name__}: layer={name!r} is frozen; name a layer that is trained"
        )
    return found


def _parameter(network: nn.Module, path: str) -> nn.Parameter | None:
    try:
        return network.get_parameter(path)
    except AttributeError:
        return None
