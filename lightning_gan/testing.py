"""Conformance checks for the seven kinds of component, for the tests of plugin authors.

    from lightning_gan.testing import check_component

    def test_my_loss():
        check_component("loss", "my-package:my_loss")

Each check builds what it needs: tiny networks, random samples, a made-up course of training. None
trains, and all leave the global random state as they found it.
"""

from __future__ import annotations

import copy
import inspect
import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from lightning_gan import registry
from lightning_gan.alternations.base import Alternation
from lightning_gan.augments.base import Augment
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.priors.base import Prior
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.spec import Component, build
from lightning_gan.types import (
    AdversarialStep,
    DiscriminatorOutput,
    Feedback,
    Player,
    Progress,
    map_labels,
)

N = 4  # samples in every batch of the checks
ANY_SHAPE = (3, 32, 32)  # samples for components that accept any shape

C = TypeVar("C", bound=Component)


class ConformanceError(AssertionError):
    """A component that breaks the contract of its kind; says what was expected of which one."""


def check_component(kind: str, component: Any, /, **constructor_arguments: Any) -> None:
    """Check that a component fulfils the contract of its kind.

    Args:
        kind: "generator", "discriminator", "loss", "regularizer", "alternation", "augment" or
            "prior".
        component: A registered name, a class or an object.
        constructor_arguments: What to build a name or a class with.

    Raises:
        PluginError: No such kind or name.
        ConformanceError: The component breaks its contract.

    Example:
        >>> check_component("loss", "non_saturating", real_target=0.9)
    """
    base = registry.kind(kind).load_base()
    if isinstance(component, str):
        component = registry.load(kind, component)
    if isinstance(component, type):
        _expect(issubclass(component, base), component, f"must derive from {base.__name__}")
    with _own_randomness():
        if isinstance(component, type):
            component = component(**constructor_arguments)
        _CHECKS[kind](component)


def check_generator(generator: Generator, *, y: Any = None) -> None:
    """Check a generator.

    Args:
        generator: The network.
        y: Labels of 4 samples, for a generator that takes others than class labels.

    Raises:
        ConformanceError: The generator breaks its contract.
    """
    with _own_randomness():
        _check_any(generator, Generator)
        _check_network_attributes(generator)
        latent_dim = getattr(generator, "latent_dim", None)
        _expect(
            isinstance(latent_dim, int) and latent_dim >= 0,
            generator,
            f"must have an attribute latent_dim, an int of 0 or more, got {latent_dim!r}",
        )
        shape = getattr(generator, "sample_shape", None)
        _expect(shape is not None, generator, "must have an attribute sample_shape")
        z = torch.randn(N, generator.latent_dim)
        labels = _labels(generator, y)
        for mode in (True, False):
            generator.train(mode)
            samples = generator(z, labels)
            _expect_tensor(generator, samples, (N, *generator.sample_shape), torch.float32)
        _check_function(generator, z, labels, couples_samples=False)
        _check_labels(generator, z, y)
        _check_gradients(generator, z, labels)


def check_discriminator(discriminator: Discriminator, *, y: Any = None) -> None:
    """Check a discriminator.

    Args:
        discriminator: The network.
        y: Labels of 4 samples, for a discriminator that takes others than class labels.

    Raises:
        ConformanceError: The discriminator breaks its contract.
    """
    with _own_randomness():
        _check_any(discriminator, Discriminator)
        _check_network_attributes(discriminator)
        x = torch.rand(N, *(discriminator.sample_shape or ANY_SHAPE)) * 2 - 1
        labels = _labels(discriminator, y)
        for mode in (True, False):
            discriminator.train(mode)
            output = _output(discriminator(x, labels))
            _expect_tensor(discriminator, output.logits, (N, ...), torch.float32)
            if output.class_logits is not None:
                classes = discriminator.num_classes
                shape = (N, ...) if classes is None else (N, classes)
                _expect_tensor(discriminator, output.class_logits, shape, torch.float32)
        _check_function(discriminator, x, labels, couples_samples=discriminator.couples_samples)
        _check_labels(discriminator, x, y)
        _check_gradients(discriminator, x, labels)
        network = _jittered(discriminator).float().train()
        _check_double_backward(
            discriminator, lambda x: _output(network(x, labels)).logits, x, network
        )


def check_loss(loss: AdversarialLoss) -> None:
    """Check an adversarial loss.

    Raises:
        ConformanceError: The loss breaks its contract.
    """
    with _own_randomness():
        _check_any(loss, AdversarialLoss)
        for shape in ((N,), (N, 1), (N, 1, 4, 4)):
            for scale in (1.0, 50.0):
                _check_loss_values(loss, shape, scale)
        _check_loss_directions(loss)
        for player in Player:
            logits = torch.zeros(N, device="meta")
            _check_device(loss, lambda loss: _half(loss, player, logits, logits))  # noqa: B023
        if not loss.couples_samples:
            _check_loss_separates(loss)


def check_regularizer(
    regularizer: Regularizer, *, networks: tuple[Generator, Discriminator] | None = None
) -> None:
    """Check a regularizer.

    Args:
        regularizer: The term.
        networks: Generator and discriminator to use in place of tiny ones, which are conditional
            on 3 classes and have class logits, features and a ``mapping``.

    Raises:
        ConformanceError: The regularizer breaks its contract.
    """
    with _own_randomness():
        _check_any(regularizer, Regularizer)
        _check_regularizer_declarations(regularizer)
        generator, discriminator = networks or (_TinyGenerator(), _TinyDiscriminator())
        for player in Player:
            network = generator if player is Player.GENERATOR else discriminator
            for phases in ((), tuple(Player)):
                step = _step(player, regularizer, generator, discriminator)
                _check_term(regularizer, player, step, network)
                _observe(regularizer, Progress(), phases)
            regularizer.after_update(player, network)
            _expect(
                all(bool(p.isfinite().all()) and p.requires_grad for p in network.parameters()),
                regularizer,
                "after_update must leave the parameters finite and trainable",
            )
        _check_rebuilding(regularizer)


def check_alternation(alternation: Alternation) -> None:
    """Check an alternation over a made-up course of 50 batches.

    Raises:
        ConformanceError: The alternation breaks its contract.
    """
    with _own_randomness():
        _check_any(alternation, Alternation)
        progress = Progress()
        for _ in range(50):
            before = copy.deepcopy(progress)
            phases = alternation.phases(progress)
            _expect(
                isinstance(phases, tuple) and all(isinstance(p, Player) for p in phases),
                alternation,
                f"phases must return a tuple of Player, got {phases!r}",
            )
            _expect(progress == before, alternation, "phases must not change the progress it reads")
            _expect(
                phases == alternation.phases(progress),
                alternation,
                "phases must give the same answer when asked twice about one batch",
            )
            for player in phases:
                progress = progress.after_step(player)
            progress = progress.after_batch(N)
            # Losses on both sides of any sensible threshold.
            _observe(alternation, progress, phases, value=0.05 if progress.batches % 2 else 3.0)
        for player in Player:
            _expect(
                progress.steps(player) > 0,
                alternation,
                f"must let the {player.value} step within 50 batches",
            )
        _check_rebuilding(alternation)


def check_augment(augment: Augment, *, sample_shape: tuple[int, ...] = ANY_SHAPE) -> None:
    """Check an augmentation.

    Args:
        augment: The augmentation.
        sample_shape: Shape of the samples to try it on.

    Raises:
        ConformanceError: The augmentation breaks its contract.
    """
    with _own_randomness():
        _check_any(augment, Augment)
        for dtype in (torch.float32, torch.float64):
            x = torch.rand(N, *sample_shape, dtype=dtype) * 2 - 1
            before = x.clone()
            _expect_tensor(augment, augment(x), (N, *sample_shape), dtype)
            _expect(torch.equal(x, before), augment, "must not change its input in place")
        meta = torch.zeros(N, *sample_shape, device="meta")
        _check_device(augment, lambda augment: augment(meta))
        _check_double_backward(augment, lambda x: augment(x) ** 3, x.float(), None)
        for phases in ((), tuple(Player)):
            _observe(augment, Progress(batches=1), phases)
            _expect_tensor(augment, augment(x.float()), (N, *sample_shape), torch.float32)
        _check_rebuilding(augment)


def check_prior(prior: Prior) -> None:
    """Check a prior.

    Raises:
        ConformanceError: The prior breaks its contract.
    """
    with _own_randomness():
        _check_any(prior, Prior)

        def draw(n: int, latent_dim: int, seed: int | None = 1) -> Tensor:
            generator = None if seed is None else torch.Generator().manual_seed(seed)
            return prior.sample(n, latent_dim, generator=generator, device="cpu")

        for n, latent_dim in ((N, 8), (1, 1), (N, 0)):
            _expect_tensor(prior, draw(n, latent_dim), (n, latent_dim), torch.float32)
        _check_device(prior, lambda prior: prior.sample(N, 8, generator=None, device="meta"))
        state = torch.get_rng_state()
        first = draw(N, 8)
        _expect(
            torch.equal(state, torch.get_rng_state()),
            prior,
            "must leave the global random state alone when it is given a generator",
        )
        _expect(
            torch.equal(first, draw(N, 8)) and not torch.equal(first, draw(N, 8, seed=2)),
            prior,
            "must draw the same latents from equally seeded generators, and others from others",
        )
        _expect(
            not torch.equal(draw(N, 8, None), draw(N, 8, None)),
            prior,
            "must draw new latents from the global random state when it is given no generator",
        )


_CHECKS: dict[str, Callable[[Any], None]] = {
    "generator": check_generator,
    "discriminator": check_discriminator,
    "loss": check_loss,
    "regularizer": check_regularizer,
    "alternation": check_alternation,
    "augment": check_augment,
    "prior": check_prior,
}


# Every kind.


def _check_any(component: Component, base: type[Component]) -> None:
    """Check what every component owes: named arguments, a spec, copies, state in its place."""
    _expect(isinstance(component, base), component, f"must be a {base.__name__}")
    own = type(component).__init__ is not nn.Module.__init__
    parameters = inspect.signature(type(component)).parameters.values() if own else ()
    hidden = [p.name for p in parameters if p.kind in (p.VAR_POSITIONAL, p.POSITIONAL_ONLY)]
    _expect(
        not hidden, component, f"must take named constructor arguments, but has {', '.join(hidden)}"
    )
    network = isinstance(component, (Generator, Discriminator))
    _expect(
        network or not list(component.parameters()),
        component,
        "must have no parameters: only networks have, state belongs in buffers",
    )
    _check_tensors_have_a_home(component)
    _check_rebuilding(component)


def _check_rebuilding(component: Component) -> None:
    """Check that the spec and the state are enough to make an equal component."""
    spec = component.spec()
    try:
        text = json.dumps(spec)
    except (TypeError, ValueError) as error:
        raise _error(component, f"must have a spec that JSON can hold: {error}") from error
    _expect(
        '{"unportable":' not in text,
        component,
        f"must be built from arguments that can be saved, got {text}",
    )
    try:
        for other in (build(json.loads(text), trust=True), copy.deepcopy(component)):
            other.load_state_dict(component.state_dict())
            _expect(
                _same_state(other, component),
                component,
                "must have the same state again after a round trip through its state_dict",
            )
    except (InputError, RuntimeError, TypeError) as error:
        raise _error(
            component, f"must be copied by deepcopy, and rebuilt from spec and state_dict: {error}"
        ) from error


def _check_tensors_have_a_home(component: Component) -> None:
    for path, module in component.named_modules():
        for name, value in vars(module).items():
            if name not in ("_parameters", "_buffers", "_modules") and _holds_tensor(value):
                where = f"{path}.{name}" if path else name
                raise _error(
                    component,
                    f"must keep tensors in buffers or parameters, which move with it and are "
                    f"saved, but {where} is a plain attribute",
                )


def _check_device(component: C, compute: Callable[[C], Tensor]) -> None:
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
        raise _error(component, f"must work on any device it is moved to: {error}") from error
    _expect(
        device == "meta", component, f"must compute on its inputs' device, got a result on {device}"
    )


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_tensor, value.values()))
    if isinstance(value, (list, tuple, set)):
        return any(map(_holds_tensor, value))
    return isinstance(value, Tensor)


def _same_state(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        torch.equal(ours[key], theirs[key])
        if isinstance(ours[key], Tensor)
        else ours[key] == theirs[key]
        for key in ours
    )


# Networks.


def _check_network_attributes(network: Generator | Discriminator) -> None:
    shape, classes = getattr(network, "sample_shape", None), network.num_classes
    _expect(
        shape is None or (isinstance(shape, tuple) and all(isinstance(s, int) for s in shape)),
        network,
        f"must have an attribute sample_shape, a tuple of ints, got {shape!r}",
    )
    _expect(
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
            _expect(
                got == expected,
                network,
                f"must have the attribute {name} it was built with, {expected!r}, got {got!r}",
            )


def _check_function(
    network: Generator | Discriminator, x: Tensor, y: Any, *, couples_samples: bool
) -> None:
    """Check, in float64, that in eval mode the network is a function of each sample alone."""
    twin = build(network.spec(), trust=True)
    network = _jittered(network)
    twin.double().eval().load_state_dict(network.state_dict())
    x, y = x.double(), map_labels(_widen, y)
    before = copy.deepcopy(network)
    output = _run(network, x, y)
    _expect(
        output.dtype == torch.float64, network, f"must compute in its own dtype, got {output.dtype}"
    )
    _run(network, -x, y)
    _expect(
        _close(output, _run(network, x, y)),
        network,
        "must be a function of its inputs alone in eval mode, but two calls differ",
    )
    _expect(_same_state(before, network), network, "must not change its state in eval mode")
    _expect(
        _close(output, _run(twin, x, y)),
        network,
        "must depend on its arguments and its state_dict alone, but one rebuilt from both differs",
    )
    if not couples_samples:
        for i in range(N):
            alone = _run(network, x[i : i + 1], map_labels(lambda t: t[i : i + 1], y))  # noqa: B023
            _expect(
                _close(output[i : i + 1], alone),
                network,
                "must judge or make each sample independently of the batch in eval mode",
            )
    meta = map_labels(lambda t: t.to("meta"), y)
    _check_device(network, lambda network: _run(network, x.to("meta"), meta))


def _check_labels(network: Generator | Discriminator, x: Tensor, y: Any) -> None:
    """Check that a conditional network heeds class labels, and another one does not."""
    if y is not None:
        return
    network, x = _jittered(network), x.double()
    if network.num_classes is None:
        some = torch.zeros(N, dtype=torch.int64)
        _expect(
            _close(_run(network, x, None), _run(network, x, some)),
            network,
            "must ignore labels where num_classes is None: data modules may yield them anyway",
        )
    elif network.num_classes > 1:
        output = network(x, torch.zeros(N, dtype=torch.int64))
        auxiliary = isinstance(output, DiscriminatorOutput) and output.class_logits is not None
        others = _run(network, x, torch.ones(N, dtype=torch.int64))
        _expect(
            auxiliary or not _close(_output(output).logits, others),
            network,
            "must depend on the labels where num_classes is set",
        )


def _check_gradients(network: Generator | Discriminator, x: Tensor, y: Any) -> None:
    """Check that gradients reach the inputs and every trainable parameter."""
    network = _jittered(network).float().train()
    x = x.clone().requires_grad_()
    output = _output(network(x, y))
    (gradient,) = torch.autograd.grad(
        output.logits.square().sum(), x, retain_graph=True, allow_unused=True
    )
    _expect(
        x.numel() == 0 or (gradient is not None and bool(gradient.any())),
        network,
        "must pass gradients to its input",
    )
    heads = [output.logits, output.class_logits, output.features]
    total = torch.stack([h.square().sum() for h in heads if h is not None]).sum()
    trainable = {n: p for n, p in network.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(total, list(trainable.values()), allow_unused=True)
    unused = [name for name, g in zip(trainable, gradients, strict=True) if g is None]
    _expect(
        not unused,
        network,
        f"must use every trainable parameter, but {', '.join(unused)} gets no gradient",
    )


def _check_double_backward(
    component: Component, function: Callable[[Tensor], Tensor], x: Tensor, network: nn.Module | None
) -> None:
    """Check that the squared gradient of a function, as in R1, can be differentiated again."""
    x = x.clone().requires_grad_()
    reached = [x] if network is None else [p for p in network.parameters() if p.requires_grad]
    try:
        (gradient,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
        second = torch.autograd.grad(gradient.square().sum(), reached, allow_unused=True)
    except RuntimeError as error:
        raise _error(component, f"must be differentiable twice: {error}") from error
    _expect(
        any(g is not None and bool(g.any()) for g in second),
        component,
        "must be differentiable twice, but the second gradient is zero",
    )


def _labels(network: Generator | Discriminator, y: Any) -> Any:
    if y is not None or network.num_classes is None:
        return y
    return torch.arange(N) % network.num_classes


def _jittered(network: C) -> C:
    """Return a float64 copy in eval mode with weights off their first values, which may be 0."""
    network = copy.deepcopy(network).double().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return network


def _run(network: nn.Module, x: Tensor, y: Any) -> Tensor:
    with torch.no_grad():
        return _output(network(x, y)).logits


def _output(output: Tensor | DiscriminatorOutput) -> DiscriminatorOutput:
    return output if isinstance(output, DiscriminatorOutput) else DiscriminatorOutput(output)


def _widen(t: Tensor) -> Tensor:
    return t.double() if t.is_floating_point() else t


# Losses.


def _check_loss_values(loss: AdversarialLoss, shape: tuple[int, ...], scale: float) -> None:
    """Check shape, dtype and finiteness of both halves and of their gradients."""
    for sign in (1.0, -1.0):
        real = (sign * scale * torch.rand(shape)).requires_grad_()
        fake = (-sign * scale * torch.rand(shape)).requires_grad_()
        for player in Player:
            value = _half(loss, player, real, fake)
            what = f"the {player.value}'s half"
            _expect_tensor(loss, value, (N, ...), torch.float32, what)
            gradients = torch.autograd.grad(value.sum(), (real, fake), allow_unused=True)
            _expect(
                all(g is None or bool(g.isfinite().all()) for g in gradients),
                loss,
                f"{what} must have finite gradients for logits up to {scale:g}",
            )


def _check_loss_directions(loss: AdversarialLoss) -> None:
    """Check whom a change of the logits pleases, where the players have not yet got their way."""
    low = (torch.rand(16) - 2).requires_grad_()
    high = (torch.rand(16) + 1).requires_grad_()
    real, fake = torch.autograd.grad(loss.discriminator(low, high).sum(), (low, high))
    _expect(real.sum() < 0, loss, "the discriminator's half must fall when logits of reals rise")
    _expect(fake.sum() > 0, loss, "the discriminator's half must fall when logits of fakes fall")
    value = _half(loss, Player.GENERATOR, high, low).sum()
    (fake,) = torch.autograd.grad(value, low)
    _expect(fake.sum() < 0, loss, "the generator's half must fall when logits of fakes rise")
    if loss.needs_real_logits_for_generator:
        other = _half(loss, Player.GENERATOR, high + torch.rand(16), low).sum()
        _expect(
            not torch.equal(value, other),
            loss,
            "declares needs_real_logits_for_generator, but the generator's half ignores them",
        )


def _check_loss_separates(loss: AdversarialLoss) -> None:
    real, fake = torch.randn(N), torch.randn(N)
    for player in Player:
        together = _half(loss, player, real, fake)
        alone = torch.cat([_half(loss, player, real[i, None], fake[i, None]) for i in range(N)])
        _expect(
            _close(together, alone),
            loss,
            f"must declare couples_samples: the {player.value}'s half depends on the batch",
        )


def _half(loss: AdversarialLoss, player: Player, real: Tensor, fake: Tensor) -> Tensor:
    if player is Player.DISCRIMINATOR:
        return loss.discriminator(real, fake)
    return loss.generator(fake, real if loss.needs_real_logits_for_generator else None)


# Regularizers.


class _TinyGenerator(Generator):
    """Linear layers, with a mapping of latents."""

    latent_dim, sample_shape, num_classes = 5, (1, 8, 8), 3

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(5, 6)
        self.draw = nn.Linear(6, 64)

    def mapping(self, z: Tensor, y: Any = None) -> Tensor:
        hidden: Tensor = self.map(z).tanh()
        return hidden

    def forward(self, z: Tensor, y: Any = None) -> Tensor:
        samples: Tensor = self.draw(self.mapping(z, y)).tanh()
        return samples.reshape(-1, *self.sample_shape)


class _TinyDiscriminator(Discriminator):
    """Linear layers, with class logits and features."""

    sample_shape, num_classes = (1, 8, 8), 3

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Linear(64, 6)
        self.heads = nn.Linear(6, 4)

    def forward(self, x: Tensor, y: Any = None) -> DiscriminatorOutput:
        features = self.look(x.flatten(1)).tanh()
        heads = self.heads(features)
        return DiscriminatorOutput(heads[:, 0], heads[:, 1:], features)


def _check_regularizer_declarations(regularizer: Regularizer) -> None:
    _expect(
        isinstance(regularizer.interval, int) and regularizer.interval >= 1,
        regularizer,
        f"must have an interval, an int of 1 or more, got {regularizer.interval!r}",
    )
    _expect(
        isinstance(regularizer.weight, (int, float)),
        regularizer,
        f"must have a weight, a number, got {regularizer.weight!r}",
    )
    _expect(
        regularizer.differentiates <= {"real", "fake"},
        regularizer,
        f"may differentiate 'real' and 'fake', got {sorted(regularizer.differentiates)}",
    )
    acts = any(regularizer.acts_on(player) for player in Player)
    updates = type(regularizer).after_update is not Regularizer.after_update
    _expect(acts or updates, regularizer, "must define discriminator, generator or after_update")


def _step(
    player: Player, regularizer: Regularizer, generator: Generator, discriminator: Discriminator
) -> AdversarialStep:
    """Return one update as the module would hand it to the regularizer."""
    z = torch.randn(N, generator.latent_dim)
    y = _labels(generator, None)
    real = torch.rand(N, *generator.sample_shape) * 2 - 1
    fake = generator(z, y)
    if player is Player.DISCRIMINATOR:
        fake = fake.detach()
    return AdversarialStep(
        player,
        real=real.requires_grad_("real" in regularizer.differentiates),
        y=y,
        fake=fake.requires_grad_() if "fake" in regularizer.differentiates else fake,
        fake_y=y,
        z=z,
        generator=generator,
        discriminator=discriminator,
        augment=nn.Identity(),
        draw_latents=lambda n: torch.randn(n, generator.latent_dim),
    )


def _check_term(
    regularizer: Regularizer, player: Player, step: AdversarialStep, network: nn.Module
) -> None:
    """Check shape, dtype and differentiability of one player's term."""
    what = f"the {player.value}'s term"
    try:
        term = getattr(regularizer, player.value)(step)
    except RuntimeError as error:
        raise _error(
            regularizer,
            f"{what} failed, with gradients for the inputs {sorted(regularizer.differentiates)} "
            f"that `differentiates` names: {error}",
        ) from error
    if term is None:
        return
    _expect_tensor(regularizer, term, () if term.ndim == 0 else (N, ...), torch.float32, what)
    parameters = list(network.parameters())
    gradients = (
        torch.autograd.grad(term.sum(), parameters, allow_unused=True)
        if term.requires_grad
        else [None]
    )
    _expect(
        any(gradient is not None for gradient in gradients),
        regularizer,
        f"{what} must be differentiable with respect to the {player.value}'s parameters",
    )


# Observers.


def _observe(
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
        raise _error(
            component,
            f"observe must accept statistics that are None, those of players that neither stepped "
            f"nor are in `measures`: {error}",
        ) from error


# Saying what is wrong.


def _expect(condition: Any, component: Any, sentence: str) -> None:
    if not condition:
        raise _error(component, sentence)


def _error(component: Any, sentence: str) -> ConformanceError:
    name = component.__name__ if isinstance(component, type) else type(component).__name__
    return ConformanceError(f"{name}: {sentence}")


def _expect_tensor(
    component: Component,
    value: Any,
    shape: tuple[Any, ...],
    dtype: torch.dtype,
    what: str = "its result",
) -> None:
    """Expect a finite tensor; an ellipsis at the end of the shape stands for any dimensions."""
    _expect(isinstance(value, Tensor), component, f"{what} must be a tensor, got {value!r}")
    fixed = shape[:-1] if shape[-1:] == (...,) else shape
    fits = value.shape[: len(fixed)] == fixed and (fixed != shape or value.ndim == len(fixed))
    listing = ", ".join("..." if size is ... else str(size) for size in shape)
    _expect(
        fits and value.dtype == dtype,
        component,
        f"{what} must be {dtype} of shape ({listing}), got {value.dtype} of shape "
        f"{tuple(value.shape)}",
    )
    _expect(bool(value.isfinite().all()), component, f"{what} must be finite")


def _close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-5, atol=1e-6)


@contextmanager
def _own_randomness() -> Iterator[None]:
    """Run the checks from a fixed seed and leave the global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
