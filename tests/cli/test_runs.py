"""What a run of the command leaves behind, and what it can be given again."""

import functools
import sys
from pathlib import Path

import forked
import pytest
import torch
import yaml
from pytorch_lightning import LightningDataModule
from pytorch_lightning.loggers.logger import DummyLogger
from torch.utils.data import TensorDataset

from lightning_gan import GANModule, Generator, InputError
from lightning_gan.cli.settings import compose
from lightning_gan.cli.settings.resolve import resolve
from lightning_gan.cli.trainer import launching, sweep
from lightning_gan.cli.trainer.run import Run
from lightning_gan.files.claims import NumberedFolders


class Painted(LightningDataModule):
    """Pictures of three channels with sketches of two as condition."""

    sample_shape, num_classes, condition_channels = (3, 8, 8), None, 2

    def train_dataloader(self):
        pairs = torch.utils.data.TensorDataset(
            torch.zeros(4, 3, 8, 8) - 0.5, torch.zeros(4, 2, 8, 8)
        )
        return torch.utils.data.DataLoader(pairs, batch_size=2)


class Plain(LightningDataModule):
    """A data module that tells nothing about its samples."""

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.zeros(4, 1, 2, 2) - 0.5, batch_size=2)


def weights(path):
    state = torch.load(path, weights_only=True)["state_dict"]
    return {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}


def test_the_whole_chain(command, small, tmp_path):
    """Fit, resume from the saved configuration, measure, predict: each in a folder of its own."""
    loud = small.replace("samples=false", "samples.rows=1").replace(" curves=false", "")
    assert command(f"fit {loud}").code == 0
    first = tmp_path / "runs" / "version_0"
    for left in ("config.yaml", "metrics.csv", "losses.png", "samples/grid-00000002.png"):
        assert (first / left).is_file(), left
    assert [path.name for path in (first / "checkpoints").iterdir()] == ["last.ckpt"]
    assert len(list(first.glob("events.out.tfevents*"))) == 1
    before = (first / "config.yaml").read_bytes()

    config, last = f"--config {first / 'config.yaml'}", f"--ckpt_path {first}/checkpoints/last.ckpt"
    assert command(f"fit {config} {last} --trainer.max_steps=5").code == 0
    second = tmp_path / "runs" / "version_1" / "checkpoints" / "last.ckpt"
    assert torch.load(second, weights_only=True)["global_step"] == 5
    assert command(f"validate {config} --ckpt_path=last").code == 0
    assert command(f"test {config} {last}").code == 0
    result = command(f"predict {config} {last}")
    assert result.code == 0
    assert len(list((tmp_path / "runs" / "version_4" / "predictions").glob("*.png"))) == 8
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        f"version_{number}" for number in range(5)
    ]
    assert (first / "config.yaml").read_bytes() == before


def test_the_saved_configuration_says_everything(command, small, tmp_path):
    command(f"fit {small}")
    text = (tmp_path / "runs" / "version_0" / "config.yaml").read_text()
    assert text == command(f"fit {small} --print_config").out
    assert yaml.safe_load(text)["ckpt_path"] is None


def test_the_saved_configuration_fits_other_data(command, small, tmp_path):
    command(f"fit {small}")
    config = tmp_path / "runs" / "version_0" / "config.yaml"
    assert command(f"fit --config {config} --data.shape=[2,4,4] --data.num_classes=3").code == 0
    gan = GANModule.load_from_checkpoint(tmp_path / "runs/version_1/checkpoints/last.ckpt")
    assert gan.generator.sample_shape == (2, 4, 4)
    assert gan.generator.num_classes == 3


def test_both_grammars_train_the_same_networks(command, small, small_options, tmp_path):
    options = small_options.replace("default_root_dir=runs", "default_root_dir=others")
    options += " --trainer.log_every_n_steps=50"
    assert command(f"fit {small}").code == 0
    assert command(f"fit {options}").code == 0
    one, other = (
        weights(tmp_path / folder / "version_0" / "checkpoints" / "last.ckpt")
        for folder in ("runs", "others")
    )
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_the_last_step_and_one_periodic_checkpoint_are_kept(command, small, tmp_path):
    words = f"fit {small} trainer.max_steps=5 checkpoint.every_n_train_steps=2"
    assert command(words).code == 0
    folder = tmp_path / "runs" / "version_0" / "checkpoints"
    steps = {
        path.name: torch.load(path, weights_only=True)["global_step"] for path in folder.iterdir()
    }
    assert steps == {"step_0000004.ckpt": 4, "last.ckpt": 5}


def test_a_saved_module_needs_nothing_but_the_file(command, small, tmp_path):
    command(
        f"fit {small} model.generator_optimizer.lr=0.5 model.generator_optimizer.betas=[0,0.9] "
        "model.discriminator_lr_scheduler=LinearLR model.discriminator_lr_scheduler.total_iters=9"
    )
    gan = GANModule.load_from_checkpoint(tmp_path / "runs/version_0/checkpoints/last.ckpt")
    made = gan.arguments()
    assert isinstance(made["generator_optimizer"], functools.partial)
    assert made["generator_optimizer"].func is torch.optim.Adam
    assert dict(made["generator_optimizer"].keywords).keys() == {"lr", "betas"}
    assert made["discriminator_lr_scheduler"].func is torch.optim.lr_scheduler.LinearLR
    assert made["discriminator_lr_scheduler"].keywords == {"total_iters": 9}


def test_runs_that_start_together_have_folders_of_their_own(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = resolve(compose.settings(small.split()))
    with NumberedFolders() as folders:
        runs = [Run(settings, "fit", folders) for _ in range(2)]  # neither has written anything
        logged = [{str(logger.log_dir) for logger in run.trainer.loggers} for run in runs]
        assert logged == [{"runs/version_0"}, {"runs/version_1"}]
    assert not (tmp_path / "runs").exists()


def test_a_second_run_without_loggers_is_refused_also_where_it_started_at_once(
    small, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    settings = resolve(compose.settings([*small.split(), "trainer.logger=false"]))
    first, second = (Run(settings, "fit", NumberedFolders()) for _ in range(2))
    first.trainer.fit(first.model, datamodule=first.datamodule)
    with pytest.raises(InputError, match="runs holds another run already; choose another folder"):
        second.trainer.fit(second.model, datamodule=second.datamodule)


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"])
def test_one_process_takes_the_folder(name, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, "1")
    assert not launching.is_first_process()
    monkeypatch.setenv(name, "0")
    assert launching.is_first_process()


def test_a_run_that_is_refused_leaves_no_folder(command, small, tmp_path):
    assert command(f"fit {small} trainer.accelerator=gpuu").code == 2
    assert not (tmp_path / "runs").exists()


def test_without_loggers_everything_is_in_the_root(command, small, tmp_path):
    assert command(f"fit {small} trainer.logger=false").code == 0
    folder = tmp_path / "runs"
    assert sorted(p.name for p in folder.iterdir()) == ["checkpoints", "config.yaml"]
    config = f"--config {folder}/config.yaml --ckpt_path=last"
    for _ in range(2):
        assert command(f"validate {config}").code == 0
    names = {path.name for path in folder.glob("*.yaml")}
    assert names == {"config.yaml", "config-validate-0.yaml", "config-validate-1.yaml"}


def test_a_logger_of_the_user_joins_ours(command, small, tmp_path):
    logger = "trainer.logger=[{class_path:TensorBoardLogger,init_args:{save_dir:elsewhere}}]"
    assert command(f"fit {small} {logger}").code == 0
    assert (tmp_path / "runs" / "version_0" / "config.yaml").is_file()
    assert (tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt").is_file()
    assert list((tmp_path / "elsewhere").rglob("events.out.tfevents*"))


class Keyless(DummyLogger):
    """A logger that asks for a key that is not there."""

    @property
    def experiment(self):
        raise RuntimeError("No API key configured.")


def test_a_logger_that_does_not_start_ends_in_a_sentence(command, small, tmp_path):
    result = command(f"fit {small} trainer.logger={__name__}.Keyless")
    assert result.code == 2
    message = "trainer.logger: Keyless does not start: No API key configured."
    assert result.err.splitlines()[-1] == f"error: {message}"
    assert not (tmp_path / "runs").exists()


def test_callbacks_of_the_user_join_ours(command, small):
    callbacks = "trainer.callbacks=[{class_path:Timer,init_args:{duration:'01:00:00:00'}}]"
    result = command(f"fit {small} {callbacks}")
    assert result.code == 0
    assert "images per second" in result.out
    config = yaml.safe_load(Path("runs/version_0/config.yaml").read_text())
    (timer,) = config["trainer"]["callbacks"]
    assert timer["init_args"] == {
        "duration": "01:00:00:00",
        "interval": "step",
        "verbose": True,
    }


@pytest.mark.parametrize(
    ("extra", "left"),
    [
        ("trainer.fast_dev_run=true", []),
        ("trainer.enable_checkpointing=false", ["config.yaml", "metrics.csv"]),
        ("checkpoint=false trainer.enable_checkpointing=false", ["config.yaml", "metrics.csv"]),
    ],
)
def test_less_is_left(extra, left, command, small, tmp_path):
    assert command(f"fit {small} {extra}").code == 0
    files = {path.name for path in tmp_path.rglob("*.*") if path.is_file()}
    assert {name for name in files if "tfevents" not in name and name != "hparams.yaml"} == set(
        left
    )


def test_the_newest_run_is_gone_on_with(command, small):
    result = command(f"fit {small} ckpt_path=last")
    assert result.code == 0
    assert "there is no last.ckpt below runs yet; starting from the beginning" in result.out
    command(f"fit {small} ckpt_path=last trainer.max_steps=4")
    command(f"fit {small} ckpt_path=last trainer.max_steps=6")
    path = "runs/version_2/checkpoints/last.ckpt"
    assert torch.load(path, weights_only=True)["global_step"] == 6


def test_data_that_tell_nothing(command, small):
    words = small.replace("data=random data.n=8 data.batch_size=4", f"data={__name__}.Plain")
    result = command(f"fit {words}")
    assert result.code == 2
    assert result.err.endswith(
        "error: model.generator.sample_shape is missing, and Plain does not tell it; set "
        "model.generator.sample_shape=[1,28,28], for example\n"
    )
    shapes = " ".join(
        f"model.{player}.sample_shape=[1,2,2]" for player in ("generator", "discriminator")
    )
    assert command(f"fit {words} {shapes}").code == 0


class Telling(LightningDataModule):
    """A data module that tells more than its shape."""

    sample_shape = (1, 2, 2)
    network_arguments = {"condition_dim": 3, "heads": {"codes": 2}, "slope": 0.5, "unknown": 1}

    def train_dataloader(self):
        pairs = TensorDataset(torch.zeros(4, 1, 2, 2) - 0.5, torch.ones(4, 3))
        return torch.utils.data.DataLoader(pairs, batch_size=2)


def test_data_that_tell_more(command, small):
    """Each network gets what it takes, has no value of its own for, and nobody has set."""
    words = small.replace("data=random data.n=8 data.batch_size=4", f"data={__name__}.Telling")
    assert command(f"fit {words}").code == 0
    assert command("fit --config runs/version_0/config.yaml").code == 0
    for number in range(2):
        gan = GANModule.load_from_checkpoint(f"runs/version_{number}/checkpoints/last.ckpt")
        generator, discriminator = (n.arguments() for n in (gan.generator, gan.discriminator))
        assert generator["condition_dim"] == discriminator["condition_dim"] == 3
        assert discriminator["heads"] == {"codes": 2}
        assert 0.5 not in (generator.get("slope"), discriminator.get("slope"))
        assert not {"heads", "unknown"} & generator.keys()
    result = command(f"fit {words} model.generator.condition_dim=2")
    assert "(N, 2)" in result.error


def test_networks_learn_the_channels_of_an_input_from_the_data(command, small, tmp_path):
    words = small.replace("data=random data.n=8 data.batch_size=4", f"data={__name__}.Painted")
    words = words.replace("=mlp discriminator=mlp", "=unet discriminator=patch")
    words = words.replace("hidden=[4]", "base_channels=2")
    assert command(f"fit {words} model.discriminator.condition_channels=null").code == 0
    gan = GANModule.load_from_checkpoint("runs/version_0/checkpoints/last.ckpt")
    assert gan.generator.condition_channels == 2
    assert gan.discriminator.condition_channels is None  # as the user says
    config = yaml.safe_load(Path("runs/version_0/config.yaml").read_text())
    networks = config["model"]["init_args"]
    assert "condition_channels" not in networks["generator"]["init_args"]  # the data tell


def test_the_data_module_is_built_once(command, small, monkeypatch):
    from lightning_gan.data import RandomImages

    built = []
    monkeypatch.setattr(
        RandomImages, "native_classes", property(lambda self: built.append(id(self)))
    )
    assert command(f"fit {small}").code == 0
    assert len(set(built)) == 1


class OwnGAN(GANModule):
    """A subclass with an argument of its own."""

    def __init__(self, generator: Generator, extra: int = 1, **parts):
        super().__init__(generator, **parts)
        self.extra = extra


def test_a_subclass_of_the_module(command, small, tmp_path):
    assert command(f"fit {small} model.class_path={__name__}.OwnGAN model.extra=3").code == 0
    config = yaml.safe_load((tmp_path / "runs/version_0/config.yaml").read_text())
    assert config["model"]["class_path"] == f"{__name__}.OwnGAN"
    assert config["model"]["init_args"]["extra"] == 3


def test_two_devices_get_the_strategy_for_two_players():
    trainer = {"accelerator": "cpu", "devices": 2, "num_nodes": 1, "strategy": "auto"}
    assert launching.strategy(trainer) == "gan_ddp"
    assert launching.strategy({**trainer, "devices": 1}) == "auto"
    assert launching.strategy({**trainer, "strategy": "ddp_find_unused_parameters_true"}) == (
        "ddp_find_unused_parameters_true"
    )


class Forked(forked.Started):
    """A job of a sweep; its words are printed when it has ended."""

    def __init__(self, command, env):
        assert command[:3] == [sys.executable, "-m", "lightning_gan"]
        assert not {"LOCAL_RANK", "WORLD_SIZE"} & set(env)
        super().__init__("lightning_gan", command[3:], Path.cwd(), env)

    def wait(self):
        print(forked.end(self)[0])
        return self.returncode


def test_a_sweep_runs_every_combination_in_turn(command, small, tmp_path, monkeypatch):
    """Jobs are forked here; they are started anew in ``test_processes.py``."""
    monkeypatch.setattr(sweep.subprocess, "Popen", Forked)
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    words = small.replace("trainer.default_root_dir=runs", "summary=false")
    code = command(f"fit -m {words} model.loss=minimax,non_saturating trainer.max_steps=0,x").code
    assert code == 2
    (folder,) = (tmp_path / "multirun").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["0", "2"]


def test_sweep_combinations():
    words = "loss=glob(minim*) seed_everything=1 model.micro_batches=1,2"
    jobs = sweep.expand([*words.split(), "trainer.default_root_dir=here"])
    assert [list(job.values()) for job in jobs] == [
        ["loss=minimax", "seed_everything=1", "model.micro_batches=1", "here"],
        ["loss=minimax", "seed_everything=1", "model.micro_batches=2", "here"],
    ]
