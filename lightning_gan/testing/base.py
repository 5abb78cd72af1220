"""What components of every kind owe: named arguments, a spec, copies, state in its place.

Not here: what their computations owe (``computing``), and how a broken rule is said
(``expectations``).
"""

from __future__ import annotations

import copy
import inspect
import io
import json
import math
import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lightning_gan.components.part import Part
from lightning_gan.components.spec import Component, build, encode, is_portable
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.generators.base import Generator
from lightning_gan.testing.expectations import expect, failure, said, told
from lightning_gan.types import Player

C = TypeVar("C", bound=Component)
Networks = tuple[nn.Module, nn.Module]
COPIES = "must be copied by deepcopy, and rebuilt"


def check_any(
    component: C, base: type[Component], networks: Networks | None = None, *, portable: bool = True
) -> C:
    """Check what every component owes.

    Args:
        component: A component of any kind.
        base: The base class of its kind.
        networks: What a part is bound to; None: it is not.
        portable: Whether its arguments can be saved.

    Returns:
        A copy of it on the CPU, bound to the networks, for the other checks to use.
    """
    expect(
        isinstance(component, base),
        component,
        f"must be a {base.__name__}: derive it from lightning_gan.{base.__name__}",
    )
    parameters = inspect.signature(type(component)).parameters.values()
    hidden = [p.name for p in parameters if p.kind in (p.VAR_POSITIONAL, p.POSITIONAL_ONLY)]
    expect(
        not hidden,
        component,
        f"must take named constructor arguments, but has {', '.join(hidden)}: write them out, so "
        "that a configuration can name them",
    )
    _check_sizes_are_known(component)
    _check_tensors_have_a_home(component)
    with told(
        component,
        f"{COPIES} from spec and state_dict",
        "keep no tensor that has a graph, and nothing that cannot be copied, in an attribute (of "
        "torch's weight_norm and spectral_norm take those of torch.nn.utils.parametrizations)",
    ):
        copied = copy.deepcopy(component).cpu()
    _bind(copied, networks)
    _check_sizes_are_known(copied)
    _check_owner(copied, networks)
    _check_tensors_have_a_home(copied, networks or ())
    check_rebuilding(copied, networks, portable=portable)
    return copied


def check_rebuilding(component: C, networks: Networks | None = None, *, portable: bool = True) -> C:
    """Check that the spec and the state are enough to make an equal component.

    Args:
        component: What is to be rebuilt, bound to networks where it is a part.
        networks: What a rebuilt part is bound to before it gets the state; None: it is not.
        portable: Whether its arguments can be saved; if not, they are passed again.

    Returns:
        The rebuilt one.
    """
    with told(component, "must have a spec that JSON can hold"):
        spec = component.spec()
        text = json.dumps(spec)
    again = passed_again(component)
    expect(
        not (portable and again),
        component,
        f"must be built from arguments that can be saved, got {text}; take JSON values, components "
        "and importable functions, or pass portable=False to this check and "
        f"{', '.join(f'{name}=...' for name in again)} to load_from_checkpoint",
    )
    expect(
        "<locals>" not in type(component).__qualname__,
        component,
        "must be of a class that can be imported, but its class is made inside a function: define "
        "it at the top of a module",
    )
    _check_state(component)
    with told(
        component,
        f"{COPIES} from spec and state_dict",
        "make buffers in the constructor or in bind(generator, discriminator), with the sizes that "
        "they keep",
    ):
        twin: C = build(json.loads(text), trust=True, given=again)
        _bind(twin, networks)
        twin.load_state_dict(component.state_dict())
    _check_arguments(component, twin)
    expect(
        same_state(twin, component),
        component,
        "must have the same state again after a round trip through its state_dict, got another: "
        "let set_extra_state take over all that get_extra_state returns",
    )
    return twin


def _check_arguments(component: Component, twin: Component) -> None:
    """Check that a rebuilt component was given what the first one was."""
    for name in inspect.signature(type(component)).parameters:
        ours, theirs = (encode(vars(each).get(name)) for each in (component, twin))
        expect(
            ours == theirs or not is_portable(ours),
            component,
            f"must get its arguments back when it is rebuilt, but {name} was {ours!r} and is "
            f"{theirs!r}: keep an argument as it was given, or under another name",
        )


def passed_again(component: Component) -> dict[str, Any]:
    """Return the arguments that no file can hold, which are passed again when one is loaded."""
    return {name: a for name, a in component.arguments().items() if not is_portable(encode(a))}


def same_state(one: nn.Module, other: nn.Module) -> bool:
    """Whether two modules have equal state_dicts, tensors and plain values alike."""
    return _same(one.state_dict(), other.state_dict())


def _same(one: Any, other: Any) -> bool:
    """Whether two trees of tensors and plain values are equal; NaN equals itself."""
    if isinstance(one, Tensor):
        return (
            isinstance(other, Tensor)
            and (one.dtype, one.shape) == (other.dtype, other.shape)
            and bool(((one == other) | ((one != one) & (other != other))).all())
        )
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    both_nan = all(isinstance(v, float) and math.isnan(v) for v in (one, other))
    return both_nan or bool(one == other)


def _bind(component: Component, networks: Networks | None) -> None:
    """Bind a part as a GAN does; networks and the like are not bound."""
    if networks is None or not isinstance(component, Part):
        return
    with told(component, "must be bound to the networks, but bind(generator, discriminator) fails"):
        component.bind(*networks)


def _check_sizes_are_known(component: nn.Module) -> None:
    tensors = [*component.named_parameters(), *component.named_buffers()]
    lazy = [name for name, tensor in tensors if is_lazy(tensor)]
    expect(
        not lazy,
        component,
        f"must have all its weights when it is built, but {', '.join(lazy[:1])} waits for its "
        "first input: give layers their sizes, those of samples in bind(generator, discriminator)",
    )


def _check_state(component: Component) -> None:
    """Check that a checkpoint, which is read without running code, can hold the state."""
    file = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch muses about foreign pickles before it refuses
            torch.save(dict(component.state_dict()), file)
            file.seek(0)
            torch.load(file, weights_only=True)
    except Exception as error:
        found = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise failure(
            component,
            "must have a state of tensors and plain values, which torch.load takes with "
            f"weights_only=True, got {found[1] if found else said(error)}: let get_extra_state "
            "return no other objects",
        ) from error


def _check_owner(component: Component, networks: Networks | None) -> None:
    """Check that parameters have somebody who trains them, and that no network is swallowed."""
    if isinstance(component, (Generator, Discriminator)):
        return
    theirs = {id(p) for network in networks or () for p in network.parameters()}
    named = list(component.named_parameters())
    swallowed = [name for name, parameter in named if id(parameter) in theirs]
    expect(
        not swallowed,
        component,
        f"must keep a network out of its own modules, but {', '.join(swallowed[:1])} is a network's"
        ': write self.__dict__["network"] = generator in bind',
    )
    owner = getattr(component, "trained_by", None)
    expect(
        owner is None or isinstance(owner, Player),
        component,
        f"must have trained_by None or a Player, got {owner!r}: write Player.GENERATOR or "
        "Player.DISCRIMINATOR",
    )
    orphans = [name for name, parameter in named if parameter.requires_grad]
    expect(
        owner is not None or not orphans,
        component,
        f"must have no parameters that nobody trains, but has {', '.join(orphans)}: set trained_by "
        "to a Player, freeze them with requires_grad_(False), or keep state in buffers",
    )


def _check_tensors_have_a_home(component: Component, networks: Iterable[nn.Module] = ()) -> None:
    """Check that no attribute is a tensor that neither moves with the component nor is saved."""
    homes = {id(p) for module in (component, *networks) for p in module.parameters()}

    def is_homeless(value: Any) -> bool:
        if isinstance(value, Mapping):
            return any(map(is_homeless, value.values()))
        if isinstance(value, (list, tuple, set)):
            return any(map(is_homeless, value))
        return isinstance(value, Tensor) and id(value) not in homes

    housekeeping = ("_parameters", "_buffers", "_modules", "_arguments")
    for path, module in component.named_modules():
        if _is_torchs(type(module)):  # parametrizations and recurrent layers keep house themselves
            continue
        for name, value in vars(module).items():
            if name not in housekeeping and is_homeless(value):
                where = f"{path}.{name}" if path else name
                raise failure(
                    component,
                    "must keep tensors in buffers or parameters, which move with it and are saved, "
                    f"but {where} is a plain attribute: "
                    f'self.register_buffer("{name}", ..., persistent=False) where it need not be '
                    "saved",
                )


def _is_torchs(cls: type) -> bool:
    """Whether a class and all its bases are torch's or Python's own."""
    homes = {base.__module__.partition(".")[0] for base in cls.__mro__}
    return homes <= {"torch", "builtins"}
