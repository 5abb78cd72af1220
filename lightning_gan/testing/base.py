"""What components of every kind owe, and the checks that several kinds share.

Not here: what only networks share (``network``), and how a broken rule is said (``expectations``).
"""

from __future__ import annotations

import copy
import inspect
import json
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from lightning_gan.alternations.base import Alternation
from lightning_gan.augments.base import Augment
from lightning_gan.components.spec import Component, build
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.testing.expectations import expect, failure
from lightning_gan.types import Feedback, Player, Progress

N = 4  # samples in every batch of the checks
ANY_SHAPE = (3, 32, 32)  # samples for components that accept any shape

C = TypeVar("C", bound=Component)


def check_any(component: Component, base: type[Component]) -> None:
    """Check what every component owes: named arguments, a spec, copies, state in its place."""
    expect(isinstance(component, base), component, f"must be a {base.__name__}")
    parameters = inspect.signature(type(component)).parameters.values()
    hidden = [p.name for p in parameters if p.kind in (p.VAR_POSITIONAL, p.POSITIONAL_ONLY)]
    expect(
        not hidden, component, f"must take named constructor arguments, but has {', '.join(hidden)}"
    )
    network = isinstance(component, (Generator, Discriminator))
    expect(
        network or not list(component.parameters()),
        component,
        "must have no parameters: only networks have, state belongs in buffers",
    )
    _check_tensors_have_a_home(component)
    check_rebuilding(component)


def check_rebuilding(component: Component) -> None:
    """Check that the spec and the state are enough to make an equal component."""
    spec = component.spec()
    try:
        text = json.dumps(spec)
    except (TypeError, ValueError) as error:
        raise failure(component, f"must have a spec that JSON can hold: {error}") from error
    expect(
        '{"unportable":' not in text,
        component,
        f"must be built from arguments that can be saved, got {text}",
    )
    try:
        for other in (build(json.loads(text), trust=True), copy.deepcopy(component)):
            other.load_state_dict(component.state_dict())
            expect(
                same_state(other, component),
                component,
                "must have the same state again after a round trip through its state_dict",
            )
    except (InputError, RuntimeError, TypeError) as error:
        raise failure(
            component, f"must be copied by deepcopy, and rebuilt from spec and state_dict: {error}"
        ) from error


def _check_tensors_have_a_home(component: Component) -> None:
    for path, module in component.named_modules():
        for name, value in vars(module).items():
            if name not in ("_parameters", "_buffers", "_modules") and _holds_tensor(value):
                where = f"{path}.{name}" if path else name
                raise failure(
                    component,
                    f"must keep tensors in buffers or parameters, which move with it and are "
                    f"saved, but {where} is a plain attribute",
                )


def check_device(component: C, compute: Callable[[C], Tensor]) -> None:
    """Check on the meta device that every tensor of a computation moves with the component."""
    moved = copy.deepcopy(component).to("meta")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch imports its compiler for meta kernels
            device = compute(moved).device.type
    except NotImplementedError:
        return  # an operator that has no meta kernel or reads values says nothing about devices
    except RuntimeError as error:
        if "device" not in str(error):
            return
        raise failure(component, f"must work on any device it is moved to: {error}") from error
    expect(
        device == "meta", component, f"must compute on its inputs' device, got a result on {device}"
    )


def check_double_backward(
    component: Component, function: Callable[[Tensor], Tensor], x: Tensor, network: nn.Module | None
) -> None:
    """Check that the squared gradient of a function, as in R1, can be differentiated again."""
    x = x.clone().requires_grad_()
    reached = [x] if network is None else [p for p in network.parameters() if p.requires_grad]
    try:
        (gradient,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
        second = torch.autograd.grad(gradient.square().sum(), reached, allow_unused=True)
    except RuntimeError as error:
        raise failure(component, f"must be differentiable twice: {error}") from error
    expect(
        any(g is not None and bool(g.any()) for g in second),
        component,
        "must be differentiable twice, but the second gradient is zero",
    )


def observe(
    component: Alternation | Augment | Regularizer,
    progress: Progress,
    phases: tuple[Player, ...],
    value: float = 0.7,
) -> None:
    """Show an observer a batch; statistics of players that it does not hear of are None."""
    if not component.observes:
        return
    heard = {*phases, *component.measures}
    scalar = torch.tensor(value)
    discriminator = scalar if Player.DISCRIMINATOR in heard else None
    feedback = Feedback(
        progress,
        phases,
        discriminator_loss=discriminator,
        generator_loss=scalar if Player.GENERATOR in heard else None,
        real_logits=discriminator,
        fake_logits=None if discriminator is None else -scalar,
        real_sign=None if discriminator is None else scalar.sign(),
        fake_sign=None if discriminator is None else -scalar.sign(),
    )
    try:
        component.observe(feedback)
    except (AttributeError, RuntimeError, TypeError) as error:
        raise failure(
            component,
            f"observe must accept statistics that are None, those of players that neither stepped "
            f"nor are in `measures`: {error}",
        ) from error


def same_state(one: nn.Module, other: nn.Module) -> bool:
    """Whether two modules have equal state_dicts, tensors and Python numbers alike."""
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[key], theirs[key])
        if isinstance(ours[key], Tensor)
        else ours[key] == theirs[key]
        for key in ours
    )


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_tensor, value.values()))
    if isinstance(value, (list, tuple, set)):
        return any(map(_holds_tensor, value))
    return isinstance(value, Tensor)
