"""A stand-in for CUDA graphs on the CPU: operations are recorded once and repeated in place.

Recording does nothing, as with a graph: weights, buffers, moments and random states are afterwards
as they were. Memory is fixed: a replay reads and writes the tensors that were recorded, which hold
garbage before it. Python is not asked again, and what would read a value on the host fails.
Streams, memory that graphs share and copies from the host have no counterpart.
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
# Operations that bring a value to the host.
READS = {aten._local_scalar_dense.default, aten.equal.default, aten.nonzero.default}


def tensors(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


class Tape(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.operations = []
        self.before = {}  # contents of memory from outside, by address
        self.own = {}  # memory that was allocated while recording, kept alive by the tensors

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in READS:
            raise RuntimeError(f"{function} while recording")
        for tensor in tensors((args, kwargs)):
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in self.own and storage.data_ptr() not in self.before:
                self.before[storage.data_ptr()] = (storage, storage.clone())
        result = function(*args, **kwargs)
        known = {*self.before, *self.own}
        new = [t for t in tensors(result) if t.untyped_storage().data_ptr() not in known]
        self.own.update({t.untyped_storage().data_ptr(): t for t in new})
        self.operations.append((function, args, kwargs, result))
        return result


class Replayer:
    """Takes the place of CudaRecorder."""

    forgives = True

    def __init__(self, device, noise):
        self.noise = noise

    def aside(self):
        return nullcontext()

    def record(self, work):
        states = torch.get_rng_state(), self.noise.get_state()
        tape = Tape()
        try:
            with tape:
                result = work()
        finally:
            torch.set_rng_state(states[0])
            self.noise.set_state(states[1])
            for storage, content in tape.before.values():
                storage.copy_(content)
        for tensor in tape.own.values():
            tensor.untyped_storage().fill_(0x7F)
        return lambda: self.replay(tape.operations), result

    @torch.no_grad()
    def replay(self, operations):
        for function, args, kwargs, result in operations:
            given = {t.untyped_storage().data_ptr() for t in tensors((args, kwargs))}
            again = function(*args, **kwargs)
            for ours, theirs in zip(tensors(result), tensors(again), strict=True):
                if ours.untyped_storage().data_ptr() not in given:
                    ours.copy_(theirs)
