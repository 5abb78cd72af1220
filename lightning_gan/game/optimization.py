"""Optimizers and learning-rate schedulers of the two players, and clipping of their gradients."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_value_, clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from lightning_gan.errors import InputError
from lightning_gan.game.freezing import rate_of
from lightning_gan.types import ParameterGroup, Player

OptimizerCallable = Callable[[Iterable[Any]], Optimizer]
LRSchedulerCallable = Callable[[Optimizer], LRScheduler]

EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
TAKES_SPARSE = (torch.optim.SGD, torch.optim.Adagrad, torch.optim.SparseAdam)

# Radford et al. 2016, section 4.
default_optimizer = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999))


def make_optimizer(
    player: Player,
    network: nn.Module,
    parts: Sequence[nn.Module],
    make: OptimizerCallable | None,
    rates: Mapping[str, float] | None = None,
) -> Optimizer | None:
    """Build one player's optimizer.

    Args:
        player: Whose, for the sentences.
        network: The player's network.
        parts: What the player trains besides, such as an encoder.
        make: Makes the optimizer from parameters or groups of them. None: Adam.
        rates: Factors of the learning rate, by patterns of names such as ``generator.mapping``.

    Returns:
        The optimizer; None where everything is frozen.

    Raises:
        InputError: The optimizer refuses its arguments, or groups of parameters overlap.
    """
    groups = _groups(player, network, parts)
    if rates:
        names = {id(p): name for name, p in network.named_parameters(player.value)}
        groups = [part for group in groups for part in _split(group, names, rates)]
    if not groups:
        return None
    plain = len(groups) == 1 and groups[0].rate == 1
    parameters: Any = list(groups[0].parameters)
    if not plain:
        parameters = [{"params": list(g.parameters), "name": g.name} for g in groups]
    try:
        optimizer = (make or default_optimizer)(parameters)
    except (TypeError, ValueError) as error:
        raise InputError(f"{player.value}_optimizer: {error}") from error
    if not plain:
        for group, own in zip(optimizer.param_groups, groups, strict=True):
            group["lr"] = group["lr"] * own.rate
    if not sparse_embeddings([network, *parts]):  # of whose gradients no fused kernel is
        _prefer_fused(optimizer)
    optimizer.register_load_state_dict_post_hook(_follow_strides)
    return optimizer


def group_rates(player: Player, network: nn.Module, parts: Sequence[nn.Module]) -> list[float]:
    """Return the factor of the learning rate of each group that :func:`make_optimizer` makes."""
    return [group.rate for group in _groups(player, network, parts)]


def make_scheduler(
    player: Player, optimizer: Optimizer | None, make: LRSchedulerCallable | None
) -> LRScheduler | None:
    """Build one player's learning-rate scheduler.

    Raises:
        InputError: The scheduler refuses its arguments, or makes one rate of several.
    """
    if make is None or optimizer is None:
        return None
    before = _ratios(optimizer, "lr")
    try:
        scheduler = make(optimizer)
    except (TypeError, ValueError) as error:
        raise InputError(f"{player.value}_lr_scheduler: {error}") from error
    after = _ratios(optimizer, "initial_lr")
    if after and any(abs(a - b) > 1e-6 * b for a, b in zip(after, before, strict=True)):
        names = " and ".join(str(group.get("name")) for group in optimizer.param_groups)
        raise InputError(
            f"{player.value}_lr_scheduler is {type(scheduler).__name__} and gives the groups "
            f"{names} one rate, which parameter_groups sets apart: give it a list with the rate of "
            "each, or use a scheduler that scales the optimizer's rates"
        )
    return scheduler


def _ratios(optimizer: Optimizer, key: str) -> list[float]:
    """Return each group's rate in multiples of the first one's; nothing where that is 0 or none."""
    rates = [float(group.get(key, 0)) for group in optimizer.param_groups]
    return [rate / rates[0] for rate in rates] if rates[0] else []


def check_steps(player: Player, optimizer: Optimizer | None, scheduler: Any) -> None:
    """Check that optimizer and scheduler can step without a closure and without a metric.

    Raises:
        InputError: One cannot.
    """
    if optimizer is not None:
        closure = inspect.signature(optimizer.step).parameters.get("closure")
        if closure is not None and closure.default is inspect.Parameter.empty:
            raise InputError(
                f"{player.value}_optimizer is {type(optimizer).__name__}, which computes the loss "
                "several times a step, and the opponent would not stay the same; use one that "
                "steps on gradients, such as torch.optim.Adam"
            )
    if isinstance(scheduler, ReduceLROnPlateau):
        raise InputError(
            f"{player.value}_lr_scheduler is ReduceLROnPlateau, which waits for a metric; use a "
            "scheduler that counts steps, such as torch.optim.lr_scheduler.CosineAnnealingLR"
        )


def check_sparse(player: Player, optimizer: Optimizer | None, modules: Sequence[nn.Module]) -> None:
    """Check that an optimizer of torch's takes the gradients of its parameters, sparse or dense.

    Raises:
        InputError: It does not.
    """
    kind: Any = type(optimizer)
    if optimizer is None or not kind.__module__.startswith("torch.optim."):
        return
    sparse = sparse_embeddings(modules)
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    given = [p for p in trained if id(p) in sparse]
    says = f"{player.value}_optimizer is {kind.__name__}, which takes"
    if issubclass(kind, torch.optim.SparseAdam) and len(given) < len(trained):
        raise InputError(
            f"{says} sparse gradients alone, and {len(trained) - len(given)} of the "
            f"{len(trained)} parameters of the {player.value} have dense ones; use "
            "torch.optim.Adam"
        )
    if given and not issubclass(kind, TAKES_SPARSE):
        raise InputError(
            f"{says} dense gradients alone, and {type(sparse[id(given[0])]).__name__}(sparse=True) "
            f"of the {player.value} has sparse ones; make it with sparse=False, or use "
            "torch.optim.SGD"
        )


def sparse_embeddings(modules: Sequence[nn.Module]) -> dict[int, nn.Module]:
    """Return the layers whose weights get sparse gradients, by the ids of these weights."""
    layers = [layer for module in modules for layer in module.modules()]
    return {id(e.weight): e for e in layers if isinstance(e, EMBEDDINGS) and e.sparse}


def _groups(player: Player, network: nn.Module, parts: Sequence[nn.Module]) -> list[ParameterGroup]:
    """Return the groups of trainable parameters: the network's own, the rest of it, the parts."""
    declared: Iterable[Any] = getattr(network, "parameter_groups", tuple)()
    groups = [ParameterGroup(*each) for each in declared]
    rest = ParameterGroup(player.value, list(network.parameters()))
    others = [ParameterGroup(type(part).__name__, list(part.parameters())) for part in parts]
    taken: set[int] = set()
    found = []
    for index, group in enumerate([*groups, rest, *others]):
        own = [p for p in group.parameters if id(p) not in taken and p.requires_grad]
        if index < len(groups) and len({id(p) for p in group.parameters} & taken):
            raise InputError(
                f"{type(network).__name__}.parameter_groups names a parameter of the group "
                f"{group.name!r} twice"
            )
        taken |= {id(p) for p in own}
        if own:
            found.append(ParameterGroup(group.name, own, group.rate))
    return found


def _split(
    group: ParameterGroup, names: Mapping[int, str], rates: Mapping[str, float]
) -> list[ParameterGroup]:
    """Return a group as those of the patterns that fit its parameters, and the rest."""
    parts: dict[str | None, list[nn.Parameter]] = {}
    factors = {}
    for parameter in group.parameters:
        pattern, factor = rate_of(names.get(id(parameter), ""), rates)
        parts.setdefault(pattern, []).append(parameter)
        factors[pattern] = factor
    return [
        ParameterGroup(pattern or group.name, own, group.rate * factors[pattern])
        for pattern, own in parts.items()
    ]


def clip(
    parameters: list[nn.Parameter],
    norm: Tensor | None,
    max_norm: float | None,
    max_value: float | None,
) -> None:
    """Clip gradients in place; None = do not clip.

    Args:
        parameters: All of one optimizer that have a gradient.
        norm: Total Euclidean norm of the gradients, where ``max_norm`` is given.
        max_norm: Its largest value.
        max_value: Largest absolute value of an entry.
    """
    if max_value is not None:
        clip_grad_value_(parameters, max_value)
    if max_norm is not None and norm is not None:
        clip_grads_with_norm_(parameters, max_norm, norm)


def gradient_norm(gradients: list[Tensor]) -> Tensor:
    """Return the total Euclidean norm of gradients, a scalar on their device."""
    return get_total_norm([dense(gradient) for gradient in gradients])


def dense(tensor: Tensor) -> Tensor:
    """Return the elements that a sparse tensor stores, and any other tensor as it is.

    Older releases of torch take no norm of sparse tensors.
    """
    return tensor.coalesce().values() if tensor.layout is torch.sparse_coo else tensor


def _prefer_fused(optimizer: Optimizer) -> None:
    """Use torch's fused kernel where the optimizer has one, the types allow and nobody chose."""
    if not isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)):
        return
    for group in optimizer.param_groups:
        undecided = "fused" in group and group["fused"] is None and group.get("foreach") is None
        plain = all(p.is_floating_point() for p in group["params"]) and not (
            group.get("capturable") or group.get("differentiable")
        )
        if undecided and plain:
            group["fused"] = True


def _follow_strides(optimizer: Optimizer) -> None:
    """Give loaded states the strides of their parameters (contiguous or channels_last).

    The fused kernels read weights and moments as flat memory, and a file may come from a network of
    another memory format.
    """
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def spare_gpu_queries() -> None:
    """Where there is no GPU, keep torch's Adam from loading its driver at every step.

    Adam asks whether a GPU captures a graph, and the variable that Lightning sets on import makes
    every such question load and open NVML: on a machine without it, the larger part of the step of
    a small network.
    """
    if not torch.cuda.is_available():
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"
