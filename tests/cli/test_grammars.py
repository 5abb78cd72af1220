"""Two grammars, one configuration."""

import pytest
import yaml

from lightning_gan.cli.arguments import read_words
from lightning_gan.cli.settings import compose, options, trees

pytestmark = pytest.mark.usefixtures("composed_once")


def hydra(line):
    return compose.settings(line.split())


def lightning(line):
    return options.settings_of_options(read_words(["fit", *line.split()]).options)


def model(settings):
    return settings["model"]


@pytest.mark.parametrize(
    ("words", "as_options"),
    [
        ("", "--seed_everything=0"),
        ("trainer.max_steps=7", "--trainer.max_steps=7"),
        ("trainer.max_steps=7", "--trainer.max_steps 7"),
        ("model.generator.latent_dim=5", "--model.generator.init_args.latent_dim=5"),
        ("model.generator.init_args.latent_dim=5", "--model.generator.latent_dim=5"),
        ("loss=minimax", "--model.loss=minimax"),
        ("loss=minimax", "--model.loss.class_path=minimax"),
        ("model.loss=minimax", "--model.loss lightning_gan.losses.minimax.MinimaxLoss"),
        ("loss=lightning-gan:minimax", "--model.loss=lightning-gan:minimax"),
        ("generator=mlp model.generator.hidden=[3]", "--model.generator=mlp "
         "--model.generator.hidden=[3]"),
        ("regularizers=[]", "--model.regularizers=[]"),
        ("regularizers=[r1]", "--model.regularizers=[r1]"),
        ("model.regularizers.r1.weight=3", "--model.regularizers.r1.weight=3"),
        ("model.generator_optimizer=SGD model.generator_optimizer.lr=1e-3",
         "--model.generator_optimizer=SGD --model.generator_optimizer.lr=1e-3"),
        ("trainer.callbacks=[EarlyStopping]", "--trainer.callbacks+=EarlyStopping"),
        ("++trainer.callbacks+=EarlyStopping", "--trainer.callbacks+=EarlyStopping"),
        ("samples=false", "--samples=false"),
        ("data=mnist data.root=here", "--data=mnist --data.root=here"),
    ],
)  # fmt: skip
def test_the_same_settings(words, as_options):
    result = lightning(as_options)
    if "data=mnist" in words:  # an experiment's batch size belongs to its own data
        assert result["data"] == hydra(words)["data"]
    if words == "regularizers=[]":
        assert result["model"]["regularizers"] in ({}, [])
        result["model"]["regularizers"] = {}
    assert result == hydra(words)


def test_the_printed_configuration_is_the_same(command):
    words = command(
        "fit loss=minimax trainer.max_steps=7 model.ema.half_life_kimg=2 --print_config"
    )
    as_options = command(
        "--print_config fit --model.loss=minimax --trainer.max_steps=7 --model.ema.half_life_kimg 2"
    )
    assert words.code == as_options.code == 0
    assert words.out == as_options.out


def test_what_is_printed_can_be_read_again(command, tmp_path):
    printed = command("fit generator=mlp regularizers=[] samples=false --print_config").out
    (tmp_path / "run.yaml").write_text(printed)
    assert command("fit --config run.yaml --print_config").out == printed
    changed = command("fit --config run.yaml --trainer.max_steps=3 --print_config").out
    assert yaml.safe_load(changed)["trainer"]["max_steps"] == 3
    assert yaml.safe_load(changed)["samples"] is None


def test_what_the_data_decide_is_not_printed(command):
    config = yaml.safe_load(command("fit generator=mlp --print_config").out)
    assert "sample_shape" not in config["model"]["init_args"]["generator"]["init_args"]
    said = command("fit model.generator.sample_shape=[1,8,8] --print_config").out
    generator = yaml.safe_load(said)["model"]["init_args"]["generator"]
    assert generator["init_args"]["sample_shape"] == [1, 8, 8]


def test_files_are_merged_in_order(command, tmp_path):
    (tmp_path / "a.yaml").write_text(
        "data: random\nmodel:\n  generator: {class_path: mlp, init_args: {latent_dim: 3}}\n"
        "  discriminator: mlp\n  loss: {class_path: non_saturating, real_target: 0.9}\n"
        "  generator_optimizer: {class_path: Adam, lr: 1e-3, betas: [0, 0.9]}\n"
    )
    (tmp_path / "b.yaml").write_text(
        "model:\n  generator:\n    hidden: [4]\n  loss: minimax\ntrainer:\n  max_steps: 1\n"
    )
    result = command("fit -c a.yaml --config b.yaml --print_config")
    made = yaml.safe_load(result.out)
    parts = made["model"]["init_args"]
    assert parts["generator"]["init_args"]["latent_dim"] == 3
    assert parts["generator"]["init_args"]["hidden"] == [4]
    assert parts["loss"] == {"class_path": "lightning_gan.losses.minimax.MinimaxLoss"}
    assert parts["generator_optimizer"]["init_args"]["lr"] == 1e-3
    assert parts["generator_optimizer"]["init_args"]["betas"] == [0.0, 0.9]
    assert made["data"]["class_path"] == "lightning_gan.data.RandomImages"
    assert made["trainer"]["default_root_dir"] == "runs"


def test_another_choice_comes_with_its_own_defaults():
    assert model(hydra(""))["generator"]["latent_dim"]  # the experiment says something
    mlp = model(hydra("generator=mlp"))["generator"]
    assert mlp == {"class_path": "lightning_gan.generators.mlp.MLPGenerator"}
    assert hydra("generator=dcgan") == hydra("")
    assert model(hydra("regularizers=[]"))["regularizers"] == {}
    rmsprop = model(hydra("optimizer=rmsprop"))["generator_optimizer"]
    assert rmsprop == {"class_path": "torch.optim.RMSprop", "lr": 5e-5}


def test_an_interpolation_sees_what_is_overridden():
    scheduler = "model.generator_lr_scheduler"
    settings = hydra(
        f"trainer.max_steps=123 {scheduler}=LinearLR {scheduler}.total_iters=${{trainer.max_steps}}"
    )
    assert model(settings)["generator_lr_scheduler"] == {
        "class_path": "LinearLR",
        "total_iters": 123,
    }


def test_without_the_experiment():
    assert hydra("experiment=null") == hydra("~experiment")
    assert "ema" not in model(hydra("~experiment"))


def test_values_with_an_equals_sign_need_no_quotes():
    assert hydra("ckpt_path=runs/epoch=0-step=4.ckpt")["ckpt_path"] == "runs/epoch=0-step=4.ckpt"


def test_a_setting_can_be_removed():
    assert "ema" not in model(hydra("~model.ema"))


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("a.b", 1, {"a": {"b": 1}}),
        ("list.0.x", 1, {"list": [{"class_path": "P", "x": 1}, {"class_path": "Q"}]}),
        ("list.x", 1, {"list": [{"class_path": "P"}, {"class_path": "Q", "x": 1}]}),
    ],
)
def test_assign(path, value, expected):
    settings = {"list": ["P", "Q"]} if path.startswith("list") else {}
    expected_items = expected.get("list")
    result = trees.assign(settings, path, value)
    if expected_items:
        changed = 0 if path == "list.0.x" else 1
        assert result["list"][changed] == expected_items[changed]
        assert result["list"][1 - changed] == settings["list"][1 - changed]
    else:
        assert result == expected


def test_assign_to_a_class():
    settings = {"net": {"class_path": "P", "x": 1}}
    same = trees.assign(settings, "net", {"class_path": "P", "y": 2})
    assert same == {"net": {"class_path": "P", "x": 1, "y": 2}}
    assert trees.assign(settings, "net", {"class_path": "Q"}) == {"net": {"class_path": "Q"}}
    assert trees.assign(settings, "net.class_path", "Q") == {"net": {"class_path": "Q"}}


def test_shorten_prefers_what_stands_beside_the_class():
    long = {
        "class_path": "P",
        "init_args": {"x": 1, "y": {"class_path": "Q", "init_args": {}}},
        "x": 2,
    }
    assert trees.shorten(long) == {"class_path": "P", "x": 2, "y": {"class_path": "Q"}}
