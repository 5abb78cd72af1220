"""From a file to a file: training, resuming, export, and tables from all of it."""

from functools import partial
from importlib.metadata import entry_points

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
import yaml
from lightning_gan_tabular import Table, TableData, read_table, sample_table
from lightning_gan_tabular.command import main
from pytorch_lightning.strategies import StrategyRegistry

from lightning_gan import (
    GANModule,
    InputError,
    create_discriminator,
    create_generator,
    create_loss,
    create_regularizer,
    load_generator,
)

SMALL = (
    *("data.modes=2", "data.batch_size=20", "model.discriminator.hidden=[8]", "curves=false"),
    *("model.generator.noise_dim=4", "model.generator.hidden=[8]", "trainer.accelerator=cpu"),
    *("trainer.enable_progress_bar=false", "trainer.default_root_dir=runs"),
)


def command(*words):
    """Run lightning-gan, the command, as its distribution names it."""
    (point,) = entry_points(group="console_scripts", name="lightning-gan")
    return point.load()(list(words))


@pytest.fixture(scope="module")
def run(csv, tmp_path_factory):
    """The folder of a run of six steps of the experiment, and what two runs of it left."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        words = ["fit", "experiment=tabular", f"data.path={csv}", *SMALL]
        assert command(*words, "trainer.max_steps=6") == 0
        # The same in two parts, cut in the middle of an epoch of five.
        words.append("trainer.default_root_dir=parts")
        assert command(*words, "trainer.max_steps=3") == 0
        assert command(*words, "trainer.max_steps=6", "ckpt_path=last") == 0
    return folder


@pytest.mark.parametrize(
    ("experiment", "batch_size", "dropout"), [("tabular", 200, 0.0), ("ctgan", 500, 0.5)]
)
def test_experiments_compose(csv, capsys, experiment, batch_size, dropout):
    assert command("fit", f"experiment={experiment}", f"data.path={csv}", "--print_config") == 0
    settings = yaml.safe_load(capsys.readouterr().out)
    assert settings["data"]["init_args"]["batch_size"] == batch_size
    assert settings["model"]["init_args"]["discriminator"]["init_args"]["dropout"] == dropout


def test_a_run_in_two_parts_is_the_same_run(run):
    whole, parts = (
        torch.load(path, weights_only=True)["state_dict"]
        for path in (
            run / "runs/version_0/checkpoints/last.ckpt",
            run / "parts/version_1/checkpoints/last.ckpt",
        )
    )
    tensors = {key: value for key, value in whole.items() if isinstance(value, torch.Tensor)}
    assert any("running_mean" in key for key in tensors)
    for key, value in tensors.items():
        assert torch.equal(value, parts[key]), key


def test_a_table_needs_no_original(run, frame):
    made = sample_table(run / "runs/version_0", 300, seed=1)
    assert len(made) == 300
    assert list(made) == list(frame)
    assert set(made["city"].dropna()) <= {"Oslo", "Bergen"}
    assert made["age"].between(18, 79).all()
    assert made["height"].isna().any()
    pd.testing.assert_frame_equal(sample_table(run / "runs/version_0", 20, seed=1), made[:20])
    assert not sample_table(run / "runs/version_0", 20, seed=2).equals(made[:20])


def test_conditions_hold_for_all_rows(run):
    path = run / "runs/version_0"
    made = sample_table(path, 30, condition={"city": "Oslo", "member": True})
    assert (made["city"] == "Oslo").all()
    assert made["member"].all()
    missing = sample_table(path, 5, condition={"city": None})
    assert missing["city"].isna().all()
    with pytest.raises(InputError, match="no value 'Paris'"):
        sample_table(path, 5, condition={"city": "Paris"})
    with pytest.raises(InputError, match="n must be a whole number"):
        sample_table(path, 0)


def test_exports_make_the_same_table(run):
    path = run / "runs/version_0"
    formats = "safetensors,torch_export"
    assert command("export", str(path), f"--out={run / 'made'}", f"--format={formats}") == 0
    expected = sample_table(path, 10, seed=3)
    pd.testing.assert_frame_equal(sample_table(run / "made", 10, seed=3), expected)
    # Without lightning-gan's networks: the program, and the description from the JSON.
    loaded = load_generator(run / "made")
    program = torch.export.load(run / "made" / "generator.pt2").module()
    z = torch.randn(5, loaded.latent_dim)
    rows, expected = program(z)[0], loaded(z).samples.detach()
    torch.testing.assert_close(rows, expected)
    table = Table(loaded.generator.table)
    pd.testing.assert_frame_equal(table.decode(rows.numpy()), table.decode(expected.numpy()))


def test_the_command_writes_and_scores_tables(run, csv, capsys):
    out = run / "made.csv"
    path = str(run / "runs/version_0")
    assert main(["sample", path, "--out", str(out), "--num", "40", "--where", "city=Oslo"]) == 0
    assert set(read_table(out)["city"]) == {"Oslo"}
    words = ["score", str(out), str(csv), "--test", str(csv), "--target", "member"]
    assert main([*words, "--type", "day=drop"]) == 0
    told = capsys.readouterr().out
    assert "columns, mean distance" in told
    assert "trained on synthetic" in told
    assert "day" not in told
    assert main(["inspect", str(csv), "--type", "age=category"]) == 0
    assert "age: category" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sample", "nowhere", "--out", "x.csv"], "nothing is at nowhere"),
        (["sample", "{run}", "--out", "{csv}"], "exists; choose another file"),
        (["sample", "{run}", "--out", "x.csv", "--where", "city"], "--where expects COLUMN=VALUE"),
        (["score", "{csv}", "{csv}", "--target", "age"], "--test and --target go together"),
        (["inspect", "{csv}", "--type", "age=text"], "must be one of number"),
    ],
)
def test_wrong_input_is_one_sentence(run, csv, capsys, words, message):
    words = [word.format(run=run / "runs/version_0", csv=csv) for word in words]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert message in told


def test_generators_of_other_kinds_make_no_tables(tmp_path):
    gan = GANModule(
        generator=create_generator("mlp", sample_shape=(2,), hidden=[4]),
        discriminator=create_discriminator("mlp", sample_shape=(2,), hidden=[4]),
        loss=create_loss("wasserstein"),
    )
    trainer = pl.Trainer(max_steps=0, logger=False, accelerator="cpu", barebones=False)
    trainer.strategy.connect(gan)
    trainer.save_checkpoint(tmp_path / "other.ckpt")
    with pytest.raises(InputError, match="holds a MLPGenerator, which makes no tables"):
        sample_table(tmp_path / "other.ckpt", 3)


def tabular(data, weight=1.0):
    arguments = data.network_arguments
    return GANModule(
        generator=create_generator("tabular", noise_dim=4, hidden=[8], **arguments),
        discriminator=create_discriminator("tabular", hidden=[8], **arguments),
        loss=create_loss("wasserstein"),
        regularizers={
            "penalty": create_regularizer("pack_gradient_penalty"),
            "condition": create_regularizer("condition_cross_entropy", weight=weight),
        },
        generator_optimizer=partial(torch.optim.Adam, lr=1e-2),
    )


def trainer(steps, **settings):
    quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary"), False)
    return pl.Trainer(
        max_steps=steps,
        max_epochs=-1,
        accelerator="cpu",
        enable_checkpointing=False,
        **quiet,
        **settings,
    )


def test_training_learns_the_conditions(csv):
    """A city is asked for, and comes; the term alone is enough for it."""
    data = TableData(str(csv), modes=2, batch_size=50)
    gan = tabular(data, weight=5.0)
    trainer(60).fit(gan, data)
    layout, place = data.table.layout, data.table.condition("city", "Oslo")
    y = torch.nn.functional.one_hot(torch.full((200,), place), layout.condition).float()
    made = data.table.decode(gan.sample(200, labels=y, seed=0).numpy())
    assert (made["city"] == "Oslo").mean() > 0.9


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_two_processes_train_one_generator(csv, tmp_path):
    """Each on batches of its own, and both end with the same weights, which are those saved."""
    data = TableData(str(csv), modes=2, batch_size=20)
    gan = tabular(data)
    before = gan.generator.head.weight.clone()
    strategy = StrategyRegistry["gan_ddp"]["strategy"](start_method="fork")
    trainer(2, devices=2, strategy=strategy, callbacks=[Look(tmp_path)]).fit(gan, data)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert not torch.equal(first["batch"], second["batch"])
    assert torch.equal(first["weight"], second["weight"])
    assert not torch.equal(first["weight"], before)


class Look(pl.Callback):
    """Writes what each process has seen and learned."""

    def __init__(self, folder):
        self.folder = folder

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        kept = {"batch": batch[0], "weight": pl_module.generator.head.weight.detach()}
        torch.save(kept, self.folder / f"{trainer.global_rank}.pt")
