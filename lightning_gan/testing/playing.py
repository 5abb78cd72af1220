"""A tiny game of a registered component, and randomness that is dealt out alike to all of them.

A game of a whole batch is played first, and what it draws is written down. A game in two processes,
or in two micro-batches, then gets its rows of the same draws, so that the two must come to the same
weights wherever no sample depends on the others.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from lightning_gan.game.engine import Engine
from lightning_gan.game.game import Game
from lightning_gan.game.gan import GAN
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.l1 import L1Regularizer
from lightning_gan.regularizers.l2 import L2Regularizer
from lightning_gan.testing.cases import NETWORKS, Case
from lightning_gan.testing.halves import FEATURES, LOGITS
from lightning_gan.testing.inputs import closed
from lightning_gan.testing.tiny import TinyDiscriminator, TinyGenerator

N, PIECES = 4, 2  # samples of a piece, pieces of a batch
BATCHES, NATIVE = 3, 1  # of them with randomness that is dealt out, and with its own
LENGTH = 64  # of samples that have any
SHAPE, LATENTS = (1, 8, 8), 8
EXACT, APART = 1e-9, 1e-8  # rounding of float64, and more than that
SLOTS = {
    "average": "ema",
    "optimizer": "generator_optimizer",
    "lr_scheduler": "generator_lr_scheduler",
}
State = dict[str, Any]
# A rate at which rounding does not grow to more than EXACT.
sgd = partial(torch.optim.SGD, lr=0.02, momentum=0.9)


class Look:
    """What the data of a game look like: shape of a sample, condition and extra of N samples.

    Args:
        shape: Of a sample, without open sizes.
        y: Condition.
        extra: What terms ask for.
    """

    def __init__(self, shape: tuple[int, ...], y: Any, extra: Any) -> None:
        self.shape, self.y, self.extra = shape, y, extra

    def batches(self, count: int, dtype: torch.dtype = torch.float64, n: int = N * PIECES) -> Any:
        """Return batches of bright samples: (samples, condition, what terms ask for)."""
        source = torch.Generator().manual_seed(5)

        def several(x: Tensor) -> Tensor:
            x = x.to(dtype) if x.is_floating_point() else x
            return torch.cat([x] * PIECES)[:n]

        y, extra = (tree_map(several, each) for each in (self.y, self.extra))
        return [
            (torch.rand(n, *self.shape, generator=source, dtype=dtype) * 1.25 - 0.25, y, extra)
            for _ in range(count)
        ]


def make_game(
    case: Case,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    heads: int = 1,
    **options: Any,
) -> tuple[GAN, Look]:
    """Return a GAN of a component with tiny parts, or those declared, and the look of its data.

    Args:
        case: The component.
        seed: What all weights come from.
        dtype: Of the weights.
        heads: Of the tiny discriminator.
        options: Of the GAN.
    """
    case.tried()  # imports what draws when it is imported
    torch.manual_seed(seed)
    tried, shapes = case.tried(), LOGITS
    parts: dict[str, Any] = {"loss": NonSaturatingLoss()}
    given = tried.keywords
    networks = copy.deepcopy(given.get("networks"))
    part: Any = None
    if case.kind in ("optimizer", "lr_scheduler"):
        part = partial(case.component, **tried.arguments)
    else:
        part = tried.build(case.component)
    if case.kind == "loss" and not part.directed:
        shapes = FEATURES
    shapes = tuple(given.get("logit_shapes", shapes)[:1]) * heads
    shape = given.get("sample_shape") or SHAPE
    if case.kind in NETWORKS:
        shape = closed(part.sample_shape or shape, LENGTH)
    generator, discriminator = networks or (
        TinyGenerator(shape, given.get("latent_dim") or LATENTS, given.get("sample_range")),
        TinyDiscriminator(shape, shapes),
    )
    if case.kind == "generator":
        generator = part
        discriminator.num_classes = part.num_classes
    elif case.kind == "discriminator":
        discriminator = part
        generator.num_classes = part.num_classes
    elif case.kind == "regularizer":
        parts["regularizers"] = {"it": part}
    elif case.kind == "schedule":
        parts["schedules"] = {"generator_weight": part}
    else:
        parts[SLOTS.get(case.kind, case.kind)] = part
    if case.kind == "balance":
        parts["regularizers"] = {"reconstruction": L1Regularizer(), "penalty": L2Regularizer()}
    if "prior" in given:
        parts["prior"] = given["prior"]
    optimizers = {"generator_optimizer": sgd, "discriminator_optimizer": sgd}
    gan = GAN(generator, discriminator, **{**optimizers, "share_fakes": False, **parts, **options})
    y = given.get("y")
    if callable(y):
        y = y(LENGTH)
    if y is None:
        y = torch.arange(N) % 3
    look = Look(closed(generator.sample_shape, LENGTH), y, given.get("extra") or {})
    return gan.to(dtype), look


def coupling(gan: GAN, case: Case, *, micro_batches: bool) -> str | None:
    """Return why a game of pieces need not be that of the whole batch, or None."""
    declared = case.declared()
    if "couples" in declared:
        reason: str | None = declared["couples"]
        return reason
    parts = [gan.loss, *gan.terms().values(), gan.discriminator]
    if any(part.couples_samples for part in parts):
        return "couples_samples"
    modules = [*gan.generator.modules(), *gan.discriminator.modules()]
    if any("BatchNorm" in type(module).__name__ for module in modules):
        return "batch norm"
    if micro_batches and any("SpectralNorm" in type(module).__name__ for module in modules):
        return "spectral norm, whose estimate moves with each pass"
    return None


def rows_of(tree: Any, piece: int) -> Any:
    """Return a piece of a batch."""
    return tree_map(lambda x: x.chunk(PIECES)[piece], tree)


class Draws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down what is drawn between two backward passes; or deals out rows of it.

    Args:
        written: What a whole batch drew; None: it is written down.
        pieces: The piece that each of the next passes belongs to, over and over.
    """

    def __init__(
        self, written: list[list[Tensor]] | None = None, pieces: Sequence[int] = (0,)
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.written: list[list[Tensor]] = [[]] if written is None else written
        self.pieces, self.writes = pieces, written is None
        self.passes = self.drawn = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        found = function(*args, **(kwargs or {}))
        draws = torch.Tag.nondeterministic_seeded in function.tags
        if not draws or function.overloadpacket is torch.ops.aten.randperm:
            return found  # an order of the samples has no rows: what draws one couples them
        if self.writes:
            self.written[-1].append(found.clone())
            return found
        drawn = self._pass()
        if self.drawn >= len(drawn):
            raise AssertionError(f"a piece draws more than the whole batch, {len(drawn)} times")
        whole = drawn[self.drawn]
        self.drawn += 1
        dealt = self._rows(whole, found.shape, self.pieces[self.passes % len(self.pieces)])
        in_place = any(found is given for given in (*args, *(kwargs or {}).values()))
        return found.copy_(dealt) if in_place else dealt.to(found.dtype)

    def _pass(self) -> list[Tensor]:
        return self.written[self.passes // len(self.pieces)]

    def _rows(self, whole: Tensor, shape: Sequence[int], piece: int) -> Tensor:
        for dim, (all_of_them, ours) in enumerate(zip(whole.shape, shape, strict=True)):
            if all_of_them != ours:
                whole = whole.chunk(PIECES, dim)[piece]
        if whole.shape != shape:
            raise AssertionError(
                f"a draw of shape {tuple(shape)} in a piece is one of {tuple(whole.shape)} in the "
                "whole batch, of which no rows are a piece's"
            )
        return whole

    def next(self) -> None:
        """Go on to the next pass."""
        if self.writes:
            self.written.append([])
        elif self.drawn != len(self._pass()):
            raise AssertionError(f"{self.drawn} draws of a piece, {len(self._pass())} of the batch")
        self.passes, self.drawn = self.passes + 1, 0


class Telling(Engine):
    """Tells when a pass ends.

    Args:
        draws: Whom it tells.
    """

    def __init__(self, draws: Draws) -> None:
        self.draws = draws

    def backward(self, objective: Tensor, gradient: Tensor) -> None:
        """Add gradients, and tell."""
        super().backward(objective, gradient)
        self.draws.next()


def played(gan: GAN, data: Any, draws: Draws, seed: int = 0) -> Game:
    """Play batches with dealt draws; return the game."""
    game = Game(gan, engine=Telling(draws), seed=1)
    torch.manual_seed(seed)
    with draws:
        for batch in data:
            game.play(*batch)
    return game


def state_of(gan: GAN) -> State:
    """Return weights, buffers and extra states."""
    return copy.deepcopy(dict(gan.state_dict()))


@dataclass
class Begun:
    """What a game of whole batches began with and drew, for pieces of it.

    Attributes:
        first: The first state.
        written: What each pass drew.
        data: All batches, and some more.
    """

    first: State
    written: list[list[Tensor]]
    data: Any


def play_whole(case: Case) -> tuple[Begun, State]:
    """Play whole batches in one process; return what it began with, and the last state."""
    gan, look = make_game(case)
    first, draws = state_of(gan), Draws()
    data = look.batches(BATCHES + NATIVE)
    played(gan, data[:BATCHES], draws)
    return Begun(first, draws.written, data), state_of(gan)


def play_pieces(case: Case, begun: Begun) -> tuple[State, str | None]:
    """Play the same in two micro-batches; return the state, and what couples samples."""
    gan, _ = make_game(case)
    gan.micro_batches = PIECES
    played(gan, begun.data[:BATCHES], Draws(begun.written, pieces=range(PIECES)))
    return state_of(gan), coupling(gan, case, micro_batches=True)


def play_rank(case: Case, begun: Begun, rank: int) -> dict[str, State]:
    """Play a rank's rows; then some batches more with randomness of its own.

    Rank 0 begins with the state of the whole game, the other with networks and parts of its own.
    """
    gan, _ = make_game(case, seed=rank)
    if rank == 0:
        gan.load_state_dict(begun.first)
    draws = Draws(begun.written, pieces=(rank,))
    data = [rows_of(batch, rank) for batch in begun.data]
    game = played(gan, data[:BATCHES], draws, seed=rank)
    dealt = state_of(gan)
    game.engine = Engine()
    for batch in data[BATCHES:]:
        game.play(*batch)
    return {"dealt": dealt, "native": state_of(gan)}
