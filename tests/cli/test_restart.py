"""Health, evaluation and export as settings of the command; and runs that begin again."""

import json
import re

import pytest
import torch
import yaml
from pytorch_lightning import Callback
from pytorch_lightning.callbacks import ModelCheckpoint

from lightning_gan.callbacks.generator_export import GeneratorExport
from lightning_gan.callbacks.health.monitor import HealthMonitor
from lightning_gan.cli.arguments import read_words
from lightning_gan.cli.settings import compose, options
from lightning_gan.cli.settings.resolve import ON_REQUEST, resolve
from lightning_gan.cli.trainer.run import UNHEALTHY, Run
from lightning_gan.export import load_generator
from lightning_gan.files.claims import NumberedFolders
from lightning_gan.losses.non_saturating import NonSaturatingLoss

BAD = (  # a generator that explodes
    "model.generator_optimizer=SGD model.generator_optimizer.lr=1e38 regularizers=[] "
    "health.every_n_steps=1 trainer.log_every_n_steps=1"
)


def found(folder):
    return [
        json.loads(line)["finding"] for line in (folder / "health.jsonl").read_text().splitlines()
    ]


def seed(folder):
    return yaml.safe_load((folder / "config.yaml").read_text())["seed_everything"]


# Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", sorted({*ON_REQUEST} - {"best"}))  # which needs a score
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (".every_n_steps=7", {"every_n_steps": 7}),
        (".init_args.every_n_steps=7", {"every_n_steps": 7}),
        ("={}", {}),
        ("=true", {}),
        ("=null", None),
        ("=false", None),
    ],
)
def test_both_grammars_switch_on_what_is_off(key, value, expected):
    words = [f"{key}{value}"]
    given = read_words(["fit", f"--{key}{value}"]).options
    for settings in (compose.settings(words), options.settings_of_options(given)):
        node = resolve(settings)[key]
        assert (node and node["init_args"]) == expected


def test_what_is_on_unless_it_is_switched_off():
    settings = compose.settings([])
    assert resolve(settings)["health"]["init_args"] == {"every_n_steps": 200}
    assert resolve(compose.settings(["health=false"]))["health"] is None
    without = {k: v for k, v in settings.items() if k not in ("health", *ON_REQUEST)}
    made = resolve(without)  # a file from before there were these settings
    assert made["health"]["init_args"] == {}
    assert made["evaluation"] is made["export"] is made["best"] is None


def test_a_file_switches_on_what_is_off(command, small, tmp_path):
    (tmp_path / "part.yaml").write_text("export:\n  every_n_epochs: 2\nhealth: null\n")
    printed = yaml.safe_load(command("fit --config part.yaml --print_config").out)
    assert printed["export"]["init_args"]["every_n_epochs"] == 2
    assert printed["health"] is None
    assert printed["evaluation"] is None


class Evaluate(Callback):
    """Publishes a score at every step, as an evaluation does."""

    def on_train_batch_end(self, trainer, pl_module, *batch):
        scores = [5.0, 3.0, 1.0, 4.0]
        pl_module.log("val/fid", scores[trainer.global_step - 1])


def test_checkpoints_are_ranked_by_what_was_evaluated_at_the_same_step(command, small, tmp_path):
    evaluate = f"evaluation.class_path={__name__}.Evaluate"
    monitored = "checkpoint.monitor=val/fid checkpoint.every_n_train_steps=1"
    result = command(f"fit {small} trainer.max_steps=4 {evaluate} {monitored}")
    assert result.code == 0, result.err
    folder = tmp_path / "runs" / "version_0" / "checkpoints"
    assert sorted(path.name for path in folder.iterdir()) == ["last.ckpt", "step_0000003.ckpt"]


def test_callbacks_act_in_order(small):
    words = [*small.split(), "export.every_n_steps=1", "samples=true"]
    callbacks = Run(resolve(compose.settings(words)), "fit", NumberedFolders()).trainer.callbacks
    kinds = [type(callback) for callback in callbacks]
    assert kinds.index(HealthMonitor) < kinds.index(GeneratorExport)
    assert callbacks[kinds.index(HealthMonitor)].module_key == "model."
    assert issubclass(kinds[-1], ModelCheckpoint)


def test_generators_of_a_run(command, small, tmp_path):
    assert command(f"fit {small} export.every_n_epochs=1 trainer.max_steps=5").code == 0
    folder = tmp_path / "runs" / "version_0" / "generators"
    assert sorted(p.name for p in folder.iterdir()) == [f"step-{n:08d}" for n in (2, 4, 5)]
    generator = load_generator(folder / "step-00000005")
    assert generator(torch.zeros(2, generator.latent_dim)).shape == (2, 1, 8, 8)


# Runs that fail -------------------------------------------------------------------------------


def test_a_warning_lets_the_run_end(command, small, tmp_path):
    result = command(f"fit {small} {BAD} trainer.max_steps=3")
    assert result.code == 0
    assert found(tmp_path / "runs" / "version_0") == ["not_finite"]


def test_a_stopped_run_has_its_summary_and_checkpoint(command, small, tmp_path):
    result = command(f"fit {small} {BAD} health.on_finding=stop trainer.max_steps=50")
    assert result.code == UNHEALTHY == 3
    assert "Training ends here." in result.out
    assert "last checkpoint" in result.out
    checkpoint = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    assert torch.load(checkpoint, weights_only=True)["global_step"] < 50
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["version_0"]


def test_a_failed_run_begins_again_with_other_seeds(command, small, tmp_path):
    restart = "health.on_finding=restart health.max_restarts=2 seed_everything=5"
    result = command(f"fit {small} {BAD} {restart} trainer.max_steps=50")
    assert result.code == UNHEALTHY
    assert "health: restart 1 of 2, with seed_everything=6\n" in result.out
    assert "health: restart 2 of 2, with seed_everything=7\n" in result.out
    runs = [tmp_path / "runs" / f"version_{number}" for number in range(3)]
    assert sorted((tmp_path / "runs").iterdir()) == runs
    assert [found(run) for run in runs] == [["not_finite"]] * 3
    assert [seed(run) for run in runs] == [5, 6, 7]


class Breaking(NonSaturatingLoss):
    """Has no finite loss from the third batch on."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def discriminator(self, real_logits, fake_logits):
        self.calls += 1
        return super().discriminator(real_logits, fake_logits) / (1 if self.calls < 3 else 0)


BREAKING = f"model.loss.class_path={__name__}.Breaking regularizers=[] trainer.log_every_n_steps=5"


def test_nothing_but_nan_ends_a_run_with_its_checkpoint(command, small, tmp_path):
    result = command(f"fit {small} {BREAKING} model.max_skipped=6 trainer.max_steps=50")
    assert result.code == UNHEALTHY
    path = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    (error,) = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert re.match(
        r"error: NaN or infinite losses or gradients: \d+ updates of the discriminator in a row "
        "were left out, and the weights are as before them; training ends at step 10 and the last "
        "checkpoint is ",
        error,
    )
    assert str(path.relative_to(tmp_path)) in error
    assert torch.load(path, weights_only=True)["global_step"] == 10


def test_a_run_of_nothing_but_nan_begins_again(command, small, tmp_path):
    restart = "health.on_finding=restart health.max_restarts=1"
    result = command(f"fit {small} {BREAKING} {restart} trainer.max_steps=50")
    assert result.code == UNHEALTHY
    assert "health: restart 1 of 1, with seed_everything=1\n" in result.out
    assert result.err.count("error: NaN or infinite") == 2


class FailOnce(HealthMonitor):
    """Finds the first of two runs unwell."""

    runs = 0

    def on_train_start(self, trainer, pl_module):
        super().on_train_start(trainer, pl_module)
        FailOnce.runs += 1

    def on_train_batch_end(self, trainer, pl_module, *batch):
        if FailOnce.runs == 1:
            self.ended_by = "mode_collapse"
            trainer.should_stop = True


def test_a_run_that_succeeds_is_the_last(command, small, tmp_path, monkeypatch):
    monkeypatch.setattr(FailOnce, "runs", 0)
    command(f"fit {small} trainer.max_steps=1 trainer.default_root_dir=before health=false")
    restart = f"health.class_path={__name__}.FailOnce health.on_finding=restart"
    start = "ckpt_path=before/version_0/checkpoints/last.ckpt"
    result = command(f"fit {small} {restart} {start} trainer.max_steps=5")
    assert result.code == 0, result.err
    assert FailOnce.runs == 2
    steps = [
        torch.load(tmp_path / f"runs/version_{n}/checkpoints/last.ckpt", weights_only=True)
        for n in range(2)
    ]
    assert [each["global_step"] for each in steps] == [2, 5]
    # The second began from nothing, not from the checkpoint of the first.
    assert steps[1]["state_dict"]["_extra_state"]["progress"]["batches"] == 5
    assert seed(tmp_path / "runs" / "version_1") == 1


@pytest.mark.parametrize("given", ["false", "true"])
def test_runs_without_a_given_seed(command, small, tmp_path, monkeypatch, given):
    monkeypatch.setattr(FailOnce, "runs", 0)
    restart = f"health.class_path={__name__}.FailOnce health.on_finding=restart"
    assert command(f"fit {small} {restart} seed_everything={given}").code == 0
    first, second = (seed(tmp_path / "runs" / f"version_{number}") for number in range(2))
    assert (first is second is False) if given == "false" else first != second


def test_restarting_is_no_matter_of_other_commands(command, small, tmp_path):
    assert command(f"fit {small}").code == 0
    words = "health.on_finding=restart trainer.logger=false"
    result = command(f"validate {small} {words} ckpt_path=last")
    assert result.code == 0, result.err
