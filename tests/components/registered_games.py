"""A tiny game of each registered component, and randomness that is dealt out alike to all of them.

A game of a whole batch is played first, and what it draws is written down. A game in two processes,
or in two micro-batches, then gets its rows of the same draws, so that the two must come to the same
weights wherever no sample depends on the others.
"""

from __future__ import annotations

import copy
import inspect
from functools import partial

import term_networks
import test_conformance as conformance
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from lightning_gan import GAN, Game
from lightning_gan.components import registry
from lightning_gan.game.engine import Engine
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.regularizers.l1 import L1Regularizer
from lightning_gan.regularizers.l2 import L2Regularizer
from lightning_gan.testing.halves import FEATURES, LOGITS
from lightning_gan.testing.tiny import TinyDiscriminator, TinyGenerator

N, PIECES = 4, 2  # samples of a piece, pieces of a batch
BATCHES, NATIVE = 3, 1  # of them with randomness that is dealt out, and with its own
LENGTH = 64  # of samples that have any

# Kinds that are not played here, each with its reason.
ELSEWHERE = {
    "optimizer": "torch's, and none is ours",
    "lr_scheduler": "torch's contract; ours is played in tests/embedding/test_embedded_parts.py",
}
# Beside the arguments of the conformance tests: what begins late begins at once, what has networks
# has small ones, what repeats itself only later does it within three batches.
OWN = {
    "lecam": {"start_kimg": 0.0},
    "path_length": {"interval": 1, "batch_shrink": 1},
    "warm_up": {"kimg": 0.004},
    "accuracy_controlled": {"threshold": 0.5, "momentum": 0.0},
    **{name: {"kimg": 0.05} for name in ("ada", "apa")},
    **{name: {"start": 1.0, "end": 0.1, "kimg": 0.02} for name in ("burn_in", "cosine", "linear")},
    "piecewise": {"knots": [[0, 0.5], [0.01, 1.0]]},
    "step": {"start": 1.0, "factor": 0.5, "kimg": 0.008},
}
SMALL = {"base_channels": 4, "hidden": (8,), "latent_dim": 8}
# Parts whose pieces differ from the whole batch, each with its reason. What says so of itself
# (``couples_samples``) needs no line, unless these pieces are the whole all the same: None.
COUPLED = {
    ("balance", "adaptive_weight"): "norms of gradients of a piece",
    ("balance", "gradient_balance"): "norms of gradients of a piece",
    ("balance", "gradnorm"): "norms of gradients of a piece",
    ("generator", "stylegan2"): "mixes styles of the batch's latents",
    ("discriminator", "packed"): None,  # of neighbours, whom pieces of four do not part
}
CASES = [
    (kind, name)
    for kind in registry.KINDS
    if kind not in ELSEWHERE
    for name in sorted(entry.name for entry in registry.entries(kind) if entry.ours)
]
sgd = partial(torch.optim.SGD, lr=0.2, momentum=0.9)


def coupling(gan, kind, name, micro_batches):
    """Return why a game of pieces need not be that of the whole batch, or None."""
    if (kind, name) in COUPLED:
        return COUPLED[kind, name]
    parts = [gan.loss, *gan.terms().values(), gan.discriminator]
    if any(part.couples_samples for part in parts):
        return "couples_samples"
    modules = [*gan.generator.modules(), *gan.discriminator.modules()]
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in modules):
        return "batch norm"
    if micro_batches and any("SpectralNorm" in type(module).__name__ for module in modules):
        return "spectral norm, whose estimate moves with each pass"
    return None


def build(kind, name, folder, **small):
    component = registry.load(kind, name)
    accepted = inspect.signature(component).parameters
    own = conformance.OWN.get(name, {})
    given = {
        **conformance.CONVENTIONAL,
        **small,
        **(own(folder) if callable(own) else own),
        **OWN.get(name, {}),
    }
    return component(**copy.deepcopy({k: v for k, v in given.items() if k in accepted}))


def keywords(kind, name):
    """What the conformance tests try a component with, as far as it is networks and samples."""
    found = dict(term_networks.KEYWORDS.get(name, dict)())
    if name in conformance.SAMPLES:
        found["sample_shape"] = conformance.SAMPLES[name]
    if name in conformance.NETWORKS:
        found["networks"] = copy.deepcopy(conformance.NETWORKS[name])
    if (kind, name) in conformance.CONDITIONS:
        found["y"] = conformance.CONDITIONS[kind, name]
    return found


def make(kind, name, folder, seed=0, dtype=torch.float64, **options):
    """Return a game of a component, and what its data look like: the shape, y and extra of N."""
    torch.manual_seed(seed)
    given, parts, shapes = keywords(kind, name), {"loss": NonSaturatingLoss()}, LOGITS
    if kind in ("generator", "discriminator"):
        part = build(kind, name, folder, **SMALL)
    else:
        part = build(kind, name, folder)
    if kind == "loss" and not part.directed:
        shapes = FEATURES
    shapes = given.get("logit_shapes", shapes)[:1]
    shape = given.get("sample_shape", (1, 8, 8))
    if kind in ("generator", "discriminator"):
        shape = tuple(LENGTH if size is None else size for size in part.sample_shape or shape)
    latents = given.get("latent_dim", 8)
    pair = given.get("networks")
    generator, discriminator = pair or (
        TinyGenerator(shape, latents, given.get("sample_range")),
        TinyDiscriminator(shape, shapes),
    )
    if kind == "generator":
        generator = part
        discriminator.num_classes = part.num_classes
    elif kind == "discriminator":
        discriminator = part
        generator.num_classes = part.num_classes
    elif kind == "regularizer":
        parts["regularizers"] = {"it": part}
    elif kind == "average":
        parts["ema"] = part
    elif kind == "schedule":
        parts["schedules"] = {"generator_weight": part}
    else:
        parts[kind] = part
    if kind == "balance":
        parts["regularizers"] = {"reconstruction": L1Regularizer(), "penalty": L2Regularizer()}
    if "prior" in given:
        parts["prior"] = given["prior"]
    gan = GAN(
        generator,
        discriminator,
        **parts,
        generator_optimizer=sgd,
        discriminator_optimizer=sgd,
        share_fakes=False,
        **options,
    ).to(dtype)
    y = given.get("y")
    if y is None:
        y = torch.arange(N) % 3
    return gan, (tuple(generator.sample_shape), y, given.get("extra", {}))


def batches(look, count, dtype=torch.float64, seed=5):
    """Return batches of all pieces: bright samples, their condition, what terms ask for."""
    shape, *given = look
    shape = tuple(LENGTH if size is None else size for size in shape)
    source = torch.Generator().manual_seed(seed)
    y, extra = (tree_map(_twice(dtype), each) for each in given)
    return [
        (torch.rand(N * PIECES, *shape, generator=source, dtype=dtype) * 1.25 - 0.25, y, extra)
        for _ in range(count)
    ]


def _twice(dtype):
    def twice(x):
        x = x.to(dtype) if x.is_floating_point() else x
        return torch.cat([x] * PIECES)

    return twice


def rows_of(tree, piece):
    return tree_map(lambda x: x.chunk(PIECES)[piece], tree)


class Draws(TorchDispatchMode):
    """Writes down what is drawn between two backward passes; or deals out rows of it.

    Args:
        written: What a whole batch drew; None: it is written down.
        pieces: The piece that each of the next passes belongs to, over and over.
    """

    def __init__(self, written=None, pieces=(0,)):
        super().__init__()
        self.written, self.pieces = [[]] if written is None else written, pieces
        self.writes = written is None
        self.passes = self.drawn = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        draws = torch.Tag.nondeterministic_seeded in function.tags
        if not draws or function.overloadpacket is torch.ops.aten.randperm:
            return found  # an order of the samples has no rows: what draws one couples them
        if self.writes:
            self.written[-1].append(found.clone())
            return found
        whole = self.written[self.passes // len(self.pieces)][self.drawn]
        self.drawn += 1
        dealt = self._rows(whole, found.shape, self.pieces[self.passes % len(self.pieces)])
        return found.copy_(dealt) if function._schema.is_mutable else dealt.to(found.dtype)

    def _rows(self, whole, shape, piece):
        for dim, (all_of_them, ours) in enumerate(zip(whole.shape, shape, strict=True)):
            if all_of_them != ours:
                whole = whole.chunk(PIECES, dim)[piece]
        assert whole.shape == shape, "a draw that has no rows of samples"
        return whole

    def next(self):
        if self.writes:
            self.written.append([])
        else:
            drawn, passed = self.drawn, self.written[self.passes // len(self.pieces)]
            assert drawn == len(passed), f"{drawn} draws of a piece, {len(passed)} of the batch"
        self.passes, self.drawn = self.passes + 1, 0


class Telling(Engine):
    """Tells when a pass ends."""

    def __init__(self, draws):
        self.draws = draws

    def backward(self, objective, gradient):
        super().backward(objective, gradient)
        self.draws.next()


def played(gan, data, draws, seed=0):
    """Play batches with dealt draws; return the game."""
    game = Game(gan, engine=Telling(draws), seed=1)
    torch.manual_seed(seed)
    with draws:
        for batch in data:
            game.play(*batch)
    return game


def state_of(gan):
    """Weights, buffers and extra states."""
    return copy.deepcopy(dict(gan.state_dict()))


def whole(kind, name, folder):
    """Play a whole batch in one process; return its first state, its last one, and its draws."""
    gan, look = make(kind, name, folder)
    first, draws = state_of(gan), Draws()
    played(gan, batches(look, BATCHES), draws)
    return first, state_of(gan), draws.written


def in_pieces(kind, name, folder, written):
    """Play the same in two micro-batches; return the state, and what couples samples."""
    gan, look = make(kind, name, folder)
    gan.micro_batches = PIECES
    played(gan, batches(look, BATCHES), Draws(written, pieces=range(PIECES)))
    return state_of(gan), coupling(gan, kind, name, micro_batches=True)


def of_rank(kind, name, folder, first, written, rank):
    """Play a rank's rows; then some batches more with randomness of its own.

    Rank 0 begins with the state of the whole game, the other with networks and parts of its own.
    """
    gan, look = make(kind, name, folder, seed=rank)
    if rank == 0:
        gan.load_state_dict(first)
    draws = Draws(written, pieces=(rank,))
    data = [rows_of(batch, rank) for batch in batches(look, BATCHES + NATIVE)]
    game = played(gan, data[:BATCHES], draws, seed=rank)
    dealt = state_of(gan)
    game.engine = Engine()
    for batch in data[BATCHES:]:
        game.play(*batch)
    return {"dealt": dealt, "native": state_of(gan)}
