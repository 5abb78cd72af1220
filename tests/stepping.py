"""What tests of updates share: an alternation, calls that are kept, plain descent."""

from __future__ import annotations

from functools import partial

import torch

from lightning_gan import Alternation


class Only(Alternation):
    def __init__(self, players, simultaneous=False):
        super().__init__()
        self.players, self.simultaneous = players, simultaneous

    def phases(self, progress):
        return self.players


def record_calls(network):
    """Collect the inputs of every forward call of a network."""
    calls = []
    network.register_forward_pre_hook(lambda _, inputs: calls.append(inputs))
    return calls


def sgd(lr=0.1):
    return partial(torch.optim.SGD, lr=lr)
