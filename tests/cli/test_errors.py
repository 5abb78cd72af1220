"""Wrong invocations end in exit code 2 and one sentence: key, value, what is expected."""

import re
import subprocess
import sys

import pytest
import torch

pytestmark = pytest.mark.usefixtures("composed_once")
TOP = (
    "Settings begin with model, data, trainer, seed_everything, threads, ckpt_path, init_from, "
    "best, checkpoint, samples, curves, evaluation, health, export, summary, predictions"
)

# Words of the command, and the message, in which a star stands for anything.
WRONG = {
    # The command itself.
    "fitt": "unknown command 'fitt', did you mean 'fit'? Expected one of fit, validate, test, *",
    "--config run.yaml fit": "unknown command '--config'. Expected one of fit, *",
    "--print_config": "no command given; expected one of fit, validate, test, predict, *",
    "fit digits_dcgan": "'digits_dcgan' is not a setting; expected key=value, for example "
    "experiment=digits_dcgan or trainer.max_steps=200, or --key=value",
    "fit --trainer.max_steps=2 digits": "'digits' is not a setting; expected key=value, *",
    "fit loss=minimax --trainer.max_steps=2": "do not mix Hydra overrides (key=value) with "
    "--options: 'loss=minimax' is in between. Write all of them as key=value, or all as "
    "--key=value",
    "fit --trainer.max_steps 2 loss=minimax": "do not mix Hydra overrides (key=value) *",
    "fit --trainer.max_steps": "--trainer.max_steps needs a value: --trainer.max_steps=VALUE",
    "fit -x 3": "unknown option '-x'; expected --key=value or --config FILE",
    "fit -m --trainer.max_steps=2": "a sweep (-m) takes Hydra overrides: key=value1,value2, not "
    "--options",
    "plugins": "expected: lightning-gan plugins list, show, check, new, doctor, schema",
    "plugins show": "expected: lightning-gan plugins show [KIND] NAME [--json], for example "
    "plugins show loss wasserstein",
    "plugins show hing": "unknown component 'hing', did you mean 'hinge'? All of them: "
    "lightning-gan plugins list",
    "plugins show los hinge": "unknown kind of component 'los', did you mean 'loss'? Kinds: "
    "generator, discriminator, loss, regularizer, alternation, augment, prior, average, schedule, "
    "balance, optimizer, lr_scheduler",
    "plugins show dcgan": "'dcgan' names components of 2 kinds. Write lightning-gan plugins show "
    "generator dcgan or lightning-gan plugins show discriminator dcgan",
    "plugins show hinge --jsn": "plugins show: unknown option '--jsn'. Options: --json",
    "plugins list --jsn": "plugins list: unknown option '--jsn', did you mean '--json'? Options: "
    "--json, --check",
    # Groups and choices.
    "fit generator=dcgam": "generator: unknown generator 'dcgam', did you mean 'dcgan'? *",
    "fit regularizers=[r1,wgan_gpp]": "regularizers: unknown regularizer 'wgan_gpp', did you mean "
    "'wgan_gp'? *",
    "fit experiment=mnist_dcgn": "experiment: unknown choice 'mnist_dcgn', did you mean "
    "'mnist_dcgan'? Available: *",
    "fit data=cifar": "data: unknown choice 'cifar', did you mean 'cifar10'? Available: *",
    "fit lss=minimax": "unknown setting or group 'lss', did you mean 'loss'? Groups: alternation, "
    "augment, *",
    "fit --loss minimax": "'loss' is a config group, not an option; write --model.loss=NAME",
    "fit --experiment digits_dcgan": "'experiment' is a config group; write experiment=NAME, and "
    "key=value for all the others",
    "fit --data mnits": "data: unknown choice 'mnits', did you mean 'mnist'? Available: *",
    "fit --model.loss minimaxx": "model.loss: unknown loss 'minimaxx', did you mean 'minimax'? *",
    "fit -m loss=minimaxx,minimax": "loss: unknown loss 'minimaxx', did you mean 'minimax'? *",
    "fit -m trainer.max_steps=glob(*)": "trainer.max_steps: glob(...) is for config groups: *",
    "fit -m loss=glob(q*)": "loss: no choice fits glob(q*)",
    # Hydra's grammar.
    "fit trainer.max_steps=[1": "'trainer.max_steps=[1' is not understood; expected key=value; "
    "quote a value with special characters: \"trainer.max_steps='[1'\"",
    "fit trainer.max_steps=1,2": "trainer.max_steps: got several values, '1,2'; add -m to run them "
    "one after the other, or write a list as [a,b]",
    "fit trainer.default_root_dir=${now:%Y}": "${now:...} is not supported: every process of a run "
    "composes its own configuration; runs are numbered version_0, version_1, ... instead",
    "fit trainer.default_root_dir=${nothing}": "the configuration cannot be resolved: "
    "Interpolation key 'nothing' not found*",
    "fit ~model.nothing": "~model.nothing: there is no such setting to remove",
    "fit ~nothing": "unknown setting or group 'nothing'. Groups: *",
    # Keys.
    "fit max_steps=5": "unknown setting or group 'max_steps', did you mean 'trainer.max_steps'? *",
    "fit --batch_size=5": "unknown setting 'batch_size', did you mean 'data.batch_size'? *",
    "fit graph=true": "unknown setting or group 'graph', did you mean 'model.graph'? *",
    "fit modle.micro_batches=2": "unknown setting or group 'modle.micro_batches', did you mean "
    "'model'? *",
    "fit --modle.micro_batches=2": f"unknown setting 'modle.micro_batches', did you mean 'model'? "
    f"{TOP}",
    "fit model.micro_batchs=2": "model.micro_batchs: GANModule has no such setting, did you mean "
    "'micro_batches'? See --print_config for all of them",
    "fit model.generator.latent_dmi=2": "model.generator.latent_dmi: DCGANGenerator has no such "
    "setting, did you mean 'latent_dim'? It accepts sample_shape, latent_dim, *",
    "fit model.loss=minimax model.loss.real_target=1": "model.loss.real_target: MinimaxLoss has no "
    "such setting. It accepts no settings",
    "fit model.generator_optimizer=SGD model.generator_optimizer.momentun=0.9": "model."
    "generator_optimizer.momentun: SGD has no such setting, did you mean 'momentum'? *",
    "fit --model.generator '{class_path: mlp, hiden: [3]}'": "model.generator.hiden: MLPGenerator "
    "has no such setting, did you mean 'hidden'? *",
    "fit --data.batchsize 3": "data.batchsize: Digits has no such setting, did you mean "
    "'batch_size'? It accepts batch_size, image_size, crop, labels, seed, on_device, "
    "clusters",
    "fit trainer.max_stesp=3": "trainer.max_stesp: Trainer has no such setting, did you mean "
    "'max_steps'? See --print_config for all of them",
    "fit samples.every_n_step=3": "samples.every_n_step: SampleGrid has no such setting, did you "
    "mean 'every_n_steps'? It accepts every_n_steps, rows, columns, seed, *",
    "fit --trainer.max_steps.foo 3": "trainer.max_steps.foo: trainer.max_steps is *",
    # Values.
    "fit trainer.max_steps=many": "trainer.max_steps: got 'many'; expected int",
    "fit --trainer.max_steps=many": "trainer.max_steps: got 'many'; expected int",
    "fit model.generator.latent_dim=2.5": "model.generator.latent_dim: got 2.5; expected int",
    "fit model.generator.sample_shape=8": "model.generator.sample_shape: got 8; expected list of "
    "int",
    "fit model.generator_optimizer.lr=fast": "model.generator_optimizer.lr: got 'fast'; expected "
    "float",
    "fit model.fake_labels=maybe": "model.fake_labels: got 'maybe'; expected 'real' or 'uniform'",
    "fit model.ema.buffers=copi": "model.ema.buffers: got 'copi'; expected 'copy' or 'average' or "
    "'reestimate'",
    "fit model.regularizers.r1.weight=heavy": "model.regularizers.r1.weight: got 'heavy'; expected "
    "float",
    "fit trainer.precision=16-mixed": "trainer.precision=16-mixed needs one loss scale for each of "
    "two players, which Lightning cannot give; use trainer.precision=bf16-mixed",
    f"fit trainer.default_root_dir={'a' * 300}": "trainer.default_root_dir: *File name too long*",
    "fit data=folder data.root=~nobody_of_this_name/x": "data.root ~nobody_of_this_name/x *",
    "fit trainer.default_root_dir=5": "trainer.default_root_dir: got 5; expected str or Path*",
    "fit trainer.default_root_dir=[a]": "trainer.default_root_dir: got ['a']; expected str*",
    "fit trainer.default_root_dir=/dev/null": "trainer.default_root_dir: got /dev/null; "
    "/dev/null is a file, not a folder",
    "fit trainer.default_root_dir=/dev/null/x": "trainer.default_root_dir: got /dev/null/x; *",
    "fit model.generator_optimizer.lr=-1": "model.generator_optimizer: Invalid learning rate: -1*",
    "fit threads=0": "threads: got 0; expected a number of CPU threads, or null for torch's choice",
    "fit threads=many": "threads: got 'many'; expected a number of CPU threads, *",
    "fit seed_everything=abc": "seed_everything: got 'abc'; expected int, or false for no seed",
    "fit trainer=fast": "trainer: got 'fast'; expected trainer.key=value, see --help",
    "fit model.alternation.d_steps=-1": "model.alternation.d_steps and g_steps must be 0 or more "
    "and not both 0, got -1 and 1",
    "fit samples.every_n_steps=0": "samples: SampleGrid: every_n_steps must be at least 1, got 0",
    "fit health.on_finding=die": "health.on_finding: got 'die'; expected 'warn' or 'stop' or "
    "'restart'",
    "fit health.patience=0": "health: HealthMonitor: patience must be at least 1, got 0",
    "fit export.every_n_steps=0": "export: GeneratorExport: every_n_steps must be at least 1, "
    "got 0",
    "fit export.every_n_epoch=40": "export.every_n_epoch: GeneratorExport has no such setting, did "
    "you mean 'every_n_epochs'? It accepts every_n_epochs, every_n_steps, every_n_rounds",
    "fit evaluation=3": "evaluation: got 3; expected a Callback (class_path and init_args)",
    "fit health.on_finding=restart trainer.logger=false": "health.on_finding: 'restart' needs "
    "numbered run folders, which trainer.logger=false leaves out; remove it, or set "
    "health.on_finding=stop",
    "fit health.on_finding=restart trainer.devices=2 trainer.accelerator=cpu": "health.on_finding: "
    "'restart' works in one process, and this run has 2; set health.on_finding=stop",
    "fit checkpoint.mode=up": "checkpoint: `mode` can be min, max but got up",
    # Classes.
    "fit model.generator=torch.nn.Linear": "model.generator: got torch.nn.Linear; expected a "
    "Generator (*",
    "fit generator=lightning_gan.losses.minimax.MinimaxLoss": "model.generator: got "
    "lightning_gan.losses.minimax.MinimaxLoss, an AdversarialLoss; expected a Generator (*",
    "fit generator=lightning_gan.generators.dcgan.DCGANGen": "model.generator: got "
    "lightning_gan.generators.dcgan.DCGANGen; lightning_gan.generators.dcgan has no class "
    "'DCGANGen', did you mean 'DCGANGenerator'?",
    "fit generator=not_there.G": "model.generator: got not_there.G; ModuleNotFoundError: No module "
    "named 'not_there'",
    "fit model.generator_optimizer=Adm": "model.generator_optimizer: got 'Adm'; expected an "
    "Optimizer, did you mean 'Adam'?",
    "fit model.generator.class_path=3": "model.generator.class_path: got 3; expected a Generator "
    "(*",
    "fit model.generator=3": "model.generator: got 3; expected a Generator (*",
    "fit model.class_path=torch.nn.Linear": "model: got torch.nn.Linear; expected a GANModule "
    "(class_path and init_args)",
    "fit trainer.callbacks=[EarlyStoping]": "trainer.callbacks.0: got 'EarlyStoping'; expected a "
    "Callback, did you mean 'EarlyStopping'?",
    "fit trainer.callbacks=[{class_path:EarlyStopping,init_args:{monitor:x,mode:up}}]": "trainer."
    "callbacks.0: `mode` can be min, max, got up",
    "fit model.regularizers.r9.weight=1": "model.regularizers.r9.class_path is missing; expected "
    "a Regularizer (*",
    "fit model.generator=null": "model.generator is missing; expected a Generator (*",
    "fit ~model.generator": "model.generator is missing; expected a Generator (*",
    "fit data=null": "data is missing; expected a LightningDataModule (class_path and init_args)",
    "fit data=folder": "data.root is missing; expected str, the folder or zip file of images: *",
    # Data.
    "fit data.batch_size=0": "data.batch_size must be at least 1, got 0",
    "fit data=folder data.root=/nowhere": "data.root /nowhere does not exist",
    "fit data=random data.shape=[1,9,9]": "model.generator.sample_shape must be (channels, "
    "height, width) with height and width multiples of 4, got (1, 9, 9); *",
    # What Lightning refuses.
    "fit trainer.gradient_clip_val=1": "trainer.gradient_clip_val: got 1; a GAN has two "
    "optimizers, so set model.generator_clip_norm and model.discriminator_clip_norm instead",
    "fit trainer.accumulate_grad_batches=4": "trainer.accumulate_grad_batches: got 4; a GAN has "
    "two optimizers, so set model.micro_batches instead",
    "fit trainer.devices=0 trainer.accelerator=cpu": "trainer: `Trainer(devices=0)` value is not "
    "a valid input using cpu accelerator.",
    "fit trainer.accelerator=gpuu": "trainer: You selected an invalid accelerator name: *",
    "fit trainer.strategy=ddpp": "trainer: You selected an invalid strategy name: *",
    "fit data=random trainer.limit_train_batches=1e-5 trainer.logger=false": "You requested to "
    "check 1e-05 of the `train_dataloader` *",
    # Files.
    "fit --config rum.yaml": "--config: no file at rum.yaml, did you mean 'run.yaml'?",
    "fit --config bad.yaml": "--config: bad.yaml is not valid YAML: * in line 2",
    "fit --config list.yaml": "--config: list.yaml holds a list; expected key: value",
    "fit --config other.yaml": f"unknown setting 'modl', did you mean 'model'? {TOP}",
    "fit --config run.yaml": "model.discriminator is missing; expected a Discriminator (*",
    "validate": "ckpt_path is missing; validate needs a trained model: "
    "ckpt_path=.../checkpoints/last.ckpt, or ckpt_path=last for the newest below "
    "runs/digits_dcgan",
    "predict --trainer.max_steps=2": "ckpt_path is missing; predict needs a trained model: *",
    "test ckpt_path=last": "ckpt_path: got 'last', but there is no last.ckpt below "
    "runs/digits_dcgan",
    "fit ckpt_path=3": "ckpt_path: got 3; expected the path of a .ckpt file, or last",
    "fit ckpt_path=broke.ckpt": "ckpt_path: no file at broke.ckpt, did you mean 'broken.ckpt'?",
    "fit ckpt_path=broken.ckpt": "ckpt_path: broken.ckpt is not a checkpoint or is damaged",
    "fit ckpt_path=foreign.ckpt": "ckpt_path: foreign.ckpt was not written by a GANModule",
}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "run.yaml").write_text("model:\n  generator: mlp\n")
    (tmp_path / "bad.yaml").write_text("model: [1\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "other.yaml").write_text("modl:\n  generator: mlp\n")
    (tmp_path / "broken.ckpt").write_text("no")
    torch.save({"state_dict": {}}, tmp_path / "foreign.ckpt")


def matches(message, pattern):
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), message)


@pytest.mark.parametrize("words", WRONG)
def test_one_sentence_and_exit_code_2(words, command, files):
    result = command(words)
    assert result.code == 2
    message = [line for line in result.err.splitlines() if line.startswith("error: ")]
    assert len(message) == 1
    assert matches(message[0].removeprefix("error: "), WRONG[words]), message[0]
    assert "Traceback" not in result.err


def test_the_process_says_the_same(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "lightning_gan", "fit", "--model.micro_batches=two"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_another_process_of_a_run_speaks_after_the_first_had_its_time(command, monkeypatch):
    """The first ends the others where it fails as well."""
    monkeypatch.setenv("LOCAL_RANK", "1")
    waits = []
    monkeypatch.setattr("lightning_gan.__main__.time.sleep", waits.append)
    result = command("fit generator=dcgam")
    assert result.code == 2
    assert result.err.startswith("error: generator: unknown generator 'dcgam'")
    assert result.err.endswith(" (in process 1)\n")
    assert waits == [5.0]


def test_a_limit_that_is_no_number_beside_a_checkpoint(command, small):
    assert command(f"fit {small} trainer.max_steps=2").code == 0
    result = command(f"fit {small} trainer.max_steps=abc ckpt_path=last")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "trainer.max_steps" in result.err


def test_the_first_batch_is_judged_in_one_sentence(command, small):
    result = command(f"fit {small} data.num_classes=null model.generator.num_classes=3")
    assert result.code == 2
    assert "error: a network has num_classes=3 but the data yield no labels" in result.err
    assert "Traceback" not in result.err


def test_a_checkpoint_of_other_networks(command, small):
    assert command(f"fit {small} trainer.logger=false").code == 0
    result = command(f"validate {small} model.generator.hidden=[5] ckpt_path=last")
    assert result.code == 2
    assert (
        "error: ckpt_path: the checkpoint does not fit the configured networks; give the "
        "config.yaml of its run with --config: generator.layers.0.weight has shape"
    ) in result.err


def test_a_folder_that_holds_a_run_is_not_written_over(command, small):
    assert command(f"fit {small} trainer.logger=false").code == 0
    result = command(f"fit {small} trainer.logger=false")
    assert result.code == 2
    assert (
        "error: trainer.default_root_dir: runs holds a run already, and trainer.logger=false "
        "leaves out its numbered folders; choose another trainer.default_root_dir"
    ) in result.err


def test_other_errors_keep_their_traceback(command, small, install):
    install(
        "faulty",
        {"lightning_gan.losses": ["faulty = faulty_loss:Faulty"]},
        {
            "faulty_loss.py": (
                "from lightning_gan import AdversarialLoss\n"
                "class Faulty(AdversarialLoss):\n"
                "    def __init__(self):\n"
                "        raise KeyError('a bug')\n"
                "    def discriminator(self, real_logits, fake_logits): ...\n"
                "    def generator(self, fake_logits, real_logits=None): ...\n"
            )
        },
    )
    with pytest.raises(KeyError, match="a bug"):
        command(f"fit {small} loss=faulty")
