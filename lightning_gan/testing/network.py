"""What generators and discriminators both owe: their attributes, a function, labels, gradients."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.components.spec import build
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.generators.base import Generator
from lightning_gan.testing.base import C, N, check_device, same_state
from lightning_gan.testing.expectations import close, expect
from lightning_gan.types import DiscriminatorOutput, map_labels


def check_network_attributes(network: Generator | Discriminator) -> None:
    """Check sample_shape and num_classes, and that the constructor's arguments are attributes."""
    shape, classes = getattr(network, "sample_shape", None), network.num_classes
    expect(
        shape is None or (isinstance(shape, tuple) and all(isinstance(s, int) for s in shape)),
        network,
        f"must have an attribute sample_shape, a tuple of ints, got {shape!r}",
    )
    expect(
        classes is None or (isinstance(classes, int) and classes > 0),
        network,
        f"must have an attribute num_classes, None or a positive int, got {classes!r}",
    )
    parameters = inspect.signature(type(network)).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    for name, given in {**defaults, **network.arguments()}.items():
        if name in ("latent_dim", "sample_shape", "num_classes"):
            got = getattr(network, name, None)
            expected = tuple(given) if name == "sample_shape" and given is not None else given
            expect(
                got == expected,
                network,
                f"must have the attribute {name} it was built with, {expected!r}, got {got!r}",
            )


def check_function(
    network: Generator | Discriminator, x: Tensor, y: Any, *, couples_samples: bool
) -> None:
    """Check, in float64, that in eval mode the network is a function of each sample alone."""
    twin = build(network.spec(), trust=True)
    network = jittered(network)
    twin.double().eval().load_state_dict(network.state_dict())
    x, y = x.double(), map_labels(_widen, y)
    before = copy.deepcopy(network)
    output = _run(network, x, y)
    expect(
        output.dtype == torch.float64, network, f"must compute in its own dtype, got {output.dtype}"
    )
    _run(network, -x, y)
    expect(
        close(output, _run(network, x, y)),
        network,
        "must be a function of its inputs alone in eval mode, but two calls differ",
    )
    expect(same_state(before, network), network, "must not change its state in eval mode")
    expect(
        close(output, _run(twin, x, y)),
        network,
        "must depend on its arguments and its state_dict alone, but one rebuilt from both differs",
    )
    if not couples_samples:
        for i in range(N):
            alone = _run(network, x[i : i + 1], map_labels(lambda t: t[i : i + 1], y))  # noqa: B023
            expect(
                close(output[i : i + 1], alone),
                network,
                "must judge or make each sample independently of the batch in eval mode",
            )
    meta = map_labels(lambda t: t.to("meta"), y)
    check_device(network, lambda network: _run(network, x.to("meta"), meta))


def check_labels(network: Generator | Discriminator, x: Tensor, y: Any) -> None:
    """Check that a conditional network heeds class labels, and another one does not."""
    if y is not None:
        return
    network, x = jittered(network), x.double()
    if network.num_classes is None:
        some = torch.zeros(N, dtype=torch.int64)
        expect(
            close(_run(network, x, None), _run(network, x, some)),
            network,
            "must ignore labels where num_classes is None: data modules may yield them anyway",
        )
    elif network.num_classes > 1:
        output = network(x, torch.zeros(N, dtype=torch.int64))
        auxiliary = isinstance(output, DiscriminatorOutput) and output.class_logits is not None
        others = _run(network, x, torch.ones(N, dtype=torch.int64))
        expect(
            auxiliary or not close(as_output(output).logits, others),
            network,
            "must depend on the labels where num_classes is set",
        )


def check_gradients(network: Generator | Discriminator, x: Tensor, y: Any) -> None:
    """Check that gradients reach the inputs and every trainable parameter."""
    network = jittered(network).float().train()
    x = x.clone().requires_grad_()
    output = as_output(network(x, y))
    (gradient,) = torch.autograd.grad(
        output.logits.square().sum(), x, retain_graph=True, allow_unused=True
    )
    expect(
        x.numel() == 0 or (gradient is not None and bool(gradient.any())),
        network,
        "must pass gradients to its input",
    )
    heads = [output.logits, output.class_logits, output.features]
    total = torch.stack([h.square().sum() for h in heads if h is not None]).sum()
    trainable = {n: p for n, p in network.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(total, list(trainable.values()), allow_unused=True)
    unused = [name for name, g in zip(trainable, gradients, strict=True) if g is None]
    expect(
        not unused,
        network,
        f"must use every trainable parameter, but {', '.join(unused)} gets no gradient",
    )


def labels_for(network: Generator | Discriminator, y: Any) -> Any:
    """Return the given labels of N samples, else class labels where the network is conditional."""
    if y is not None or network.num_classes is None:
        return y
    return torch.arange(N) % network.num_classes


def jittered(network: C) -> C:
    """Return a float64 copy in eval mode with weights off their first values, which may be 0."""
    network = copy.deepcopy(network).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return network


def as_output(output: Tensor | DiscriminatorOutput) -> DiscriminatorOutput:
    """Return what a network returned, a tensor or an output with more heads, as the latter."""
    return output if isinstance(output, DiscriminatorOutput) else DiscriminatorOutput(output)


def _run(network: nn.Module, x: Tensor, y: Any) -> Tensor:
    with torch.no_grad():
        return as_output(network(x, y)).logits


def _widen(t: Tensor) -> Tensor:
    return t.double() if t.is_floating_point() else t
