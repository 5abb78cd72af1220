"""Plugins are found by metadata, imported by name, and checked when they are."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from lightning_gan import PluginError
from lightning_gan.components import registry


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
        assert registry.names(kind), kind
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
    with pytest.raises(PluginError, match=r"unknown loss 'qqqq'. Available: minimax, non_sat"):
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
    from lightning_gan.components.spec import build

    folder = install("gan-re", "[lightning_gan.losses]\nre = plug_re:Loss")
    (folder / "plug_re_impl.py").write_text(textwrap.dedent(LOSS))
    (folder / "plug_re.py").write_text("from plug_re_impl import Loss")
    loss = registry.load("loss", "re")()
    spec = loss.spec()
    assert (spec["class_path"], spec["distribution"]) == ("plug_re.Loss", "gan-re")
    assert isinstance(build(spec), registry.load("loss", "re"))


def test_config_packages_begin_with_ours(install):
    install("gan-conf", "[lightning_gan.configs]\naaa = plug_conf")
    assert [entry.value for entry in registry.config_packages()] == [
        "lightning_gan.configs",
        "plug_conf",
    ]


def test_listing_needs_neither_torch_nor_any_plugin():
    code = (
        "import sys, lightning_gan\n"
        "from lightning_gan.components import registry\n"
        "assert all(registry.names(kind) for kind in registry.KINDS)\n"
        "assert lightning_gan.__version__\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
