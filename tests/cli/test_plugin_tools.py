"""plugins check, new, doctor and schema: what they write, run and refuse."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from PIL import Image

from lightning_gan import API_VERSION
from lightning_gan.cli.plugins.scaffold import files_of
from lightning_gan.cli.plugins.schema import configuration_schema
from lightning_gan.components import registry
from lightning_gan.errors import InputError

ROOT = Path(__file__).parents[2]
GROUP, API = "lightning_gan.losses", "lightning_gan.api"
SOURCE = files_of("zz-hinge", registry.kind("loss"))["zz_hinge/zz_hinge.py"]
GOOD = {GROUP: ["theirs = their_loss:ZzHingeLoss"], API: [f"{API_VERSION} = their_loss"]}


def test_check_of_a_distribution(command, install):
    install("gan-good", GOOD, {"their_loss.py": SOURCE})
    done = command("plugins check gan-good")
    assert done.code == 0
    title, header, row, *notes = done.out.splitlines()
    assert title == "gan-good 1.0"
    assert header.split() == ["kind", "name", "metadata", "loads", "contract"]
    assert row.split() == ["loss", "theirs", "ok", "ok", "ok"]
    assert notes == [
        'note: it does not depend on us; add dependencies = ["lightning-gan"] to pyproject.toml'
    ]
    assert command("plugins check theirs").out == done.out
    assert command("plugins check Gan_Good").out == done.out


def test_check_of_one_that_has_experiments_alone(command, install):
    folder = "only_configs/experiment"
    settings = "# @package _global_\n# Theirs.\nmodel:\n  loss:\n    class_path: {0}\n"
    files = {
        "only_configs/__init__.py": "",
        f"{folder}/theirs_good.yaml": settings.format("hinge"),
        f"{folder}/theirs_bad.yaml": settings.format("hinges"),
        f"{folder}/theirs_own.yaml": "# @package _global_\ndefaults:\n  - override /data: folder\n",
    }
    install("gan-only", {"lightning_gan.configs": ["only = only_configs"]}, files)
    done = command("plugins check gan-only")
    assert done.code == 1
    rows = [line.split() for line in done.out.splitlines()[2:5]]
    assert rows == [
        ["experiment", "theirs_bad", "-", "wrong", "-"],
        ["experiment", "theirs_good", "-", "ok", "-"],
        ["experiment", "theirs_own", "-", "needs", "data.root", "-"],
    ]
    assert "wrong: experiment theirs_own" not in done.out
    assert "wrong: experiment theirs_bad: model.loss: unknown loss 'hinges', did you" in done.out


def test_check_finds_what_breaks_the_contract(command, install):
    broken = SOURCE.replace("softplus(self.margin - fake_logits)", "fake_logits.mean()")
    install("gan-mean", GOOD, {"their_loss.py": broken})
    done = command("plugins check gan-mean")
    assert done.code == 1
    assert done.out.splitlines()[2].split() == ["loss", "theirs", "ok", "ok", "wrong"]
    assert "wrong: loss theirs: ZzHingeLoss: the generator's half must be" in done.out


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (
            {**GOOD, "lightning_gan.loss": ["x = their_loss:Gone"]},
            "the entry point x is in the group lightning_gan.loss, which nobody reads, did you "
            "mean 'lightning_gan.losses'?",
        ),
        (
            {GROUP: ["the-irs = their_loss:Gone"]},
            "loss the-irs: the name 'the-irs' cannot be typed; use letters, digits and underscores",
        ),
        ({GROUP: ["theirs = their_loss"]}, "loss theirs: 'their_loss' names no class; write MODU"),
        ({GROUP: ["hinge = their_loss:Gone"]}, "loss hinge: lightning-gan has this name, too"),
        ({GROUP: ["theirs = nowhere:Gone"]}, "loss theirs: half installed: there is no module no"),
        ({**GOOD, API: ["0 = their_loss"]}, "loss theirs: outdated: written for version 0 of the"),
    ],
)
def test_check_reads_metadata_before_it_imports(points, said, command, install):
    install("gan-bad", points, {"their_loss.py": "raise RuntimeError('imported')"})
    done = command("plugins check gan-bad")
    assert done.code == 1
    assert f"wrong: {said}" in done.out
    assert "their_loss" not in sys.modules


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("check", "expected: lightning-gan plugins check NAME or DISTRIBUTION"),
        ("check gan-nowhere", "there is no component and no distribution 'gan-nowhere'"),
        ("check hinje", "unknown component 'hinje', did you mean 'hinge'?"),
        ("check hinge --fast", "plugins check: unknown option '--fast'. Options: none"),
        ("doctor gan-nowhere", "there is no component and no distribution 'gan-nowhere'"),
        ("doctor lightning-gan --tests nowhere", "--tests: there is nothing at nowhere"),
        ("new my-gan", "plugins new: --kind is missing; expected: plugins new NAME --kind gene"),
        ("new my-gan --kind", "plugins new: --kind needs a value: --kind KIND"),
        ("new my-gan --kind los", "unknown kind of component 'los', did you mean 'loss'?"),
        ("new json --kind loss", "plugins new: the module json is there already; choose another"),
        ("new -- --kind loss", "plugins new: unknown option '--'"),
        ("new 1st --kind loss", "plugins new: '1st' is no name of a distribution; expected let"),
        ("schema here", "expected: lightning-gan plugins schema [--out FILE]"),
        (
            "lst",
            "expected: lightning-gan plugins list, show, check, new, doctor, schema, got 'lst'",
        ),
    ],
)
def test_wrong_words(words, said, command):
    done = command(f"plugins {words}")
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith(said)


def test_nothing_that_is_there_is_written_over(command, tmp_path):
    (tmp_path / "my-gan").mkdir()
    (tmp_path / "my-gan" / "notes.txt").write_text("mine")
    done = command("plugins new my-gan --kind loss")
    assert (done.code, done.error) == (
        2,
        "my-gan exists already; choose another name, or --out FOLDER",
    )
    assert [path.name for path in (tmp_path / "my-gan").iterdir()] == ["notes.txt"]
    assert command("plugins new my-gan --kind loss --out other").code == 0
    assert (tmp_path / "other" / "my_gan" / "my_gan.py").is_file()
    (tmp_path / "schema.json").write_text("mine")
    done = command("plugins schema --out schema.json")
    assert (done.code, done.error) == (2, "--out: schema.json exists already; choose another name")
    assert (tmp_path / "schema.json").read_text() == "mine"


@pytest.mark.slow
def test_a_new_one_of_every_kind_installs_and_passes_as_written(tmp_path, command):
    names = {kind: f"zz-{kind.replace('_', '-')}" for kind in registry.KINDS}
    for kind, name in names.items():
        assert command(f"plugins new {name} --kind {kind}").code == 0
    site = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "install"]
    options = ["--no-deps", "--no-build-isolation", "--target", str(site)]
    subprocess.run([*pip, *options, *(f"./{name}" for name in names.values())], check=True)
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    options = [f"--lightning-gan-plugin={name}" for name in names.values()]
    tests = [f"{name}/tests" for name in names.values()]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", *options, *tests],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    done = subprocess.run(
        [sys.executable, "-m", "lightning_gan", "plugins", "doctor", "zz-loss"],
        env=environment,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert done.stdout.splitlines()[-1] == "zz-loss: all is well"
    assert "zz_loss" in sorted(path.name for path in site.iterdir())


def test_names_of_new_ones():
    files = files_of("My.Two-Words", registry.kind("loss"))
    assert list(files)[2:] == [
        "my_two_words/__init__.py",
        "my_two_words/my_two_words.py",
        "my_two_words/cases.py",
        "tests/test_my_two_words.py",
    ]
    assert "class MyTwoWordsLoss(AdversarialLoss):" in files["my_two_words/my_two_words.py"]
    short = files_of("steep-loss", registry.kind("loss"))
    assert 'steep = "steep_loss.steep:SteepLoss"' in short["pyproject.toml"]
    assert "lightning-gan fit loss=steep" in short["README.md"]
    with pytest.raises(InputError, match="the module class is there already"):
        files_of("class", registry.kind("loss"))


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(json.dumps(configuration_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


EXPERIMENTS = sorted(path.stem for path in (ROOT / "configs" / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_the_schema(name, command, validator):
    root = ""
    if name == "few_shot":  # of the user's own pictures
        Path("pictures").mkdir()
        for number in range(8):
            Image.new("L", (8, 8), number).save(f"pictures/{number}.png")
        root = "data.root=pictures"
    config = yaml.safe_load(command(f"fit experiment={name} {root} --print_config").out)
    validator.validate(config)


SHORT = {
    "data": {"class_path": "Digits", "batch_size": 8},
    "seed_everything": False,
    "model": {
        "generator": "dcgan",
        "discriminator": {"class_path": "dcgan", "base_channels": 8},
        "loss": {"class_path": "lightning-gan:hinge", "init_args": {}},
        "regularizers": {"r1": {"weight": 0.5}, "other": {"class_path": "their.Penalty", "a": 1}},
        "generator_optimizer": {"class_path": "Adam", "lr": 1e-3, "betas": [0.0, 0.9]},
        "ema": {"class_path": "EMA", "init_args": {"half_life_kimg": "${data.batch_size}"}},
        "schedules": {"generator_weight": {"class_path": "constant", "value": 1.0}},
    },
    "trainer": {"max_steps": 10, "callbacks": [{"class_path": "LearningRateMonitor"}]},
    "samples": {"every_n_steps": 5},
    "health": False,
    "ckpt_path": None,
}


def changed(path, value):
    config = json.loads(json.dumps(SHORT))
    node = config
    *keys, last = path.split(".")
    for key in keys:
        node = node.setdefault(key, {})
    node[last] = value
    return config


def test_the_short_form_has_the_schema(validator):
    validator.validate(SHORT)
    lists = changed("model.regularizers", ["r1", "wgan_gp"])
    validator.validate(lists)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("modle", {}),
        ("threads", "two"),
        ("seed_everything", "no"),
        ("data.batch_size", "eight"),
        ("data.batchsize", 8),
        ("model.discriminator.base_chanels", 8),
        ("model.discriminator.base_channels", 1.5),
        ("model.loss.init_args", {"margin": 2}),
        ("model.generator_optimizer.betas", [0.0]),
        ("model.generator_optimizer.learning_rate", 1e-3),
        ("model.ema.buffers", "none"),
        ("model.schedules.generator_weight.valeu", 1.0),
        ("model.regularizers.r1.class_path", 3),
        ("model.micro_batches", "all"),
        ("trainer.max_stepz", 10),
        ("samples.every_n_stepz", 5),
    ],
)
def test_what_is_wrong_has_not(path, value, validator):
    assert list(validator.iter_errors(changed(path, value)))


def test_a_plugin_is_in_the_schema(command, install, tmp_path):
    install("gan-good", GOOD, {"their_loss.py": SOURCE})
    assert command("plugins schema --out schema.json").code == 0
    schema = json.loads((tmp_path / "schema.json").read_text())
    valid = jsonschema.Draft202012Validator(schema).is_valid
    assert valid({"model": {"loss": {"class_path": "theirs", "margin": 1.0}}})
    assert not valid({"model": {"loss": {"class_path": "gan-good:theirs", "margin": "wide"}}})
