"""The loader over a source: the tensor loader's batches, its place in them, and its workers."""

import multiprocessing
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from lightning_gan.data import SourceLoader, TensorLoader
from lightning_gan.errors import InputError

SHAPE = (3, 4, 5)


def pixels(n):
    source = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (n, *SHAPE), generator=source, dtype=torch.uint8)


class Source:
    """Images of a tensor, which writes down what it reads and cannot read some."""

    def __init__(self, images, broken=()):
        self.images = images
        self.broken = broken
        self.seen = []

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        self.seen.append(index)
        if index in self.broken:
            raise InputError(f"cannot read image {index}: repair it")
        return self.images[index].permute(1, 2, 0).contiguous().permute(2, 0, 1)  # as decoders do


def make(n=20, num_workers=0, broken=(), batch_size=4, **options):
    options = {"shuffle": True, "drop_last": True, **options}
    source = Source(pixels(n), broken)
    labels = torch.arange(n)
    return SourceLoader(source, labels, batch_size, num_workers=num_workers, **options)


def same(ours, theirs):
    assert len(ours) == len(theirs)
    for (x, y), (expected, labels) in zip(ours, theirs, strict=True):
        assert torch.equal(x, expected)
        assert (x.dtype, x.stride()) == (torch.float32, expected.stride())
        assert torch.equal(y, labels)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize(
    "options",
    [
        {"shuffle": True, "drop_last": True, "seed": 3},
        {"shuffle": True, "drop_last": True, "rank": 1, "world_size": 3},
        {"rank": 2, "world_size": 3},
        {},
    ],
    ids=["train", "train-of-3", "test-of-3", "test"],
)
def test_batches_are_those_of_the_tensor_loader(num_workers, options):
    images, labels = pixels(22), torch.arange(22)
    ours = SourceLoader(Source(images), labels, 4, num_workers=num_workers, **options)
    theirs = TensorLoader(images, labels, 4, **options)
    assert len(ours) == len(theirs)
    for _ in range(3):
        same(list(ours), list(theirs))
        assert ours.state_dict() == theirs.state_dict()


def test_without_labels_a_batch_is_a_tensor():
    images = pixels(3)
    (batch,) = SourceLoader(Source(images), batch_size=4)
    assert torch.equal(batch, images.float().div(127.5).sub(1))


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("stop", [1, 4, 5, 6])
def test_delivered_batches_count_and_either_kind_goes_on(num_workers, stop):
    loader = make(num_workers=num_workers)
    stream = (batch for _ in range(3) for batch in loader)
    for _ in range(stop):
        next(stream)
    state = loader.state_dict()
    assert (state["epoch"], state["position"]) == divmod(stop, 5)  # not those read ahead
    tensors = TensorLoader(pixels(20), torch.arange(20), 4, shuffle=True, drop_last=True)
    whole = [batch for _ in range(3) for batch in tensors]
    for resumed in (make(num_workers=num_workers), tensors):
        resumed.load_state_dict(state)
        same(list(resumed), whole[stop : stop + 5])


def test_what_a_resumed_loader_skips_is_not_read():
    loader = make()
    loader.load_state_dict({**loader.state_dict(), "position": 3})
    assert loader.source.seen == []
    next(iter(loader))
    assert loader.source.seen == loader.sampler.indices(0)[12:16].tolist()


def test_iteration_goes_on_where_the_last_one_was_cut_and_leaves_no_worker():
    loader = make(num_workers=2)
    seen = [y.tolist() for cut in (3, 3) for _, (_, y) in zip(range(cut), loader, strict=False)]
    whole = make()
    assert seen == [y.tolist() for _ in range(2) for _, y in whole][:6]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("num_workers", [0, 2])
def test_global_random_states_stay(num_workers):
    def states():
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()

    before = states()
    assert len(list(make(num_workers=num_workers))) == 5
    assert states() == before


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_image_that_cannot_be_read_is_one_sentence(num_workers):
    loader = make(num_workers=num_workers, broken=[7])
    place = loader.sampler.indices(0).tolist().index(7) // 4
    batches = iter(loader)
    for _ in range(place):
        next(batches)
    with pytest.raises(InputError) as caught:
        next(batches)
    assert str(caught.value) == "cannot read image 7: repair it"
    assert loader.state_dict()["position"] == place
    del batches, caught
    assert multiprocessing.active_children() == []


class Hanging(Source):
    def __getitem__(self, index):
        if multiprocessing.parent_process() is not None:
            time.sleep(60)
        return super().__getitem__(index)


class Slow(Source):
    def __getitem__(self, index):
        time.sleep(0.1)
        return super().__getitem__(index)


def interrupt(*_):
    raise KeyboardInterrupt


def test_a_process_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("lightning_gan.data.source_loader.WAIT", 0.25)
    monkeypatch.setattr("lightning_gan.data.source_loader.ATTEMPTS", 2)
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.5)
    batches = iter(SourceLoader(Hanging(pixels(8)), batch_size=4, num_workers=1))
    with pytest.raises(InputError, match=r"no batch came .* 1 of them, within 0.5 seconds"):
        next(batches)
    del batches
    assert multiprocessing.active_children() == []
    assert len(list(SourceLoader(Hanging(pixels(8)), batch_size=4))) == 2


def test_nor_is_it_where_iteration_is_cut(monkeypatch):
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.5)
    monkeypatch.setattr("lightning_gan.data.source_loader.WAIT", 0.1)
    reading = SourceLoader(Hanging(pixels(8)), num_workers=1)._batches([torch.arange(4)], 0)
    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    with pytest.raises(KeyboardInterrupt):
        next(reading)
    assert multiprocessing.active_children() == []


def test_slow_batches_are_waited_for(monkeypatch):
    monkeypatch.setattr("lightning_gan.data.source_loader.WAIT", 0.1)
    batches = list(SourceLoader(Slow(pixels(8)), batch_size=4, num_workers=1))
    assert len(batches) == 2


class Signals(Source):
    """Black images in a process that ignores both signals, white ones elsewhere."""

    def __getitem__(self, index):
        ignored = [signal.getsignal(s) == signal.SIG_IGN for s in (signal.SIGINT, signal.SIGTERM)]
        return torch.full(SHAPE, 0 if all(ignored) else 255, dtype=torch.uint8)


HOLDS = """
from torch import zeros
from lightning_gan.data import SourceLoader
if __name__ == "__main__":
    reading = iter(SourceLoader([zeros(1, 2, 2).byte()] * 64, batch_size=2, num_workers=1))
    next(reading)
    {last}
"""


@pytest.mark.parametrize(("last", "code"), [("pass", 0), ("raise ValueError", 1)])
def test_a_program_ends_that_holds_an_iteration(tmp_path, last, code):
    """Python asks workers with SIGTERM, which they leave to the main process, and waits."""
    script = tmp_path / "holds.py"
    script.write_text(HOLDS.format(last=last))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, timeout=120)
    assert done.returncode == code, done.stderr


@pytest.mark.parametrize(("num_workers", "value"), [(0, 1.0), (1, -1.0)])
def test_workers_leave_signals_to_the_main_process(num_workers, value):
    (batch,) = SourceLoader(Signals(pixels(2)), batch_size=2, num_workers=num_workers)
    assert batch.unique().tolist() == [value]


def test_wrong_orders_are_refused():
    with pytest.raises(InputError, match="30 processes cannot share 20 images: use fewer"):
        make(world_size=30)
