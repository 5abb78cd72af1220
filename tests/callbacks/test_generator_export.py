from __future__ import annotations

import pytest
import torch
import toys

from lightning_gan import EMA
from lightning_gan.callbacks.generator_export import GeneratorExport
from lightning_gan.errors import InputError
from lightning_gan.export import load_generator, read_description
from lightning_gan.generators.mlp import MLPGenerator


def steps(folder):
    return sorted(int(p.name.removeprefix("step-")) for p in (folder / "generators").iterdir())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [5]),
        ({"every_n_steps": 2}, [2, 4, 5]),
        ({"every_n_rounds": 3}, [3, 5]),
        ({"every_n_epochs": 1}, [4, 5]),  # four batches an epoch
    ],
)
def test_when_the_generator_is_written(tmp_path, options, expected):
    gan = toys.gan()
    toys.fit(tmp_path, gan, steps=5, callbacks=[GeneratorExport(**options)])
    assert steps(tmp_path) == expected
    last = load_generator(tmp_path / "generators" / "step-00000005")
    assert toys.same(last.generator.state_dict(), gan.generator.state_dict())
    first = read_description(tmp_path / "generators" / f"step-{expected[0]:08d}")
    assert first["progress"]["batches"] == expected[0]


def test_a_state_that_no_file_can_hold_is_refused_before_training(tmp_path):
    class Odd(MLPGenerator):
        def get_extra_state(self):
            return object()

        def set_extra_state(self, state):
            pass

    gan = toys.gan(generator=Odd(sample_shape=toys.SHAPE, latent_dim=3, hidden=(8,)))
    with pytest.raises(InputError, match="must return tensors or plain values to be exported"):
        toys.fit(tmp_path, gan, steps=5, callbacks=[GeneratorExport(every_n_steps=4)])
    assert gan.progress.batches == 0


def test_a_resumed_run_goes_on_counting(tmp_path):
    gan = toys.gan()
    first = toys.fit(tmp_path / "a", gan, steps=3, callbacks=[GeneratorExport(every_n_steps=2)])
    first.save_checkpoint(tmp_path / "a.ckpt")
    second = toys.trainer(tmp_path / "b", max_steps=6, callbacks=[GeneratorExport(every_n_steps=2)])
    second.fit(gan, ResumableLoader(), ckpt_path=tmp_path / "a.ckpt")
    assert steps(tmp_path / "a") == [2, 3]
    assert steps(tmp_path / "b") == [4, 6]


class ResumableLoader:
    """A loader that says where it is, as far as Lightning asks."""

    def __iter__(self):
        return iter(toys.loader())

    def __len__(self):
        return 4

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def test_exporting_does_not_change_training(tmp_path):
    weights = []
    for callbacks in ([], [GeneratorExport(every_n_steps=1)]):
        torch.manual_seed(0)
        gan = toys.gan(discriminator=toys.discriminator(dropout=0.5), ema=EMA(buffers="reestimate"))
        toys.fit(tmp_path, gan, steps=5, callbacks=callbacks)
        weights.append({**toys.weights(gan.generator), **toys.weights(gan.discriminator)})
    assert toys.same(*weights)


def test_a_fast_dev_run_leaves_nothing(tmp_path):
    toys.fit(tmp_path, toys.gan(), steps=-1, fast_dev_run=True, callbacks=[GeneratorExport()])
    assert not (tmp_path / "generators").exists()


def test_periods_are_checked():
    with pytest.raises(InputError, match="GeneratorExport: every_n_steps must be at least 1"):
        GeneratorExport(every_n_steps=0)
    with pytest.raises(InputError, match="GeneratorExport expects one period"):
        GeneratorExport(every_n_epochs=1, every_n_rounds=1)


def test_another_module_is_refused(fake_gan, fit):
    message = "GeneratorExport expects a GANModule, got FakeGAN; leave this callback out"
    with pytest.raises(InputError, match=message):
        fit(fake_gan(), GeneratorExport())
