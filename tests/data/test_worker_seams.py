"""A private name of torch's DataLoader does what it is taken for."""

from __future__ import annotations

from torch.utils.data import DataLoader

from lightning_gan.data.worker_seams import stop


def test_processes_end_at_once():
    reading = iter(DataLoader(range(8), num_workers=1))
    (worker,) = reading._workers
    next(reading)
    assert worker.is_alive()
    stop(reading)
    assert not worker.is_alive()
    assert not hasattr(reading, "shutdown")  # a public name: use it
