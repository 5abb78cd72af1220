"""What computations owe: any device, a second derivative, torch's randomness and no other."""

from __future__ import annotations

import copy
import pickle
import random
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from lightning_gan.testing.expectations import expect, failure, said
from lightning_gan.types import map_tensors

M = TypeVar("M", bound=nn.Module)


def on_meta(module: M) -> M:
    """Return a copy of a module on the meta device, with the modules that it refers to.

    Whatever refers to one of its parameters refers to the copied one, as after a move.
    """
    modules: list[nn.Module] = [module]
    modules += [value for value in vars(module).values() if isinstance(value, nn.Module)]
    tensors: dict[int, Any] = {}
    for each in modules:
        for parameter in each.parameters():
            moved = nn.Parameter(parameter.detach().to("meta"), parameter.requires_grad)
            tensors[id(parameter)] = moved
        for buffer in each.buffers():
            tensors[id(buffer)] = buffer.to("meta")
    return copy.deepcopy(module, tensors)


def check_device(component: M, compute: Callable[[M], Any]) -> None:
    """Check on the meta device that every tensor of a computation moves with the component.

    Args:
        component: The component.
        compute: Computes something of a copy that is on the meta device.
    """
    moved, found = on_meta(component), []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch imports its compiler for meta kernels
            result = compute(moved)
    except Exception as error:
        # An operator that has no meta kernel or reads values says nothing about devices.
        if not isinstance(error, RuntimeError) or isinstance(error, NotImplementedError):
            return
        if "device" not in str(error):
            return
        raise failure(
            component,
            f"must work on any device it is moved to: {said(error)}; make tensors with device= of "
            "an input, or keep them in buffers",
        ) from error
    map_tensors(lambda tensor: found.append(tensor.device.type), result)
    other = next((device for device in found if device != "meta"), None)
    expect(
        other is None,
        component,
        f"must compute on its inputs' device, got a result on {other}: make tensors with device= "
        "of an input",
    )


def check_double_backward(
    component: nn.Module, function: Callable[[Tensor], Tensor], x: Tensor, network: nn.Module | None
) -> None:
    """Check that the squared gradient of a function, as in R1, can be differentiated again.

    Of torch's attention by the kernel that can be: the others cannot.
    """
    x = x.clone().requires_grad_()
    reached: list[Tensor] = []
    if network is not None:
        reached += [p for p in network.parameters() if p.requires_grad]
    reached = reached or [x]
    mend = "compute it from torch's differentiable operations"
    try:
        with sdpa_kernel(SDPBackend.MATH):
            (gradient,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
            second = torch.autograd.grad(gradient.square().sum(), reached, allow_unused=True)
    except RuntimeError as error:
        raise failure(component, f"must be differentiable twice: {said(error)}; {mend}") from error
    expect(
        any(g is not None and is_nonzero(g) for g in second),
        component,
        f"must be differentiable twice, but the second gradient is zero: {mend}",
    )


def check_randomness(component: nn.Module, compute: Callable[[], Any]) -> None:
    """Check that a computation takes its randomness from torch, and seeds nothing.

    Args:
        component: The component.
        compute: What it does in training.
    """
    states = []
    for seed in (1, 2):
        before = _other_sources()
        torch.default_generator.manual_seed(seed)
        compute()
        states.append(torch.get_rng_state())
        drawn = [name for name, state in _other_sources().items() if state != before[name]]
        expect(
            not drawn,
            component,
            "must take its randomness from torch, which checkpoints restore, but draws from "
            f"{', '.join(drawn)}: use torch.rand and the like",
        )
    expect(
        not torch.equal(*states),
        component,
        "must leave the seed of torch's global generator alone, but sets it, and all that is "
        "random in training would repeat: leave out torch.manual_seed",
    )


def is_nonzero(tensor: Tensor) -> bool:
    """Whether any element, of those that a sparse tensor stores, is not zero."""
    return bool((tensor.coalesce().values() if tensor.is_sparse else tensor).any())


def _other_sources() -> dict[str, Any]:
    """Return the global random states that are not torch's."""
    arrays = pickle.dumps(np.random.get_state())
    return {"Python's random": random.getstate(), "numpy.random": arrays}
