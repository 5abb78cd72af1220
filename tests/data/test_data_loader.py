"""The tensor loader alone, and stopped and resumed under a real Trainer."""

import random
import subprocess
import sys
import warnings

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from lightning_gan.data import EpochPermutation, TensorLoader
from lightning_gan.errors import InputError


def samples(n):
    """N samples of one pixel, each its own value, so that a batch tells which samples it has."""
    return torch.arange(n, dtype=torch.uint8).view(n, 1)


def ids(x):
    return ((x + 1) * 127.5).round().long().flatten().tolist()


def test_batches_are_normalized_and_keep_labels():
    data = torch.tensor([[0, 255], [51, 204], [102, 153]], dtype=torch.uint8)
    batches = list(TensorLoader(data, torch.tensor([7, 8, 9]), 2))
    x, y = batches[0]
    assert x.dtype == torch.float32
    torch.testing.assert_close(x, torch.tensor([[-1.0, 1.0], [-0.6, 0.6]]))
    assert x[0, 1] == 1  # exactly
    assert y.tolist() == [7, 8]
    assert y.dtype == torch.int64
    assert batches[1][1].tolist() == [9]
    assert torch.equal(data[0], torch.tensor([0, 255], dtype=torch.uint8))  # untouched


def test_without_labels_a_batch_is_a_tensor():
    (batch,) = TensorLoader(samples(3), batch_size=4)
    assert ids(batch) == [0, 1, 2]


@pytest.mark.parametrize(("drop_last", "sizes"), [(True, [4, 4]), (False, [4, 4, 2])])
def test_length_and_batch_sizes(drop_last, sizes):
    loader = TensorLoader(samples(10), batch_size=4, drop_last=drop_last)
    assert [len(x) for x in loader] == sizes
    assert len(loader) == len(sizes)


def test_permutation_depends_on_seed_and_epoch_alone():
    def order(seed, epoch):
        sampler = EpochPermutation(50, seed)
        sampler.set_epoch(epoch)
        return sampler.indices().tolist()

    assert order(0, 1) == order(0, 1)
    assert sorted(order(3, 4)) == list(range(50))
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


@pytest.mark.parametrize("n", [10, 11, 12, 13])
def test_ranks_share_an_epoch_without_repetition(n):
    shards = [EpochPermutation(n, rank=rank, world_size=3).indices() for rank in range(3)]
    assert [len(shard) for shard in shards] == [n // 3] * 3
    assert len(set(torch.cat(shards).tolist())) == n // 3 * 3


@pytest.mark.parametrize("n", [8, 9, 10, 11, 12, 13])
def test_ranks_see_every_sample_once_in_equally_many_batches(n):
    loaders = [TensorLoader(samples(n), batch_size=3, rank=rank, world_size=3) for rank in range(3)]
    batches = [[ids(x) for x in loader] for loader in loaders]
    assert {len(b) for b in batches} == {len(loaders[0])}
    assert all(1 <= len(batch) <= 3 for rank in batches for batch in rank)
    assert sorted(i for rank in batches for batch in rank for i in batch) == list(range(n))


def test_wrong_orders_are_refused():
    with pytest.raises(InputError, match="3 processes cannot share 2 images: use fewer processes"):
        EpochPermutation(2, world_size=3)
    with pytest.raises(InputError, match=r"seed must be at least 0, got -1"):
        EpochPermutation(2, seed=-1)


def test_global_random_states_stay():
    def states():
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()

    before = states()
    for _ in TensorLoader(samples(10), batch_size=4, shuffle=True):
        pass
    assert states() == before


def test_epoch_of_a_new_loader_is_read_at_the_first_batch():
    loader = make()
    iterator = iter(loader)
    loader.sampler.set_epoch(2)
    assert ids(next(iterator)) == run(make(), 3)[10]


def run(loader, epochs):
    return [ids(x) for _ in range(epochs) for x in loader]


def make(n=20, batch_size=4, seed=0, world_size=1):
    return TensorLoader(
        samples(n), batch_size=batch_size, shuffle=True, drop_last=True, seed=seed,
        world_size=world_size,
    )  # fmt: skip


def test_iterations_follow_the_permutations_of_the_epochs():
    loader = make(n=22)
    for epoch in range(3):
        assert [i for batch in run(loader, 1) for i in batch] == loader.sampler.indices(
            epoch
        ).tolist()[:20]


def test_iteration_goes_on_where_the_last_one_was_cut():
    loader = make()
    seen = [ids(x) for cut in (3, 3, 3) for _, x in zip(range(cut), loader, strict=False)]
    assert seen == run(make(), 2)[:9]


def test_unshuffled_iteration_begins_anew():
    loader = TensorLoader(samples(10), batch_size=4)
    assert ids(next(iter(loader))) == [0, 1, 2, 3]
    assert run(loader, 2) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]] * 2


def test_unshuffled_iteration_goes_on_after_a_resume():
    loader = TensorLoader(samples(10), batch_size=4)
    next(iter(loader))
    resumed = TensorLoader(samples(10), batch_size=4)
    resumed.load_state_dict(loader.state_dict())
    assert ids(next(iter(resumed))) == [4, 5, 6, 7]
    assert ids(next(iter(resumed))) == [0, 1, 2, 3]


@pytest.mark.parametrize("stop", [0, 1, 4, 5, 6, 10])
def test_saved_state_goes_on_with_the_next_batch(stop):
    loader = make()
    stream = (x for _ in range(3) for x in loader)
    for _ in range(stop):
        next(stream)
    state = loader.state_dict()
    assert (state["epoch"], state["position"]) == divmod(stop, 5)
    resumed = make()
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    assert run(resumed, 1) == run(make(), 3)[stop : stop + 5]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"batch_size": 5}, "batch_size 4 (now 5)"),
        ({"n": 24}, "samples 20 (now 24)"),
        ({"seed": 1}, "seed 0 (now 1)"),
        ({"world_size": 2}, "world_size 1 (now 2)"),
    ],
)
def test_changed_order_begins_the_epoch_again_with_a_warning(change, said):
    loader = make()
    iterator = iter(loader)
    next(iterator)
    next(iterator)
    changed = make(**change)
    with pytest.warns(UserWarning, match="begins again with its first batch") as caught:
        changed.load_state_dict(loader.state_dict())
    assert "after batch 2 of an epoch" in str(caught[0].message)
    assert said in str(caught[0].message)
    assert [ids(x) for x in changed] == run(make(**change), 1)


def test_changed_batch_size_between_epochs_is_no_matter():
    loader = make()
    run(loader, 1)
    changed = make(batch_size=5)
    changed.load_state_dict(loader.state_dict())
    assert [ids(x) for x in changed] == run(make(batch_size=5), 2)[4:]


class Recorder(pl.LightningModule):
    """Trains one number and writes down the samples of every batch."""

    def __init__(self):
        super().__init__()
        self.number = torch.nn.Parameter(torch.zeros(()))
        self.seen = []
        self.validated = []

    def training_step(self, batch, batch_idx):
        self.seen.append(ids(batch))
        return (self.number - batch.mean()) ** 2

    def validation_step(self, batch, batch_idx):
        self.validated.append(ids(batch))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(folder, ckpt=None, callbacks=(), loader=None, validate=False, module=None, **options):
    module = module or Recorder()
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        default_root_dir=folder, callbacks=list(callbacks), enable_checkpointing=bool(callbacks),
        **options,
    )  # fmt: skip
    with warnings.catch_warnings():  # about other things than data
        for text in (".*val_dataloader.*", ".*callbacks used to create the checkpoint.*"):
            warnings.filterwarnings("ignore", text)
        loaders = {"val_dataloaders": TensorLoader(samples(6), batch_size=4)} if validate else {}
        trainer.fit(module, loader or make(), **loaders, ckpt_path=ckpt)
    return trainer, module


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    _, module = fit(tmp_path_factory.mktemp("run"), max_steps=15)
    assert module.seen == run(make(), 3)
    return module.seen


@pytest.mark.parametrize("validate", [False, True])
@pytest.mark.parametrize("stop", [1, 3, 5, 7, 10, 14])
def test_trainer_resumes_after_max_steps(tmp_path, uninterrupted, stop, validate):
    trainer, first = fit(tmp_path, max_steps=stop, validate=validate)
    trainer.save_checkpoint(tmp_path / "stop.ckpt")
    _, second = fit(tmp_path, tmp_path / "stop.ckpt", max_steps=15, validate=validate)
    assert first.seen == uninterrupted[:stop]
    assert second.seen == uninterrupted[stop:]


@pytest.mark.parametrize("by", ["steps", "epochs"])
@pytest.mark.parametrize("step", [2, 5, 8, 10])
def test_trainer_resumes_from_a_checkpoint_of_the_middle(tmp_path, uninterrupted, step, by):
    options = {"max_steps": 15} if by == "steps" else {"max_epochs": 3}
    saver = ModelCheckpoint(tmp_path, "{step}", save_top_k=-1, every_n_train_steps=1)
    fit(tmp_path, callbacks=[saver], **options)
    _, resumed = fit(tmp_path, tmp_path / f"step={step}.ckpt", **options)
    assert resumed.seen == uninterrupted[step:]


def test_trainer_resumes_from_a_checkpoint_of_an_epoch_end(tmp_path, uninterrupted):
    saver = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
    fit(tmp_path, callbacks=[saver], max_epochs=3)
    _, resumed = fit(tmp_path, tmp_path / "epoch=0.ckpt", max_epochs=3)
    assert resumed.seen == uninterrupted[5:]


@pytest.mark.parametrize("validate", [False, True])
@pytest.mark.parametrize("stop", [2, 3, 4, 6, 7])
def test_trainer_resumes_epochs_cut_short(tmp_path, uninterrupted, stop, validate):
    options = {"limit_train_batches": 3, "validate": validate}
    trainer, first = fit(tmp_path, max_steps=stop, **options)
    trainer.save_checkpoint(tmp_path / "cut.ckpt")
    _, second = fit(tmp_path, tmp_path / "cut.ckpt", max_steps=9, **options)
    assert first.seen + second.seen == uninterrupted[:9]


def test_trainer_with_another_batch_size_warns_and_begins_the_epoch_again(tmp_path):
    trainer, _ = fit(tmp_path, max_steps=2)
    trainer.save_checkpoint(tmp_path / "stop.ckpt")
    with pytest.warns(UserWarning, match="batch_size 4"):
        _, module = fit(tmp_path, tmp_path / "stop.ckpt", max_steps=4, loader=make(batch_size=2))
    assert module.seen == run(make(batch_size=2), 1)[:2]


def test_validation_sees_all_samples_in_order(tmp_path):
    _, module = fit(tmp_path, max_steps=5, validate=True, num_sanity_val_steps=0)
    assert module.validated == [[0, 1, 2, 3], [4, 5]]


def test_package_imports_neither_torch_nor_torchvision():
    code = (
        "import sys, lightning_gan.data; print([m for m in sys.modules if m.startswith('torch')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
