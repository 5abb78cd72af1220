"""Checkpoints rebuild a module from the file alone, and refuse what could run code."""

from __future__ import annotations

import pickle
import sys
import types
from enum import Enum
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import toys

from lightning_gan import (
    EMA,
    GANModule,
    Generator,
    InputError,
    PluginError,
    create_augment,
    create_discriminator,
    create_generator,
    create_loss,
    create_prior,
    create_regularizer,
)
from lightning_gan.alternations.alternating import Alternating
from lightning_gan.components import registry
from lightning_gan.components.spec import build, encode, is_portable
from lightning_gan.lr_schedulers.inverse_time_decay import InverseTimeDecay
from lightning_gan.schedules import Cosine


def full_gan():
    return GANModule(
        generator=create_generator("dcgan", sample_shape=(1, 8, 8), base_channels=4, num_classes=3),
        discriminator=create_discriminator(
            "dcgan", sample_shape=(1, 8, 8), base_channels=4, num_classes=3
        ),
        loss=create_loss("non_saturating", real_target=0.9),
        regularizers={"r1": create_regularizer("r1", weight=2.0, interval=2)},
        alternation=Alternating(d_steps=2),
        augment=create_augment("identity"),
        prior=create_prior("uniform", low=-2.0, high=2.0),
        generator_optimizer=partial(torch.optim.RMSprop, lr=1e-3, alpha=0.9),
        generator_lr_scheduler=partial(torch.optim.lr_scheduler.StepLR, step_size=3),
        generator_clip_norm=1.0,
        ema=EMA(half_life_kimg=0.05, buffers="average"),
        schedules={"regularizers.r1.weight": Cosine(2.0, 1.0, kimg=1.0)},
    )


def labelled():
    return toys.loader(toys.images(shape=(1, 8, 8)), torch.arange(32) % 3)


@pytest.fixture
def saved(tmp_path):
    gan = full_gan()
    run = toys.fit(tmp_path, gan, steps=3, data=labelled())
    path = tmp_path / "run.ckpt"
    run.save_checkpoint(path, weights_only=False)
    return gan, path


def test_load_rebuilds_the_whole_module(saved):
    gan, path = saved
    state = torch.random.get_rng_state()
    loaded = GANModule.load_from_checkpoint(path)
    assert torch.equal(state, torch.random.get_rng_state())
    assert toys.same(toys.weights(gan.generator), toys.weights(loaded.generator))
    assert toys.same(toys.weights(gan.generator_ema), toys.weights(loaded.generator_ema))
    assert torch.equal(gan.sample(4, [0, 1, 2, 0], seed=1), loaded.sample(4, [0, 1, 2, 0], seed=1))
    assert loaded.spec() == gan.spec()
    assert loaded.progress == gan.progress
    assert loaded.prior.low == -2.0
    assert loaded.loss.real_target == 0.9


def test_a_loaded_module_trains_on(saved, tmp_path):
    _, path = saved
    run = toys.fit(tmp_path, GANModule.load_from_checkpoint(path), steps=2, data=labelled())
    assert isinstance(run.optimizers[0], torch.optim.RMSprop)
    assert run.optimizers[0].param_groups[0]["alpha"] == 0.9


def test_arguments_replace_those_of_the_file(saved):
    _, path = saved
    loaded = GANModule.load_from_checkpoint(path, loss=create_loss("minimax"), share_fakes=False)
    assert type(loaded.loss).__name__ == "MinimaxLoss"
    assert not loaded.share_fakes


def test_what_cannot_be_saved_trains_and_is_asked_for_again(tmp_path):
    def network():
        net = torch.nn.Linear(3, 16)
        net.latent_dim, net.sample_shape = 3, (16,)
        return net

    class Labelless(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net, self.latent_dim, self.sample_shape = net, 3, (16,)

        def forward(self, z, y=None):
            return self.net(z)

    generator = Labelless(network())
    gan = toys.gan(
        generator=generator,
        discriminator=toys.discriminator(sample_shape=(16,)),
        generator_optimizer=lambda parameters: torch.optim.SGD(parameters, 0.1),
    )
    run = toys.fit(tmp_path, gan, steps=1, data=toys.loader(toys.images(shape=(16,))))
    path = tmp_path / "run.ckpt"
    with pytest.warns(UserWarning, match="generator=..., generator_optimizer=..."):
        run.save_checkpoint(path, weights_only=False)
    with pytest.raises(InputError, match=r"load_from_checkpoint\(path, generator=...\)"):
        GANModule.load_from_checkpoint(path)
    with pytest.raises(InputError, match=r"load_from_checkpoint\(path, generator_optimizer=...\)"):
        GANModule.load_from_checkpoint(path, generator=Labelless(network()))
    loaded = GANModule.load_from_checkpoint(
        path, generator=Labelless(network()), generator_optimizer=torch.optim.SGD
    )
    assert torch.equal(loaded.sample(3, seed=0), gan.sample(3, seed=0))


def test_a_scripts_own_class_is_known_while_it_is_imported(tmp_path):
    script = types.ModuleType("a_script")
    source = (
        "import torch\nfrom lightning_gan import Generator\n"
        "class Own(Generator):\n"
        "    def __init__(self, scale=1.0):\n"
        "        super().__init__()\n"
        "        self.latent_dim, self.sample_shape, self.scale = 3, (1, 4, 4), scale\n"
        "        self.net = torch.nn.Linear(3, 16)\n"
        "    def forward(self, z, y=None):\n"
        "        return (self.scale * self.net(z)).tanh().view(-1, 1, 4, 4)\n"
    )
    sys.modules["a_script"] = script
    try:
        exec(source, script.__dict__)
        gan = toys.gan(generator=script.Own(scale=0.5))
        run = toys.fit(tmp_path, gan, steps=1)
        run.save_checkpoint(tmp_path / "own.ckpt", weights_only=False)
        assert GANModule.load_from_checkpoint(tmp_path / "own.ckpt").generator.scale == 0.5
    finally:
        del sys.modules["a_script"]
    with pytest.raises(PluginError, match=r"generator names a_script.Own.*trust=True"):
        GANModule.load_from_checkpoint(tmp_path / "own.ckpt")


class Evil:
    def __reduce__(self):
        return (exec, ("import builtins; builtins.EVIL = True",))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, "no checkpoint at"),
        (lambda path: path.write_bytes(b"hello"), "is not a checkpoint or is damaged"),
        (lambda path: path.write_bytes(b""), "is not a checkpoint or is damaged"),
        (lambda path: torch.save({"state_dict": {}}, path), "was not written by a GANModule"),
        (lambda path: torch.save([1], path), "was not written by a GANModule"),
        (lambda path: torch.save({"lightning_gan": Evil()}, path), "loading it could run code"),
        (lambda path: path.write_bytes(pickle.dumps(Evil())), "could run code|damaged"),
        (
            lambda path: torch.save(
                {
                    "lightning_gan": {"format": 99, "version": "9.9", "spec": 1, "ranks": None},
                    "state_dict": {},
                },
                path,
            ),
            "written by lightning-gan 9.9, which is newer",
        ),
        (
            lambda path: torch.save(
                {
                    "lightning_gan": {"format": 1, "version": "0.1", "spec": {}, "ranks": None},
                    "state_dict": {},
                },
                path,
            ),
            "was written in a format from before the first release of lightning-gan, which is not "
            "read any more: train again",
        ),
        *(
            (
                lambda path, frozen=frozen: torch.save(
                    {
                        "lightning_gan": {
                            "format": 2,
                            "version": "0.1",
                            "spec": {},
                            "ranks": None,
                            "frozen": frozen,
                        },
                        "state_dict": {},
                    },
                    path,
                ),
                "is damaged: what describes the GANModule is incomplete",
            )
            for frozen in (None, "generator", [["x"]], {})
        ),
        (
            lambda path: torch.save({"lightning_gan": {"format": "x"}, "state_dict": {}}, path),
            "is damaged: what describes the GANModule is incomplete",
        ),
        (
            lambda path: torch.save({"lightning_gan": {}, "state_dict": []}, path),
            "was not written by a GANModule",
        ),
    ],
)
def test_other_files_are_refused_in_a_sentence(tmp_path, write, message):
    import builtins

    path = tmp_path / "x.ckpt"
    write(path)
    with pytest.raises(InputError, match=message):
        GANModule.load_from_checkpoint(path)
    assert not hasattr(builtins, "EVIL")


def test_a_truncated_checkpoint_is_refused(saved):
    _, path = saved
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match="is not a checkpoint or is damaged"):
        GANModule.load_from_checkpoint(path)


@pytest.mark.parametrize(
    "spec",
    [
        {"import": "os.system"},
        {"import": "torch.load"},
        {"import": "torch.hub.load"},
        {"import": "torch.nn.functional.importlib.import_module"},
        {"import": "torch.nn.functional._verify_batch_size"},
        {"import": "torch.nn.modules.module.torch.load"},
        {"partial": "subprocess.run", "keywords": {"args": ["true"]}},
        {"class_path": "subprocess.Popen", "init_args": {"args": ["true"]}},
        {"class_path": "torch.nn.Linear", "init_args": {"in_features": 1, "out_features": 1}},
        {"import": "torch.nn.functional.torch.PyTorchFileWriter"},
        {"import": "torch.nn.functional.torch.from_file"},
        {"import": "torch.nn.functional.handle_torch_function"},
        {"import": "torch.nn.functional.Tensor"},
        {"import": "torch.nn.functional.__builtins__"},
        {"import": "torch.classes.a.b"},
        {"import": "torch.optim.Optimizer.__init__.__globals__"},
        {"class_path": "sklearn.experimental.Thing", "init_args": {}},
        {
            "partial": "torch.nn.functional.relu",
            "keywords": {"inplace": {"class_path": "subprocess.Popen", "init_args": {}}},
        },
        {"class_path": "not_imported_anywhere.Generator", "init_args": {}},
        {
            "class_path": "lightning_gan.losses.minimax.MinimaxLoss",
            "init_args": {"x": [{"dict": {"a": {"import": "os.system"}}}]},
        },
    ],
)
def test_a_spec_cannot_name_what_is_not_a_component(spec):
    modules = set(sys.modules)
    message = (
        "names .*, which is neither a registered (component nor imported by this program|optimizer "
        "or scheduler nor one of torch's functions, networks, optimizers or schedulers)"
    )
    with pytest.raises(PluginError, match=message):
        build(spec)
    assert set(sys.modules) == modules


def test_the_tree_is_checked_before_the_first_import(tmp_path, monkeypatch):
    """A registered plugin that is not imported yet stays so when its argument is refused."""
    info = tmp_path / "gan_traced-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gan-traced\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lightning_gan.losses]\ntraced = traced:Thing\n")
    (tmp_path / "traced.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    registry.clear_cache()
    child = {"class_path": "other.Thing", "init_args": {}}
    with pytest.raises(PluginError, match="names other.Thing"):
        build({"class_path": "traced.Thing", "init_args": {"x": child}})
    assert "traced" not in sys.modules
    with pytest.raises(PluginError, match="failed to import: AssertionError: imported"):
        build({"class_path": "traced.Thing", "init_args": {}})
    registry.clear_cache()


def nested(levels):
    spec = 1
    for _ in range(levels):
        spec = [spec]
    return spec


MINIMAX = "lightning_gan.losses.minimax.MinimaxLoss"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"class_path": MINIMAX}, "is damaged: .* is no part of a spec"),
        ({"class_path": MINIMAX, "init_args": None}, "its arguments have no names"),
        ({"class_path": MINIMAX, "init_args": []}, "its arguments have no names"),
        ({"class_path": MINIMAX, "init_args": {1: 2}}, "its arguments have no names"),
        ({"class_path": None, "init_args": {}}, "None is no import path"),
        ({"class_path": ["x"], "init_args": {}}, "is no import path"),
        ({"import": {"import": "x"}}, "is no import path"),
        ({"partial": "torch.tanh", "init_args": {}, "keywords": {}}, "no part of a spec"),
        ({"import": "torch.tanh", "keywords": {}}, "no part of a spec"),
        ({"tuple": {}}, "a tuple must hold a list"),
        ({"dict": 3}, "its arguments have no names"),
        ({"x": 1}, "no part of a spec"),
        (torch.ones(1), "no part of a spec"),
        ((1, 2), "no part of a spec"),
        (nested(50), "nested more than 40 levels deep"),
        (nested(5000), "nested more than 40 levels deep"),
        ({"class_path": MINIMAX, "init_args": {"margin": 1}}, "MinimaxLoss has no argument"),
        (
            {"class_path": "lightning_gan.losses.base.AdversarialLoss", "init_args": {}},
            "AdversarialLoss does not take these arguments: Can't instantiate abstract class",
        ),
    ],
)
def test_a_damaged_spec_is_one_sentence(spec, message):
    with pytest.raises(InputError, match=message):
        build(spec)


def test_a_damaged_state_is_one_sentence(saved):
    _, path = saved
    for change in ({"_extra_state": 3}, {"generator.stem.weight": torch.ones(1)}, {"x": 1}):
        checkpoint = torch.load(path, weights_only=True)
        checkpoint["state_dict"].update(change)
        changed = path.with_name("changed.ckpt")
        torch.save(checkpoint, changed)
        with pytest.raises(InputError, match="its state does not fit"):
            GANModule.load_from_checkpoint(changed)


def test_unknown_arguments_get_the_nearest_one(saved):
    _, path = saved
    with pytest.raises(InputError, match="did you mean 'generator'"):
        GANModule.load_from_checkpoint(path, genrator=None)
    with pytest.raises(InputError, match="weights_only=False is refused"):
        GANModule.load_from_checkpoint(path, weights_only=False)
    assert GANModule.load_from_checkpoint(path, "cpu", weights_only=True)


def test_scheduled_numbers_come_back(tmp_path):
    from lightning_gan.schedules import Linear

    gan = toys.gan(
        prior=create_prior("normal"), schedules={"prior.std": Linear(1.0, 0.1, kimg=0.016)}
    )
    run = toys.fit(tmp_path, gan, steps=6)
    run.save_checkpoint(tmp_path / "x.ckpt", weights_only=False)
    loaded = GANModule.load_from_checkpoint(tmp_path / "x.ckpt")
    assert loaded.prior.std == pytest.approx(0.1)
    assert torch.equal(loaded.sample(3, seed=0), gan.sample(3, seed=0))


def test_trust_imports_what_a_file_names(tmp_path, monkeypatch):
    (tmp_path / "trusted_module.py").write_text(
        "class Thing:\n    def __init__(self, a): self.a = a"
    )
    monkeypatch.syspath_prepend(tmp_path)
    thing = build({"class_path": "trusted_module.Thing", "init_args": {"a": 3}}, trust=True)
    assert thing.a == 3


def test_an_uninstalled_plugin_is_named_by_its_distribution():
    spec = {"class_path": "gone.Net", "init_args": {}, "distribution": "gan-gone", "version": "1.2"}
    with pytest.raises(PluginError, match="gone.Net from gan-gone 1.2, which is not installed"):
        build(spec, where="generator")


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        0.5,
        "text",
        [1, [2.0, None]],
        {"a": {"b": [1]}},
        torch.tanh,
        torch.nn.functional.softplus,
        torch.nn.LeakyReLU,
        partial(torch.nn.functional.leaky_relu, negative_slope=0.1),
        torch.optim.AdamW,
        partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=10),
        partial(InverseTimeDecay, decay=1e-8),
        (1, (2.0, [3])),
        {"import": "hello", "class_path": {"partial": ()}},
        torch.erf,
    ],
)
def test_values_survive_the_round_trip(value):
    restored = build(encode(value))
    if isinstance(value, partial):
        assert (restored.func, restored.keywords) == (value.func, value.keywords)
    else:
        assert restored == value


@pytest.mark.parametrize("value", [lambda x: x, torch.nn.ReLU(), object(), partial(print, 1)])
def test_other_values_are_unportable(value):
    assert set(encode(value)) == {"unportable"}
    assert not is_portable(encode({"a": [(1, value)]}))
    assert is_portable(encode({"a": [(1, "unportable", torch.tanh)]}))


class Mode(str, Enum):
    FAST = "fast"


@pytest.mark.parametrize(
    ("value", "plain"),
    [(np.float64(0.5), 0.5), (np.int64(3), 3), (Mode.FAST, "fast"), (Path("a/b"), "a/b")],
)
def test_relatives_of_plain_values_are_saved_plain(value, plain):
    assert encode(value) == plain
    assert type(encode(value)) is type(plain)


def test_a_component_remembers_the_outermost_arguments():
    class Base(Generator):
        def __init__(self, latent_dim, **options):
            super().__init__()
            self.latent_dim, self.options = latent_dim, options

        def forward(self, z, y=None):
            return z

    class Derived(Base):
        def __init__(self, size=3, **options):
            super().__init__(latent_dim=size, **options)

    class Silent(Derived):
        pass

    assert Derived(5, extra=1).arguments() == {"size": 5, "extra": 1}
    assert Silent(size=2).arguments() == {"size": 2}

    class Net(torch.nn.Module):
        def __init__(self, width=1):
            super().__init__()
            self.width = width

    class Mixed(Net, Generator):  # whose constructor knows nothing of components
        def forward(self, z, y=None):
            return z

    class Extended(GANModule):
        def __init__(self, extra, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.extra = extra

    assert Mixed(width=9).arguments() == {"width": 9}
    options = {}
    extended = Extended(
        5, toys.generator(), toys.discriminator(), create_loss("minimax"), options, share_fakes=True
    )
    options["changed"] = 1
    names = ["extra", "generator", "discriminator", "loss", "regularizers", "share_fakes"]
    assert list(extended.arguments()) == names
    assert extended.arguments()["regularizers"] == {}
    with pytest.raises(TypeError, match="multiple values for keyword argument 'latent_dim'"):
        Derived(nonsense=1, size=1, latent_dim=2)


def test_a_subclass_loads_as_itself_and_not_as_another(tmp_path):
    run = toys.fit(tmp_path, toys.gan(), steps=1)
    run.save_checkpoint(tmp_path / "x.ckpt", weights_only=False)

    class Special(GANModule):
        pass

    with pytest.raises(InputError, match="holds a GANModule, not a Special"):
        Special.load_from_checkpoint(tmp_path / "x.ckpt")
