"""Plugins are found by metadata, imported by name, and checked when they are."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import textwrap

import pytest
import torch

from lightning_gan import AdversarialLoss, Generator, InputError, PluginError
from lightning_gan.components import registry
from lightning_gan.components.locating import find_subclass
from lightning_gan.components.spec import build, encode


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that makes a distribution with one module and its entry points."""

    def make(distribution, entry_points, source="", module=None, version="1.0"):
        folder = tmp_path / distribution
        info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text(textwrap.dedent(entry_points))
        if module:
            (folder / f"{module}.py").write_text(textwrap.dedent(source))
        monkeypatch.syspath_prepend(folder)
        registry.clear_cache()
        return folder

    yield make
    for name in [name for name in sys.modules if name.startswith("plug_")]:
        del sys.modules[name]
    registry.clear_cache()


LOSS = """
    from lightning_gan import AdversarialLoss
    class Loss(AdversarialLoss):
        def discriminator(self, real_logits, fake_logits):
            return fake_logits - real_logits
        def generator(self, fake_logits, real_logits=None):
            return -fake_logits
"""


def test_every_component_of_ours_is_an_entry_point_that_loads():
    for kind in registry.KINDS:
        assert registry.names(kind) or kind == "optimizer", kind
        for entry in registry.entries(kind):
            if entry.ours:
                assert registry.load_entry(entry).__module__.startswith("lightning_gan.")


def test_a_plugin_is_found_and_loaded_by_its_short_name(install):
    install("gan-linear", "[lightning_gan.losses]\nlinear = plug_linear:Loss", LOSS, "plug_linear")
    assert "linear" in registry.names("loss")
    assert "plug_linear" not in sys.modules
    assert registry.load("loss", "linear").__name__ == "Loss"
    assert registry.load("loss", "gan-linear:linear").__name__ == "Loss"


def test_unknown_names_get_the_nearest_one():
    with pytest.raises(PluginError, match=r"unknown generator 'dcgam', did you mean 'dcgan'. A"):
        registry.load("generator", "dcgam")
    with pytest.raises(
        PluginError, match=r"unknown loss 'qqqq'. Available: boundary_equi.*, minimax, "
    ):
        registry.load("loss", "qqqq")
    with pytest.raises(PluginError, match="unknown loss 'lightning-gan:minmax', did you mean"):
        registry.load("loss", "lightning-gan:minmax")
    with pytest.raises(
        PluginError, match="unknown kind of component 'losses', did you mean 'loss'"
    ):
        registry.load("losses", "minimax")


def test_two_plugins_with_one_name_are_an_error_that_names_both(install):
    install("gan-a", "[lightning_gan.losses]\nsame = plug_a:Loss", LOSS, "plug_a")
    install("gan-b", "[lightning_gan.losses]\nsame = plug_b:Loss", LOSS, "plug_b")
    with pytest.raises(
        PluginError, match=r"ambiguous.*gan-a 1.0.*gan-b 1.0.*Write 'gan-a:same' or"
    ):
        registry.load("loss", "same")
    assert registry.load("loss", "gan-b:same").__module__ == "plug_b"


def test_ours_win_over_a_plugin_with_a_warning(install):
    install("gan-c", "[lightning_gan.losses]\nminimax = plug_c:Loss", LOSS, "plug_c")
    with pytest.warns(UserWarning, match="using ours. For the other write 'gan-c:minimax'"):
        assert registry.load("loss", "minimax").__name__ == "MinimaxLoss"
    assert registry.load("loss", "gan-c:minimax").__module__ == "plug_c"


def test_a_broken_plugin_harms_only_those_who_use_it(install):
    install(
        "gan-bad", "[lightning_gan.losses]\nbad = plug_bad:Loss", "import not_there", "plug_bad"
    )
    assert registry.load("loss", "minimax")
    message = r"loss 'bad' from gan-bad 1.0 \(plug_bad:Loss\) failed to import: ModuleNotFoundError"
    with pytest.raises(PluginError, match=message):
        registry.load("loss", "bad")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("Loss = 3", "is 3, expected a subclass of lightning_gan.AdversarialLoss"),
        ("class Loss: pass", "is class Loss, expected a subclass of lightning_gan.Adv"),
        ("from lightning_gan import Generator as Loss", "is class Generator, expected a subclass"),
        (
            """
            from lightning_gan import AdversarialLoss
            class Loss(AdversarialLoss):
                def generator(self, fake_logits, real_logits=None): ...
            """,
            r"does not define discriminator\(self, real_logits",
        ),
        (
            """
            from lightning_gan import AdversarialLoss
            class Loss(AdversarialLoss):
                def discriminator(self, real_logits, fake_logits): ...
                def generator(self, fake_logits): ...
            """,
            r"defines generator\(self, fake_logits\), expected generator\(self, fake_logits: ",
        ),
        ("x = 1", "failed to import: AttributeError"),
    ],
)
def test_a_loaded_object_is_checked(install, source, message):
    install("gan-odd", "[lightning_gan.losses]\nodd = plug_odd:Loss", source, "plug_odd")
    with pytest.raises(PluginError, match=message):
        registry.load("loss", "odd")


def test_keyword_only_parameters_are_checked(install):
    source = """
        from lightning_gan import Prior
        class P(Prior):
            def sample(self, n, latent_dim): ...
    """
    install("gan-prior", "[lightning_gan.priors]\np = plug_prior:P", source, "plug_prior")
    with pytest.raises(PluginError, match="expected sample"):
        registry.load("prior", "p")


def test_a_reexported_class_is_saved_under_its_entry_point(install):
    folder = install("gan-re", "[lightning_gan.losses]\nre = plug_re:Loss")
    (folder / "plug_re_impl.py").write_text(textwrap.dedent(LOSS))
    (folder / "plug_re.py").write_text("from plug_re_impl import Loss")
    loss = registry.load("loss", "re")()
    spec = loss.spec()
    assert (spec["class_path"], spec["distribution"]) == ("plug_re.Loss", "gan-re")
    assert isinstance(build(spec), registry.load("loss", "re"))


TWICE = """
    [lightning_gan.generators]
    wrong = plug_twice:Loss
    [lightning_gan.losses]
    right = plug_twice:Loss
    alias = lightning_gan.losses.minimax:MinimaxLoss
    [lightning_gan.augments]
    minimax = lightning_gan.losses.minimax:MinimaxLoss
    [lightning_gan.schedules]
    gone = plug_not_there:Schedule
"""


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("right", "plug_twice.Loss"),
        ("gan-twice:right", "plug_twice.Loss"),
        ("plug_twice.Loss", "plug_twice.Loss"),
        ("minimax", "lightning_gan.losses.minimax.MinimaxLoss"),
        ("lightning_gan.losses.minimax.MinimaxLoss", "lightning_gan.losses.minimax.MinimaxLoss"),
    ],
)
def test_of_a_class_under_two_kinds_what_was_typed_decides(install, name, found):
    install("gan-twice", TWICE, LOSS, "plug_twice")
    cls, path = find_subclass("model.loss", name, (AdversarialLoss,))
    assert path == found == f"{cls.__module__}.{cls.__name__}"


def test_the_wrong_of_two_entries_fails_where_it_is_typed(install):
    install("gan-twice", TWICE, LOSS, "plug_twice")
    with pytest.raises(PluginError, match="^model.generator: generator 'wrong' from gan-twice"):
        find_subclass("model.generator", "wrong", (Generator,))
    message = r"got lightning_gan\S+MinimaxLoss, an AdversarialLoss; expected a Generator \("
    with pytest.raises(InputError, match=message):
        find_subclass("model.generator", "lightning_gan.losses.minimax.MinimaxLoss", (Generator,))


def test_a_class_under_two_kinds_is_saved_and_rebuilt_as_what_it_is(install):
    install("gan-twice", TWICE, LOSS, "plug_twice")
    loss = registry.load("loss", "right")()
    spec = loss.spec()
    assert spec["distribution"] == "gan-twice"
    assert type(build(spec)) is type(loss)
    ours = registry.load("loss", "minimax")()
    assert ours.spec()["distribution"] == "lightning-gan"
    assert type(build(ours.spec())) is type(ours)


def test_an_optimizer_that_is_registered_as_something_else_too_is_still_one(install):
    wrong = TOOL_POINTS + "    [lightning_gan.losses]\n    odd = plug_tools:Optimizer\n"
    install("gan-tools", wrong, TOOLS, "plug_tools")
    spec = encode(functools.partial(registry.load("optimizer", "theirs"), slack=1.0))
    assert spec["distribution"] == "gan-tools"
    assert build(spec).func is registry.load("optimizer", "theirs")


def test_a_class_that_every_entry_registers_wrongly_fails_with_the_first_error(install):
    points = "[lightning_gan.augments]\na = plug_no:Loss\n[lightning_gan.priors]\np = plug_no:Loss"
    install("gan-no", points, "class Loss: pass", "plug_no")
    with pytest.raises(PluginError, match=r"augment 'a' .* expected a subclass of .*Augment"):
        build({"class_path": "plug_no.Loss", "init_args": {}})


def test_a_distribution_without_metadata_harms_nobody(install):
    folder = install("gan-bare", "[lightning_gan.losses]\nbare = plug_bare:Loss", LOSS, "plug_bare")
    (folder / "gan_bare-1.0.dist-info" / "METADATA").write_text("")
    registry.clear_cache()
    (entry,) = [e for e in registry.entries("loss") if e.name == "bare"]
    assert (entry.distribution, entry.version) == ("unknown", "0")
    assert registry.load("loss", "minimax")


TOOLS = """
    import torch

    class Optimizer(torch.optim.Adam):
        def __init__(self, params, lr=0.1, slack=0.0):
            super().__init__(params, lr=lr)
            self.slack = slack

    class Decay(torch.optim.lr_scheduler.LRScheduler):
        def __init__(self, optimizer, decay=0.5):
            self.decay = decay
            super().__init__(optimizer)

        def get_lr(self):
            return [rate * self.decay**self.last_epoch for rate in self.base_lrs]
"""
TOOL_POINTS = """
    [lightning_gan.optimizers]
    theirs = plug_tools:Optimizer
    [lightning_gan.lr_schedulers]
    decay = plug_tools:Decay
"""


def test_optimizers_and_schedulers_are_those_of_torch(install):
    install("gan-tools", TOOL_POINTS, TOOLS, "plug_tools")
    assert issubclass(registry.load("optimizer", "theirs"), torch.optim.Adam)
    assert registry.load("lr_scheduler", "decay").__name__ == "Decay"
    assert registry.load("lr_scheduler", "inverse_time_decay").__name__ == "InverseTimeDecay"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("class Odd: pass", "is class Odd, expected a subclass of torch.optim.Optimizer"),
        (
            "from torch.optim.lr_scheduler import LRScheduler as Odd",
            "is class LRScheduler, expected a subclass of torch.optim.Optimizer",
        ),
        (
            "import torch\nclass Odd(torch.optim.Optimizer): pass",
            r"optimizer 'odd' from gan-odd 1.0 \(plug_odd:Odd\) does not define step\(self",
        ),
        (
            "import torch\nclass Odd(torch.optim.Optimizer):\n    def step(self): pass",
            r"defines step\(self\), expected step\(self, closure",
        ),
    ],
)
def test_a_loaded_optimizer_is_checked(install, source, message):
    install("gan-odd", "[lightning_gan.optimizers]\nodd = plug_odd:Odd", source, "plug_odd")
    with pytest.raises(PluginError, match=message):
        registry.load("optimizer", "odd")


def test_every_optimizer_and_scheduler_of_torch_would_pass():
    for kind, module in (
        ("optimizer", torch.optim),
        ("lr_scheduler", torch.optim.lr_scheduler),
    ):
        base = registry.KINDS[kind].load_base()
        for name, cls in vars(module).items():
            # LBFGS has to be called with a closure, and nobody does.
            if (
                isinstance(cls, type)
                and issubclass(cls, base)
                and cls not in (base, torch.optim.LBFGS)
            ):
                registry.check_entry(registry.Entry(kind, name, "x:y", "gan-torch", "1.0"), cls)


GUIDES = """
    import torch
    from torch.optim.lr_scheduler import LRScheduler
    from lightning_gan.averages.base import Average
    from lightning_gan.balances.base import Balance
    from lightning_gan.schedules.base import Schedule

    class Follow(Average):
        def __init__(self, share=0.5):
            super().__init__()
            self.share = share

        @torch.no_grad()
        def update(self, averaged, source, images, batch):
            for ours, theirs in zip(averaged.parameters(), source.parameters()):
                ours.lerp_(theirs, self.share)

    class Steps(Schedule):
        def __init__(self, values):
            super().__init__()
            self.values = values

        def at(self, images):
            return self.values[min(images // 1000, len(self.values) - 1)]

    class Half(Balance):
        def __init__(self, names=()):
            super().__init__()
            self.names = names

        def weights(self, player, terms, step):
            return {name: 0.5 for name in self.names if name in terms}

    class Optimizer(torch.optim.SGD):
        pass

    class Decay(LRScheduler):
        def __init__(self, optimizer, decay=0.5):
            self.decay = decay
            super().__init__(optimizer)

        def get_lr(self):
            return [rate * self.decay**self.last_epoch for rate in self.base_lrs]
"""
GUIDE_POINTS = """
    [lightning_gan.averages]
    follow = plug_guides:Follow
    [lightning_gan.schedules]
    steps = plug_guides:Steps
    [lightning_gan.balances]
    half = plug_guides:Half
    [lightning_gan.optimizers]
    theirs = plug_guides:Optimizer
    [lightning_gan.lr_schedulers]
    decay = plug_guides:Decay
"""
REBUILD = """
import json, sys
from functools import partial
import torch
from lightning_gan.components import spec

assert "plug_guides" not in sys.modules
found = spec.build(json.loads(sys.argv[1]))
import plug_guides

assert type(found["ema"]) is plug_guides.Follow and found["ema"].share == 0.25
assert found["schedules"]["loss.weight"].at(1500) == 2.0
assert found["balance"].names == ("adversarial",)
made = found["optimizer"]
assert isinstance(made, partial) and made.func is plug_guides.Optimizer
optimizer = made([torch.nn.Parameter(torch.ones(1))])
assert optimizer.param_groups[0]["lr"] == 0.5
assert found["bare"] is plug_guides.Optimizer
assert found["lr_scheduler"](optimizer).decay == 0.125
assert found["ours"].func.__name__ == "InverseTimeDecay"
"""


def guides():
    """The spec of what an installed plugin's average, schedule, balance and optimizers make."""
    average, schedule = registry.load("average", "follow"), registry.load("schedule", "steps")
    balance, optimizer = registry.load("balance", "half"), registry.load("optimizer", "theirs")
    scheduler = registry.load("lr_scheduler", "decay")
    ours = registry.load("lr_scheduler", "inverse_time_decay")
    return encode(
        {
            "ema": average(share=0.25),
            "schedules": {"loss.weight": schedule(values=[1.0, 2.0])},
            "balance": balance(names=("adversarial",)),
            "optimizer": functools.partial(optimizer, lr=0.5),
            "bare": optimizer,
            "lr_scheduler": functools.partial(scheduler, decay=0.125),
            "ours": functools.partial(ours, decay=0.1),
        }
    )


@pytest.mark.slow
def test_what_an_installed_plugin_registers_is_rebuilt_in_a_fresh_process(install):
    folder = install("gan-guides", GUIDE_POINTS, GUIDES, "plug_guides")
    text = json.dumps(guides())
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", REBUILD, text], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_what_a_plugin_registered_that_is_not_installed_any_more_is_named(install):
    folder = install("gan-guides", GUIDE_POINTS, GUIDES, "plug_guides")
    spec = guides()["dict"]
    shutil.rmtree(next(folder.glob("*.dist-info")))
    registry.clear_cache()
    del sys.modules["plug_guides"]
    for key in ("ema", "balance", "optimizer", "bare", "lr_scheduler"):
        with pytest.raises(PluginError, match=r"from gan-guides 1.0, .* Try: pip install gan-gui"):
            build(spec[key])


def test_an_optimizer_that_nobody_registered_is_not_imported(install):
    install("gan-none", "", TOOLS, "plug_none")
    for node in ({"partial": "plug_none.Optimizer", "keywords": {}}, {"import": "plug_none.Decay"}):
        with pytest.raises(
            PluginError, match="neither a registered optimizer or scheduler nor one"
        ):
            build(node)
    assert "plug_none" not in sys.modules


def test_a_reexported_optimizer_is_saved_under_its_entry_point(install):
    folder = install("gan-re", "[lightning_gan.optimizers]\nre = plug_re:Optimizer")
    (folder / "plug_re_impl.py").write_text(textwrap.dedent(TOOLS))
    (folder / "plug_re.py").write_text("from plug_re_impl import Optimizer")
    found = encode(functools.partial(registry.load("optimizer", "re"), lr=1.0))
    assert (found["partial"], found["distribution"]) == ("plug_re.Optimizer", "gan-re")


def test_config_packages_begin_with_ours(install):
    install("gan-conf", "[lightning_gan.configs]\naaa = plug_conf")
    first, *others = [entry.value for entry in registry.config_packages()]
    assert first == "lightning_gan.configs"
    assert "plug_conf" in others  # beside those of plugins that are installed here


def test_listing_needs_neither_torch_nor_any_plugin():
    code = (
        "import sys, lightning_gan\n"
        "from lightning_gan.components import registry\n"
        "assert all(registry.names(kind) or kind == 'optimizer' for kind in registry.KINDS)\n"
        "assert lightning_gan.__version__\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
