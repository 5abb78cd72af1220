"""What generators and discriminators both owe: attributes, a function, heeding of labels."""

from __future__ import annotations

import copy
import inspect
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from lightning_gan.components.spec import build
from lightning_gan.game.optimization import make_optimizer
from lightning_gan.generators.base import Generator
from lightning_gan.testing.base import passed_again, same_state
from lightning_gan.testing.computing import check_device
from lightning_gan.testing.expectations import close, expect, told
from lightning_gan.testing.inputs import N, Network, described_condition, input_rows, with_labels
from lightning_gan.types import (
    DiscriminatorOutput,
    Player,
    as_discriminator_output,
    as_generator_output,
    describe,
    fits,
    map_tensors,
)

W = TypeVar("W", bound=nn.Module)


def check_network_attributes(network: Network) -> None:
    """Check what a network says of itself, and that it is what it was built with."""
    shape, classes = getattr(network, "sample_shape", None), network.num_classes
    expect(
        shape is None or (isinstance(shape, tuple) and all(map(_is_size, shape))),
        network,
        f"must have an attribute sample_shape, a tuple of ints, got {shape!r}; an entry may be "
        "None, for any size",
    )
    expect(
        classes is None or (isinstance(classes, int) and classes > 0),
        network,
        f"must have an attribute num_classes, None or a positive int, got {classes!r}",
    )
    entry, unlabeled = network.class_entry, network.takes_unlabeled
    expect(
        entry is None or (isinstance(entry, str) and classes is not None),
        network,
        f"must have a class_entry, the name of the entry of a condition in which its num_classes "
        f"classes are, or None, got {entry!r} and num_classes={classes!r}",
    )
    expect(
        isinstance(unlabeled, bool),
        network,
        f"must have takes_unlabeled, a bool, got {unlabeled!r}",
    )
    parameters = inspect.signature(type(network)).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    for name, given in {**defaults, **network.arguments()}.items():
        if name in ("sample_shape", "num_classes"):
            got = getattr(network, name, None)
            expected = tuple(given) if isinstance(given, (list, tuple)) else given
            # Of any size, though built with one.
            wider = isinstance(expected, tuple) and isinstance(got, tuple) and fits(expected, got)
            expect(
                got == expected or wider,
                network,
                f"must have the attribute {name} it was built with, {expected!r}, got {got!r}: "
                f"write self.{name} = {name} in the constructor",
            )
    player = Player.GENERATOR if isinstance(network, Generator) else Player.DISCRIMINATOR
    with told(network, "must have parameter_groups that an optimizer takes"):
        make_optimizer(player, network, (), None)


def run_network(network: Network, x: Tensor, y: Any) -> Any:
    """Return the output of a network, whole, in the form that the game reads.

    Raises:
        ConformanceError: The network fails, or returns something else.
    """
    with told(
        network,
        f"must compute an output of {describe(x)} and {described_condition(y)}, but failed",
        "a condition of another kind is given to the check with y=..., sizes with sizes=(...)",
    ):
        output = network(x, y)
        if isinstance(network, Generator):
            return as_generator_output(output)
        as_discriminator_output(output)
        return output if isinstance(output, DiscriminatorOutput) else DiscriminatorOutput(output)


def main_outputs(output: Any) -> list[Tensor]:
    """Return the tensors of an output that the game itself uses: samples, or all logits."""
    if not isinstance(output, DiscriminatorOutput):
        return [output.samples]
    return [*output.heads, *([] if output.class_logits is None else [output.class_logits])]


def check_function(network: Network, x: Tensor, y: Any, *, couples_samples: bool) -> None:
    """Check, in float64, that in eval mode the network is a function of each sample alone."""
    twin = build(network.spec(), trust=True, given=passed_again(network))
    network = jittered(network)
    twin.double().eval().load_state_dict(network.state_dict())
    x, y = x.double(), map_tensors(_widen, y)
    before, seed = copy.deepcopy(network), torch.get_rng_state()
    output, _, again = (_run(network, each, y) for each in (x, x.flip(0), x))
    expect(
        all(tensor.dtype == torch.float64 for tensor in output),
        network,
        f"must compute in its own dtype, got {output[0].dtype} from weights of torch.float64: "
        "leave out float() and the like",
    )
    expect(
        _all_close(output, again),
        network,
        "must be a function of its inputs alone in eval mode, but two calls differ: draw no noise "
        "where self.training is False, take it from the latents, and remember nothing",
    )
    expect(
        torch.equal(seed, torch.get_rng_state()),
        network,
        "must leave the global random state alone in eval mode, but draws from it or seeds it: do "
        "neither where self.training is False",
    )
    expect(
        same_state(before, network),
        network,
        "must not change its state in eval mode, but does: count and average where self.training "
        "is True",
    )
    expect(
        _all_close(output, _run(twin, x, y)),
        network,
        "must depend on its arguments and its state_dict alone, but one rebuilt from both differs: "
        "keep what else it depends on in a buffer or in get_extra_state",
    )
    if not couples_samples:
        for i in range(N):
            expect(
                _all_close(input_rows(output, i), _run(network, x[i : i + 1], input_rows(y, i))),
                network,
                "must judge or make each sample independently of the batch in eval mode, but one "
                "alone gives another result (a discriminator may declare couples_samples)",
            )
    meta = map_tensors(lambda t: t.to("meta"), y)
    check_device(network, lambda network: main_outputs(_read(network, network(x.to("meta"), meta))))


def check_heeds_labels(network: Network, x: Tensor, y: Any, given: Any) -> None:
    """Check that a conditional network heeds class labels, and another one does not.

    Args:
        network: The network.
        x: Latents or samples.
        y: The condition that it was tried with.
        given: The condition that the author gave, or None.
    """
    network, x, y = jittered(network), x.double(), map_tensors(_widen, y)
    ones = torch.ones(N, dtype=torch.int64)
    if network.num_classes is None:
        if given is None:
            expect(
                _all_close(_run(network, x, None), _run(network, x, ones)),
                network,
                "must ignore labels where num_classes is None, but depends on them: data modules "
                "may yield them anyway",
            )
        return
    if network.takes_unlabeled:
        unlabeled = _run(network, x, with_labels(network, y, -ones))
        expect(
            all(bool(tensor.isfinite().all()) for tensor in unlabeled),
            network,
            "declares takes_unlabeled, but is not finite for labels of -1",
        )
    if network.num_classes > 1:
        zero, one = (with_labels(network, y, labels) for labels in (0 * ones, ones))
        with torch.no_grad():
            output = run_network(network, x, zero)
        auxiliary = getattr(output, "class_logits", None) is not None
        expect(
            auxiliary or not _all_close(main_outputs(output), _run(network, x, one)),
            network,
            "must depend on the labels where num_classes is set, but classes 0 and 1 give the "
            "same: use y, or set num_classes to None",
        )


def jittered(network: W) -> W:
    """Return a float64 copy in eval mode with weights off their first values, which may be 0."""
    network = copy.deepcopy(network).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.is_floating_point():
                parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return network


def _read(network: Network, output: Any) -> Any:
    reads = as_generator_output if isinstance(network, Generator) else as_discriminator_output
    return reads(output)


def _run(network: Network, x: Tensor, y: Any) -> list[Tensor]:
    with torch.no_grad():
        return main_outputs(run_network(network, x, y))


def _all_close(ones: list[Tensor], others: list[Tensor]) -> bool:
    return len(ones) == len(others) and all(map(close, ones, others))


def _widen(t: Tensor) -> Tensor:
    return t.double() if t.is_floating_point() else t


def _is_size(entry: Any) -> bool:
    return entry is None or (isinstance(entry, int) and entry > 0)
