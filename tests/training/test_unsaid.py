"""Warnings are left out while a fit goes on, and said again afterwards."""

from __future__ import annotations

import warnings
from contextlib import nullcontext

import pytest
import pytorch_lightning as pl
import toys

from lightning_gan.training.seams.unsaid import Unsaid


def test_filters_are_as_before_at_the_end():
    before = list(warnings.filters)
    unsaid = Unsaid("nothing of this")
    unsaid.end()
    for _ in range(2):
        unsaid.begin()
        warnings.warn("nothing of this is said", stacklevel=1)
    unsaid.end()
    assert warnings.filters == before
    with pytest.warns(UserWarning, match="nothing of this"):
        warnings.warn("nothing of this is said", stacklevel=1)


class Stumbling(pl.Callback):
    def on_train_batch_end(self, *args):
        raise RuntimeError("stumbled")


@pytest.mark.parametrize("stumbles", [False, True])
def test_a_fit_leaves_no_filter_behind(tmp_path, stumbles):
    """Lightning advises to save weights from before the step, which a finished batch must not."""
    before = list(warnings.filters)
    save = pl.callbacks.ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1)
    callbacks = [save, Stumbling()] if stumbles else [save]
    run = toys.trainer(tmp_path, max_steps=2, enable_checkpointing=True, callbacks=callbacks)
    with pytest.raises(RuntimeError, match="stumbled") if stumbles else nullcontext():
        run.fit(toys.gan(), toys.loader())
    assert warnings.filters == before
    assert len(list(tmp_path.glob("*.ckpt"))) == (0 if stumbles else 2)
