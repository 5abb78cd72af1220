"""A stranger's file runs nothing: not as a checkpoint, an exported generator, a judge or a card."""

from __future__ import annotations

import json
import pickle
import sys
import zipfile
from pathlib import Path

import pytest
import torch
import toys

from lightning_gan import GANModule, InputError, PluginError
from lightning_gan.__main__ import main
from lightning_gan.cli.settings import options
from lightning_gan.components.spec import build, is_portable
from lightning_gan.evaluation import ScoreCard
from lightning_gan.export import export_generator, load_generator
from lightning_gan.metrics.cache import load_tensors
from lightning_gan.training.checkpoint import read_checkpoint

MARKER = "marker"


class Evil:
    """A pickle of this makes a file when it is loaded."""

    def __reduce__(self):
        return (open, (MARKER, "w"))


def evil_archive(path):
    torch.save({"lightning_gan": {}, "state_dict": {"x": Evil()}}, path)


def evil_pickle(path):
    path.write_bytes(pickle.dumps(Evil()))


def evil_legacy(path):
    torch.save({"x": Evil()}, path, _use_new_zipfile_serialization=False)


EVIL = [evil_archive, evil_pickle, evil_legacy]


@pytest.fixture(autouse=True)
def _no_marker(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path(MARKER).exists()


def refusal(function, *arguments):
    with pytest.raises(InputError) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_pickle_would_run(monkeypatch):
    """What the others rest on."""
    evil_pickle(Path("x"))
    pickle.loads(Path("x").read_bytes()).close()
    Path(MARKER).unlink()


@pytest.mark.parametrize("write", EVIL)
def test_a_pickle_as_checkpoint(write, tmp_path):
    path = tmp_path / "x.ckpt"
    write(path)
    wanted = (
        f"{path} holds Python objects besides tensors and plain values and is refused: loading it "
        "could run code"
        if write is evil_archive
        else f"{path} is not a checkpoint or is damaged"
    )
    assert refusal(read_checkpoint, path) == wanted
    assert refusal(GANModule.load_from_checkpoint, path) == wanted


@pytest.mark.parametrize("write", EVIL)
@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_a_pickle_given_to_the_command(command, write, tmp_path, capsys):
    write(tmp_path / "x.ckpt")
    assert main([command, f"ckpt_path={tmp_path}/x.ckpt"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: ckpt_path: {tmp_path}/x.ckpt ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("write", EVIL)
def test_a_pickle_given_to_evaluate(write, tmp_path, capsys):
    write(tmp_path / "x.ckpt")
    assert main(["evaluate", "x.ckpt", "data=random", "data.n=8"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: x.ckpt ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("write", EVIL)
def test_a_pickle_as_exported_generator(write, tmp_path):
    folder = export_generator(toys.gan(), tmp_path / "g")
    write(folder / "generator.safetensors")
    message = f"{folder}/generator.safetensors is damaged: "
    assert refusal(load_generator, folder).startswith(message)
    write(folder / "generator.json")
    assert refusal(load_generator, folder).startswith(f"{folder}/generator.json is damaged: ")


@pytest.mark.parametrize("write", EVIL)
def test_a_pickle_as_judge(write, tmp_path):
    write(tmp_path / "judge.safetensors")
    with pytest.raises(ValueError, match="is no file of the cache"):
        load_tensors(tmp_path / "judge.safetensors")


@pytest.mark.parametrize("write", EVIL)
def test_a_pickle_as_score_card_or_configuration(write, tmp_path):
    write(tmp_path / "a")
    assert refusal(ScoreCard.load, tmp_path / "a").startswith(f"{tmp_path}/a is not JSON")
    assert "is not valid YAML" in refusal(
        options.settings_of_options, [("config", f"{tmp_path}/a")]
    )


def test_lightning_itself_reads_no_code(tmp_path):
    """Of fit(ckpt_path=...) in Python, the states of callbacks and loops included."""
    gan = toys.gan()
    run = toys.fit(tmp_path, gan, steps=1)
    run.save_checkpoint(tmp_path / "x.ckpt", weights_only=False)
    content = torch.load(tmp_path / "x.ckpt", weights_only=True)
    for part in ("callbacks", "loops", "optimizer_states", "lr_schedulers", "hparams_name"):
        torch.save({**content, part: {"x": Evil()}}, tmp_path / "evil.ckpt")
        again = toys.trainer(tmp_path, max_steps=2)
        with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
            again.fit(toys.gan(), toys.loader(), ckpt_path=tmp_path / "evil.ckpt")


MLP = "lightning_gan.generators.mlp.MLPGenerator"
ARGUMENTS = {"sample_shape": [4], "latent_dim": 2}


@pytest.mark.parametrize(
    "path",
    [
        "lightning_gan.components.spec.os.system",
        "lightning_gan.components.spec.importlib.import_module",
        "lightning_gan.export.load_generator",
        "lightning_gan.generators.mlp.nn.Linear",
        "torch.optim.Adam.__init__",
        "torch.optim.lr_scheduler.types.FunctionType",
        "torch.optim.lr_scheduler.warnings.warn",
        "functools.partial",
        "builtins.eval",
        "builtins.open",
    ],
)
@pytest.mark.parametrize("depth", [0, 30])
def test_names_that_lead_elsewhere(path, depth):
    for node in (
        {"import": path},
        {"partial": path, "keywords": {}},
        {"class_path": path, "init_args": {}},
    ):
        inner = node
        for _ in range(depth):
            inner = {"dict": {"a": [inner]}} if depth < 10 else [inner]
        arguments = {**ARGUMENTS, "hidden": inner}
        modules = set(sys.modules)
        message = refusal(build, {"class_path": MLP, "init_args": arguments})
        assert f"names {path}, which is neither" in message
        assert "trust=True" in message
        assert set(sys.modules) == modules


@pytest.mark.parametrize(
    "path", ["torch.optim.Adam", "torch.optim.SGD", "torch.optim.lr_scheduler.StepLR"]
)
def test_optimizers_and_schedulers_of_torch_are_known(path):
    found = build({"partial": path, "keywords": {}}).func
    assert f"torch.optim.{found.__name__}" in (path, path.replace("lr_scheduler.", ""))


def laughs():
    item = [1, 2]
    for _ in range(30):
        item = [item, item]
    return item


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"class_path": "a b", "init_args": {}}, "x is damaged: 'a b' is no import path"),
        ({"import": "a\n\x1b[2J"}, r"x is damaged: 'a\n\x1b[2J' is no import path"),
        ({"unportable": "a\n\x1b[2J"}, "x could not be saved with the checkpoint (a ?[2J); pass"),
        (
            {
                "class_path": "a.B",
                "init_args": {},
                "distribution": "a --index-url b",
                "version": "",
            },
            "x is damaged: 'a --index-url b' is no distribution of a plugin",
        ),
        (
            {"class_path": "a.B", "init_args": {}, "distribution": "a", "version": "1; rm"},
            "x is damaged: '1; rm' is no version of a plugin",
        ),
        (laughs(), "x has more than 300,000 parts"),
        ({"y": laughs()}, "x is damaged: {'y': [[[["),
        ({"dict": {"a\n": 1, "b": {"c": 1}}}, "x.b is damaged"),
        ({"dict": {"a\nb": {"c": 1}}}, "x.a b is damaged"),
    ],
)
def test_nothing_of_a_file_is_repeated_that_could_mislead(spec, message):
    assert refusal(lambda: build(spec, where="x")).startswith(message)


def test_more_than_any_spec_has_is_no_reason_to_search_for_ever():
    assert is_portable(laughs())
    assert not is_portable([1, {"dict": {"a": {"unportable": "x"}}}])


def test_a_class_that_is_neither_registered_nor_imported(tmp_path, monkeypatch):
    (tmp_path / "evil_net.py").write_text(f"open({MARKER!r}, 'w').close()")
    monkeypatch.syspath_prepend(tmp_path)
    folder = export_generator(toys.gan(), tmp_path / "g")
    content = json.loads((folder / "generator.json").read_text())
    content["generator"] = {"class_path": "evil_net.Net", "init_args": {}}
    (folder / "generator.json").write_text(json.dumps(content))
    with pytest.raises(PluginError, match="generator names evil_net.Net, .* trust=True"):
        load_generator(folder)
    assert "evil_net" not in sys.modules


def test_an_archive_that_unpacks_to_more_than_it_is(tmp_path):
    path = tmp_path / "x.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(10**6))
    assert refusal(read_checkpoint, path) == f"{path} is not a checkpoint or is damaged"


@pytest.mark.parametrize("step", [None, "3", 2.5, torch.ones(1)])
def test_a_step_that_is_none(step, tmp_path):
    ours = {"format": 2, "version": "0", "spec": {}, "ranks": None}
    torch.save({"lightning_gan": ours, "state_dict": {}, "global_step": step}, tmp_path / "x")
    assert refusal(read_checkpoint, tmp_path / "x").endswith(
        "is damaged: what describes the GANModule is incomplete"
    )


DEEP = "[" * 100_000
CARD = '{"format": 1, "scores": %s, "details": {}, "protocol": %s, "checkpoint": {"step": %s}}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DEEP, "is not JSON or is damaged: evaluate the checkpoint again"),
        (CARD % ("{}", "{}", '"3"'), "is damaged: its parts are not what evaluate writes"),
        (CARD % ("{}", '{"a":' * 60 + "1" + "}" * 60, 3), "is damaged: its parts are not what"),
        (CARD % ('{"fid": 1%s}' % ("0" * 400), "{}", 3), "is damaged: a score is not a number"),
    ],
)
def test_score_cards_that_break_their_reader(text, message, tmp_path):
    (tmp_path / "a.json").write_text(text)
    assert refusal(ScoreCard.load, tmp_path / "a.json").startswith(f"{tmp_path}/a.json {message}")


def test_a_description_that_breaks_its_reader(tmp_path):
    (tmp_path / "generator.json").write_text(DEEP)
    assert refusal(load_generator, tmp_path).startswith(f"{tmp_path}/generator.json is damaged: ")


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"model:\n  {LAUGHS.replace(chr(10), chr(10) + '  ')}", "has more than 100,000 parts"),
        ("model: &a [*a]", "is nested more than 40 levels deep"),
        ("model: {seed: 2020-13-45}", "is not valid YAML: month must be in 1..12"),
        (f"model: {'[' * 20_000}", "is not valid YAML: it is nested too deep"),
        ("model: !!bool x", "is not valid YAML: a value does not fit its tag"),
        ("model: !!python/name:os.system", "is not valid YAML: could not determine a constructor"),
    ],
)
def test_configurations_that_break_their_reader(text, message, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    found = refusal(options.settings_of_options, [("config", str(path))])
    assert found.startswith(f"--config: {path} {message}")


def test_a_name_longer_than_files_have(tmp_path):
    path = tmp_path / ("a" * 300)
    assert refusal(read_checkpoint, path) == f"no checkpoint at {path}"
    assert refusal(ScoreCard.load, path).startswith(f"no score card at {path}")
    assert (
        refusal(options.settings_of_options, [("config", str(path))])
        == f"--config: no file at {path}"
    )
