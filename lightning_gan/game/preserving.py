"""Modules put back as they were after a look at them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def preserved_state(*modules: nn.Module) -> Iterator[None]:
    """Put back every buffer (batch-norm statistics, queues) and extra state of modules."""
    layers = list({id(layer): layer for m in modules for layer in m.modules()}.values())
    buffers = [
        (layer, name, buffer, buffer.clone())
        for layer in layers
        for name, buffer in layer.named_buffers(recurse=False)
    ]
    states = [(layer, copy.deepcopy(layer.get_extra_state())) for layer in layers if _has(layer)]
    try:
        yield
    finally:
        with torch.no_grad():
            for layer, name, buffer, value in buffers:
                buffer.copy_(value)
                if getattr(layer, name) is not buffer:
                    setattr(layer, name, buffer)
        for layer, state in states:
            layer.set_extra_state(state)


def _has(layer: nn.Module) -> bool:
    return type(layer).get_extra_state is not nn.Module.get_extra_state
