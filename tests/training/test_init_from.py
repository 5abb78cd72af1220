"""Training that begins with somebody's weights: what is taken over, what is said of the rest."""

from __future__ import annotations

import json
import pickle

import pytest
import torch
import toys
from safetensors.torch import save_file
from torch import nn

from lightning_gan import (
    EMA,
    GANModule,
    Generator,
    InputError,
    create_discriminator,
    create_generator,
)
from lightning_gan.components.following import weights_follow
from lightning_gan.export import export_generator
from lightning_gan.game import inheriting
from lightning_gan.game.origins import origins_in


def with_average(**parts):
    return toys.gan(ema=EMA(half_life_kimg=0.01), **parts)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A trained GAN with an averaged generator, and its checkpoint."""
    folder = tmp_path_factory.mktemp("trained")
    torch.manual_seed(0)
    gan = with_average()
    path = folder / "a.ckpt"
    toys.fit(folder, gan, steps=3).save_checkpoint(path, weights_only=False)
    return gan, path


def networks(gan):
    """The weights of all networks."""
    found = {"g": gan.generator, "d": gan.discriminator}
    if gan.generator_ema is not None:
        found["average"] = gan.generator_ema
    return {f"{n}.{k}": w for n, net in found.items() for k, w in toys.weights(net).items()}


def kinds(table, network):
    found = next(each for each in table.networks if each.network == network)
    lists = (found.loaded, found.partly, found.another_shape, found.new, found.missing)
    return [len(each) for each in lists]


# What a checkpoint gives ------------------------------------------------------------------------


def test_a_checkpoint_gives_all_three_networks_and_no_counts(trained):
    old, path = trained
    gan = with_average()
    table = gan.init_from(path, strict=True)
    for name in ("generator", "discriminator", "generator_ema"):
        assert toys.same(toys.weights(getattr(gan, name)), toys.weights(getattr(old, name)))
    assert [kinds(table, each.network) for each in table.networks] == [[4, 0, 0, 0, 0]] * 3
    assert gan.progress.batches == gan.progress.images == 0
    assert str(table) == (
        "init_from a.ckpt: weights alone, as a beginning; optimizers and counts start anew\n"
        "network        loaded  in part  another shape  new  missing\n"
        "generator      4       0        0              0    0\n"
        "discriminator  4       0        0              0    0\n"
        "average        4       0        0              0    0"
    )


def test_the_averaged_generator_begins_with_the_files(trained, tmp_path):
    """And the first batch moves it from there, not from the trained generator."""
    old, path = trained
    gan = with_average()
    gan.init_from(path)
    average = toys.weights(gan.generator_ema)
    assert not toys.same(average, toys.weights(gan.generator))
    gan.begin_average()
    assert toys.same(average, toys.weights(gan.generator_ema))
    plain = toys.gan()
    plain.init_from(path, average=True)
    assert toys.same(toys.weights(plain.generator), average)
    assert toys.same(toys.weights(old.generator_ema), average)


def test_an_average_without_one_in_the_file_begins_with_the_generator(tmp_path):
    old, gan = toys.gan(), with_average()
    torch.save({"netG": old.generator.state_dict()}, tmp_path / "g.pth")
    table = gan.init_from(tmp_path / "g.pth")
    for network in (gan.generator, gan.generator_ema):
        assert toys.same(toys.weights(network), toys.weights(old.generator))
    assert kinds(table, "discriminator") == [0, 0, 0, 4, 0]
    assert "discriminator: nothing was loaded, it begins new" in str(table)


def test_one_network_alone(trained):
    old, path = trained
    gan = toys.gan()
    before = toys.weights(gan.generator)
    table = gan.init_from(path, only="discriminator", strict=True)
    assert [each.network for each in table.networks] == ["discriminator"]
    assert toys.same(toys.weights(gan.generator), before)
    assert toys.same(toys.weights(gan.discriminator), toys.weights(old.discriminator))


def test_a_training_begins_anew_and_keeps_table_and_origin(trained, tmp_path):
    gan = toys.gan()
    gan.init_from(trained[1])
    run = toys.fit(tmp_path, gan, steps=2)
    assert run.global_step == gan.progress.batches == 2
    kept = json.loads((tmp_path / "init_from.json").read_text())
    assert kept["networks"]["generator"]["counts"] == {
        **{"loaded": 4, "partly": 0, "another_shape": 0},
        **{"new": 0, "missing": 0},
    }
    assert kept["origin"]["name"] == "a.ckpt"
    assert kept["unused"]["count"] == 4  # the average, which this GAN has not
    run.save_checkpoint(tmp_path / "b.ckpt", weights_only=False)
    third = toys.gan()
    third.init_from(tmp_path / "b.ckpt")
    assert [each["name"] for each in third.origins] == ["b.ckpt", "a.ckpt"]
    assert GANModule.load_from_checkpoint(tmp_path / "b.ckpt").origins == gan.origins
    assert third.origins[1] == gan.origins[0] == kept["origin"]


# What does not fit ------------------------------------------------------------------------------


def test_classes_that_both_have_are_taken_over(tmp_path):
    old = toys.gan(
        generator=toys.generator(num_classes=4), discriminator=toys.discriminator(num_classes=4)
    )
    torch.save(old.state_dict(), tmp_path / "four.pt")
    gan = toys.gan(
        generator=toys.generator(num_classes=6), discriminator=toys.discriminator(num_classes=6)
    )
    new = toys.weights(gan.generator)
    table = gan.init_from(tmp_path / "four.pt")
    name = next(n for n, w in new.items() if w.shape[0] == 6)
    now = toys.weights(gan.generator)[name]
    assert torch.equal(now[:4], toys.weights(old.generator)[name])
    assert torch.equal(now[4:], new[name][4:])
    assert table.networks[0].partly == {name: "4 of 6 classes (the file has 4)"}
    assert kinds(table, "generator")[:3] == [len(new) - 1, 1, 0]
    assert f"generator, in part: {name}: 4 of 6 classes" in str(table)


def test_another_shape_begins_new_and_is_listed(trained):
    gan = toys.gan(discriminator=toys.discriminator(hidden=(6,)))
    before = toys.weights(gan.discriminator)
    table = gan.init_from(trained[1])
    assert kinds(table, "discriminator") == [1, 0, 3, 0, 0]
    after = toys.weights(gan.discriminator)
    assert torch.equal(after["layers.0.weight"], before["layers.0.weight"])
    assert "layers.0.weight: (8, 16) in the file, (6, 16) here; " in str(table)
    assert "begins new" in str(table)


def test_what_is_frozen_and_begins_new_is_told(trained):
    gan = toys.gan(discriminator=toys.discriminator(hidden=(8, 8)), freeze=["discriminator.layers"])
    table = gan.init_from(trained[1])
    assert table.frozen == ["discriminator.layers.2.weight", "discriminator.layers.2.bias"]
    assert "frozen by freeze, though they begin new: discriminator.layers.2.w" in str(table)


def test_missing_and_new_are_told_apart(trained):
    gan = toys.gan(discriminator=toys.discriminator(hidden=(8, 8)))
    found = gan.init_from(trained[1]).networks[1]
    assert found.new == ["layers.2.weight", "layers.2.bias"]
    smaller = toys.gan(generator=toys.generator(hidden=()))
    found = smaller.init_from(trained[1]).networks[0]
    assert found.missing == ["generator.layers.2.weight", "generator.layers.2.bias"]


def test_strict_asks_for_all_and_leaves_the_gan_as_it_was(trained):
    gan = toys.gan(discriminator=toys.discriminator(hidden=(6,)))
    before = networks(gan)
    with pytest.raises(InputError, match=r"init_from.strict: .*a.ckpt does not fit exactly: disc"):
        gan.init_from(trained[1], strict=True)
    assert toys.same(networks(gan), before)
    assert gan.origins == []


def test_nothing_loaded_is_an_error(tmp_path):
    torch.save({"encoder.weight": torch.zeros(2, 2)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"nothing of .*other.pt fits: its names are 'encoder.wei"):
        toys.gan().init_from(tmp_path / "other.pt")
    state = {"generator.layers.0.weight": torch.zeros(99, 99)}
    torch.save(state, tmp_path / "large.pt")
    with pytest.raises(InputError, match="nothing of"):
        toys.gan().init_from(tmp_path / "large.pt")


def test_weights_that_are_not_finite_are_refused(tmp_path):
    state = toys.generator().state_dict()
    state["layers.0.weight"][0, 0] = float("nan")
    torch.save(state, tmp_path / "nan.pt")
    with pytest.raises(InputError, match="layers.0.weight of the file holds NaN or infinity"):
        toys.gan().init_from(tmp_path / "nan.pt")


def test_a_gan_in_training_does_not_begin(trained, tmp_path):
    gan = toys.gan()
    toys.fit(tmp_path, gan, steps=1)
    with pytest.raises(InputError, match="begins a training, and this GAN has seen 1 batches"):
        gan.init_from(trained[1])


def test_digits_begin_with_a_network_for_larger_images(tmp_path):
    """Of 1x28x28, for 1x8x8: what has the same shape is taken over, and the rest is told."""

    def make(side):
        arguments = {"sample_shape": (1, side, side), "num_classes": 10, "base_channels": 4}
        return toys.gan(
            generator=create_generator("dcgan", **arguments),
            discriminator=create_discriminator("dcgan", **arguments),
        )

    old, gan = make(28), make(8)
    torch.save(old.state_dict(), tmp_path / "mnist.pt")
    table = gan.init_from(tmp_path / "mnist.pt")
    classes = [each.generator.classes.weight for each in (old, gan)]
    assert torch.equal(*classes)
    assert torch.equal(gan.discriminator.layers[0].weight, old.discriminator.layers[0].weight)
    for network, found in zip((gan.generator, gan.discriminator), table.networks, strict=True):
        names = [*found.loaded, *found.partly, *found.another_shape, *found.new]
        assert sorted(names) == sorted(network.state_dict())
    assert "project.weight: (392, 132) in the file, (64, 132) here" in str(table)
    labels = torch.arange(16) % 10
    data = toys.loader(toys.images(16, (1, 8, 8)), labels)
    toys.fit(tmp_path, gan, steps=2, data=data)
    assert gan.progress.batches == 2


# Names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("g", "d"),
    [
        ("generator.", "discriminator."),
        ("module.netG.", "module.netD."),
        ("netG.module.", "netD.module."),
        ("G._orig_mod.", "D._orig_mod."),
        ("state_dict.gan.generator.", "state_dict.gan.discriminator."),
        ("params_of_one.", "params_of_two."),
    ],
)
def test_what_stands_before_the_names_is_left_out(g, d, tmp_path):
    old, gan = toys.gan(), toys.gan()
    save_file(
        {
            **{g + name: value for name, value in old.generator.state_dict().items()},
            **{d + name: value for name, value in old.discriminator.state_dict().items()},
        },
        tmp_path / "all.safetensors",
    )
    gan.init_from(tmp_path / "all.safetensors", strict=True)
    assert toys.same(networks(gan), networks(old))


def test_a_dict_of_state_dicts(tmp_path):
    old, gan = with_average(), with_average()
    toys.fit(tmp_path, old, steps=1)
    saved = {"g": old.generator, "d": old.discriminator, "g_ema": old.generator_ema}
    content = {key: network.state_dict() for key, network in saved.items()}
    torch.save({**content, "iteration": 7, "args": [1]}, tmp_path / "loop.pt")
    gan.init_from(tmp_path / "loop.pt", strict=True)
    assert toys.same(networks(gan), networks(old))


class Wrapped(Generator):
    """Somebody's network in a component: all its names begin with ``net.``."""

    latent_dim, sample_shape, num_classes = 3, toys.SHAPE, None

    def __init__(self):
        super().__init__()
        self.net = toys.generator()

    def forward(self, z, y=None):
        return self.net(z)


def test_a_first_part_that_all_own_names_have_is_put_before(tmp_path):
    old, gan = toys.generator(), toys.gan(generator=Wrapped())
    torch.save(old.state_dict(), tmp_path / "bare.pt")
    gan.init_from(tmp_path / "bare.pt")
    assert toys.same(toys.weights(gan.generator.net), toys.weights(old))


def test_names_of_nobody_go_to_the_network_that_they_fit(tmp_path):
    old, gan = toys.discriminator(), toys.gan()
    before = toys.weights(gan.generator)
    torch.save(old.state_dict(), tmp_path / "bare.pt")
    gan.init_from(tmp_path / "bare.pt")
    assert toys.same(toys.weights(gan.discriminator), toys.weights(old))
    assert toys.same(toys.weights(gan.generator), before)


def test_names_that_fit_both_ask_whose_they_are(tmp_path):
    torch.save({"layers.0.bias": torch.zeros(8)}, tmp_path / "bare.pt")
    gan = toys.gan()
    with pytest.raises(InputError, match="do not say whose they are, and fit both networks; set"):
        gan.init_from(tmp_path / "bare.pt")
    gan.init_from(tmp_path / "bare.pt", only="discriminator")
    assert bool((gan.discriminator.layers[0].bias == 0).all())
    assert bool((gan.generator.layers[0].bias != 0).any())


def test_names_are_given_anew(tmp_path):
    old, gan = toys.generator(), toys.gan()
    state = old.state_dict()
    foreign = {
        name.replace("layers.0.", "fc_in.").replace("layers.2.", "fc_out."): value
        for name, value in state.items()
    }
    torch.save({"model": foreign}, tmp_path / "foreign.pt")
    rename = {
        "model.fc_in": "generator.layers.0",
        "model.fc_out": "generator.layers.2",
    }
    table = gan.init_from(tmp_path / "foreign.pt", rename=rename)
    assert kinds(table, "generator") == [4, 0, 0, 0, 0]
    assert toys.same(toys.weights(gan.generator), toys.weights(old))
    with pytest.raises(InputError, match="no name of the file begins with 'fc'; they begin with m"):
        gan.init_from(tmp_path / "foreign.pt", rename={"fc": "generator"})
    with pytest.raises(InputError, match="two names of the file become 'layers.bias'"):
        inheriting.renamed(
            {"a.bias": torch.zeros(1), "b.bias": torch.zeros(1)}, {"a": "layers", "b": "layers"}
        )


# Files ------------------------------------------------------------------------------------------


def test_an_exported_generator(trained, tmp_path):
    old, _ = trained
    folder = export_generator(old, tmp_path / "exported")
    gan = toys.gan()
    table = gan.init_from(folder)
    assert toys.same(toys.weights(gan.generator), toys.weights(old.generator_ema))
    assert gan.origins[0]["kind"] == "exported generator"
    assert kinds(table, "discriminator") == [0, 0, 0, 4, 0]


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


def test_files_that_are_none_are_refused_in_a_sentence(tmp_path, capsys):
    torch.save({"generator": Evil()}, tmp_path / "evil.pt")
    (tmp_path / "raw.pkl").write_bytes(pickle.dumps(Evil()))
    (tmp_path / "bad.safetensors").write_bytes(b"\xff" * 100)
    (tmp_path / "empty").mkdir()
    torch.save(
        {"lightning_gan": {"format": 99, "version": "9.9"}, "state_dict": {}}, tmp_path / "n"
    )
    torch.save({"steps": 3}, tmp_path / "none.pt")
    torch.save({"w": torch.eye(2).to_sparse()}, tmp_path / "sparse.pt")
    deep = torch.zeros(1)
    for _ in range(12):
        deep = {"x": deep}
    torch.save(deep, tmp_path / "deep.pt")
    for name, message in {
        "evil.pt": "holds Python objects besides tensors and plain values and is refused",
        "raw.pkl": "is not a checkpoint or is damaged",
        "bad.safetensors": "bad.safetensors is damaged: ",
        "empty": "is a folder without package.json or generator.safetensors; expected a check",
        "n": "was written by lightning-gan 9.9, which is newer",
        "none.pt": "none.pt holds no weights",
        "sparse.pt": "w of .* is a torch.sparse_coo tensor; weights are dense",
        "deep.pt": "is nested more than 10 levels deep",
        "evil.tp": "nothing is at .*did you mean '.*evil.pt'",
        "http://a/b.pt": "expected the path of a file or folder here",
    }.items():
        path = name if "://" in name else tmp_path / name
        with pytest.raises(InputError, match=message) as caught:
            toys.gan().init_from(path)
        assert "\n" not in str(caught.value)
    assert "code ran" not in capsys.readouterr().out


def test_a_chain_of_origins_is_read_as_one_or_not_at_all():
    one = {"name": "a\x1b[2J", "kind": "checkpoint", "sha256": "0" * 64, "more": "x"}
    state = {"origins": [one, {"name": "b"}, 3, {**one, "sha256": "no"}]}
    assert origins_in(state) == [{"name": "a?[2J", "kind": "checkpoint", "sha256": "0" * 64}]
    assert origins_in({"origins": 5}) == origins_in(None) == []
    assert len(origins_in({"origins": [one] * 99})) == 50


# Constructors that read weights -----------------------------------------------------------------


class Pretrained(Generator):
    """A generator that begins with weights from a file, unless others follow."""

    latent_dim, sample_shape, num_classes = 3, toys.SHAPE, None

    def __init__(self, file: str):
        super().__init__()
        self.net = nn.Linear(3, 16)
        if not weights_follow():
            self.net.load_state_dict(torch.load(file, weights_only=True))

    def forward(self, z, y=None):
        return self.net(z).tanh().view(-1, *toys.SHAPE)


def test_a_checkpoint_does_not_need_the_file_that_a_constructor_reads(tmp_path):
    file = tmp_path / "net.pt"
    torch.save(nn.Linear(3, 16).state_dict(), file)
    gan = toys.gan(generator=Pretrained(str(file)))
    run = toys.fit(tmp_path, gan, steps=1)
    run.save_checkpoint(tmp_path / "a.ckpt", weights_only=False)
    file.unlink()
    again = GANModule.load_from_checkpoint(tmp_path / "a.ckpt")
    assert toys.same(toys.weights(again.generator), toys.weights(gan.generator))
    assert not weights_follow()
    with pytest.raises(InputError, match=r"net\.pt"):  # where not all weights follow, it is read
        GANModule.load_from_checkpoint(tmp_path / "a.ckpt", strict=False)
