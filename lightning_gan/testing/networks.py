"""Checks of networks alone: sizes, gradients from D to all of G, torch.compile."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.game.torch_seams import is_compiled
from lightning_gan.generators.base import Generator
from lightning_gan.testing.cases import Case
from lightning_gan.testing.computing import is_nonzero
from lightning_gan.testing.expectations import close, expect, expect_tensor, told
from lightning_gan.testing.inputs import N, closed, input_rows, labels_for
from lightning_gan.testing.network import jittered, main_outputs, run_network
from lightning_gan.testing.tiny import TinyDiscriminator, TinyGenerator
from lightning_gan.types import Player, as_generator_output, map_tensors

LENGTH = 32  # in the place of open sizes
ATTEMPTS = 8  # passes in training mode, for parameters that are used at random
# Shapes to try beside the one that a network is built with, by the number of their entries.
SHAPES: dict[int, list[tuple[int, ...]]] = {
    1: [(3,), (7,)],
    2: [(1, 64), (2, 128)],
    3: [(1, 16, 16), (3, 32, 32), (2, 8, 8)],
}


def check_shapes(case: Case) -> None:
    """Check several sizes, channels and batches; a shape may be refused with an InputError."""
    tried, declared = case.tried(), case.declared()
    own = tuple(tried.arguments.get("sample_shape") or ())
    shapes = [own] if own else []
    named = {**declared, **declared.get("arguments", {})}
    y = tried.keywords.get("y")
    if "shapes" in declared:
        shapes += map(tuple, declared["shapes"])
    elif own and None not in own and "sample_shape" not in named and y is None:
        shapes += SHAPES.get(len(own), [])
    fits = 0
    for change in [{"sample_shape": shape} for shape in shapes] or [{}]:
        with told(
            case.component,
            f"must be built for samples of shape {change.get('sample_shape')}, or refuse it with "
            "an InputError",
        ):
            try:
                network = tried.build(case.component, **change)
            except InputError:
                continue
        fits += 1
        network.eval()
        for n in (1, 3):
            _check_batch(network, n, y)
    expect(fits, case.component, f"must be built for one of the shapes {shapes}, but refuses all")


def _check_batch(network: Any, n: int, y: Any) -> None:
    """Check the outputs for a batch of n samples."""
    shape = closed(network.sample_shape or (3, 32, 32), LENGTH)
    y = labels_for(network, y(LENGTH) if callable(y) else y)
    y = input_rows(y, torch.arange(n))
    if isinstance(network, Generator):
        samples = run_network(network, torch.randn(n, network.latent_dim), y).samples
        expect_tensor(network, samples, (n, *network.sample_shape), torch.float32)
        return
    output = run_network(network, torch.rand(n, *shape) * 2 - 1, y)
    for logits in output.heads:
        expect_tensor(network, logits, (-(-n // network.packing), ...), torch.float32)


def pair_of(case: Case) -> tuple[Generator, Discriminator, Any]:
    """Return a pair of networks, one of which is the component's, and a condition of N samples."""
    tried = case.tried()
    network = tried.build(case.component)
    y = tried.keywords.get("y")
    y = labels_for(network, y(LENGTH) if callable(y) else y)
    shape = closed(network.sample_shape or (3, 32, 32), LENGTH)
    if isinstance(network, Generator):
        return network, TinyDiscriminator(shape), y
    return TinyGenerator(shape, 8), network, y


def check_pair_gradients(case: Case) -> None:
    """Check that D's logits have a gradient for every parameter that makes G's samples."""
    made, judge, y = pair_of(case)
    generator, discriminator = jittered(made).train(), jittered(judge).train()
    trained = {name: p for name, p in generator.named_parameters() if p.requires_grad}
    silent, wrong = set(trained), set()
    makes: set[str] = set()
    for _ in range(ATTEMPTS):
        z = torch.randn(N, generator.latent_dim, dtype=torch.float64)
        y64 = map_tensors(lambda t: t.double() if t.is_floating_point() else t, y)
        with told(case.component, "must be played as one of a pair of networks"):
            samples = as_generator_output(generator(z, y64)).samples
            heads = run_network(discriminator, samples, y64).heads
        expect(samples.requires_grad, case.component, "must make samples that have a gradient")
        makes |= _reached(trained, [samples])
        found = _gradients(trained, list(heads))
        wrong |= {name for name, g in found.items() if g is not None and not g.isfinite().all()}
        silent -= {name for name, g in found.items() if g is not None and is_nonzero(g)}
    whose = "its" if case.kind == "generator" else "the generator's"
    expect(
        not wrong,
        case.component,
        f"must give finite gradients to {whose} parameters, but {', '.join(sorted(wrong))} gets "
        "NaN or infinity: guard divisions, roots and logarithms",
    )
    lost = sorted(silent & makes)
    expect(
        not lost,
        case.component,
        f"must let the discriminator's logits reach all of {whose} parameters, but the gradient of "
        f"{', '.join(lost)} is zero: detach and round nothing on the way, or freeze it",
    )


def _gradients(trained: dict[str, nn.Parameter], tensors: list[Tensor]) -> dict[str, Any]:
    live = [tensor.square().sum() for tensor in tensors if tensor.requires_grad]
    if not live:
        return dict.fromkeys(trained)
    total = torch.stack(live).sum()
    found = torch.autograd.grad(total, list(trained.values()), allow_unused=True, retain_graph=True)
    return dict(zip(trained, found, strict=True))


def _reached(trained: dict[str, nn.Parameter], tensors: list[Tensor]) -> set[str]:
    return {name for name, g in _gradients(trained, tensors).items() if g is not None}


def check_compile(case: Case) -> None:
    """Check that ``network.compile()`` changes no output and no gradient; nothing in C++."""
    generator, discriminator, y = pair_of(case)
    network: Any = generator if case.kind == Player.GENERATOR.value else discriminator
    network = jittered(network).float()
    compiled = copy.deepcopy(network)
    compiled.compile(backend="aot_eager")
    assert is_compiled(compiled)
    if isinstance(network, Generator):
        x = torch.randn(N, network.latent_dim)
    else:
        x = torch.rand(N, *closed(network.sample_shape or (3, 32, 32), LENGTH)) * 2 - 1
    with told(
        case.component,
        "must be compiled by network.compile()",
        "keep forward() to torch's operations and plain Python",
    ):
        pairs = [_with_gradients(each, x, y) for each in (network, compiled)]
    for ours, theirs in zip(*pairs, strict=True):
        expect(
            close(ours, theirs),
            case.component,
            "must compute the same when it is compiled, but outputs or gradients differ by "
            f"{float((ours - theirs).abs().max()):.3g}: keep forward() free of Python state that "
            "changes from call to call",
        )


def _with_gradients(network: Any, x: Tensor, y: Any) -> list[Tensor]:
    output = main_outputs(run_network(network, x, y))
    trained = [p for p in network.parameters() if p.requires_grad]
    total = torch.stack([each.square().mean() for each in output]).sum()
    found = torch.autograd.grad(total, trained, allow_unused=True)
    gradients = [
        torch.zeros_like(p) if g is None else g for p, g in zip(trained, found, strict=True)
    ]  # compiled, what is not used has zeros
    return [*(each.detach() for each in output), *gradients]
