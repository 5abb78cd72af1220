"""Arguments of GANModule that say how the game is played, from the command and from YAML."""

import pytest
import torch
from torch import nn

from lightning_gan import BatchKeys, Discriminator, DiscriminatorOutput, GANModule, Regularizer

pytestmark = pytest.mark.usefixtures("composed_once")

HERE = __name__
TINY = {
    "data": "digits",
    "data.batch_size": "400",
    "model.generator": "mlp",
    "model.generator.hidden": "[4]",
    "model.discriminator": "mlp",
    "model.discriminator.hidden": "[4]",
    "model.regularizers": "{}",
    "trainer.accelerator": "cpu",
    "trainer.logger": "false",
    "trainer.enable_progress_bar": "false",
    "trainer.enable_model_summary": "false",
    **dict.fromkeys(("samples", "curves", "health", "summary"), "false"),
}
GROUPS = ("model.balance",)  # chosen by name where groups are
READER = f"{BatchKeys.__module__}.BatchKeys"
BURN_IN = "{generator_weight: {class_path: burn_in, init_args: {start: 0, end: 1, kimg: 1}}}"


class TwoHeads(Discriminator):
    """A discriminator that looks twice."""

    def __init__(self, sample_shape: tuple[int, ...], hidden: list[int]):
        super().__init__()
        self.sample_shape = tuple(sample_shape)
        self.trunk = nn.Linear(torch.Size(sample_shape).numel(), *hidden)
        self.heads = nn.ModuleList(nn.Linear(*hidden, 1) for _ in range(2))

    def forward(self, x, y=None):
        found = self.trunk(x.flatten(1)).relu()
        return DiscriminatorOutput([head(found) for head in self.heads])


class Brightness(Regularizer):
    """Fakes as bright as real samples: something to pretrain a generator with."""

    def generator(self, step):
        return (step.fake.mean() - step.real.mean()) ** 2


def check_freeze(gan):
    layers = [i for i, layer in enumerate(gan.discriminator.layers) if [*layer.parameters()]]
    frozen = {n for n, p in gan.discriminator.named_parameters() if not p.requires_grad}
    assert frozen == {f"layers.{i}.{name}" for i in layers for name in ("weight", "bias")}
    assert all(p.requires_grad for p in gan.generator.parameters())


def check_heads(gan):
    assert (gan.heads, gan.head_weights) == ("sum", [1.0, 0.5])


def check_weight(gan):
    assert (gan.generator_settings.weight, gan.discriminator_settings.weight) == (0.1, 1.0)


def check_reader(gan):
    reader = gan.arguments()["prepare_batch"]
    assert isinstance(reader, BatchKeys)
    assert reader.arguments() == {"real": 0, "y": 1, "extra": {"digit": 1}}
    assert gan.read((torch.zeros(2, 1), torch.ones(2))).extra["digit"].sum() == 2


def check_balance(gan):
    assert gan.balance.layer == "layers.0"
    assert 0 < gan.balance.latest < 1e4
    assert gan.balance.latest != 1


def check_burn_in(gan):
    """Before the fourth batch 1,200 images have been seen."""
    assert gan.generator_settings.weight == 1
    assert gan.progress.discriminator_steps == 5
    assert gan.progress.generator_steps == 2


CHOICES = {
    "freeze": ({"model.freeze": "[discriminator.layers]"}, check_freeze),
    "heads": (
        {
            "model.discriminator": f"{HERE}.TwoHeads",
            "model.heads": "sum",
            "model.head_weights": "[1,0.5]",
        },
        check_heads,
    ),
    "weight": ({"model.generator_weight": "0.1"}, check_weight),
    "reader": (
        {
            "model.prepare_batch": READER,
            "model.prepare_batch.init_args.real": "0",
            "model.prepare_batch.y": "1",
            "model.prepare_batch.extra": "{digit: 1}",
        },
        check_reader,
    ),
    "balance": (
        {
            "model.regularizers.brightness": f"{HERE}.Brightness",
            "model.balance": "adaptive_weight",
            "model.balance.layer": "layers.0",
        },
        check_balance,
    ),
    "schedule": ({"model.schedules": BURN_IN}, check_burn_in),
}


def hydra(chosen):
    """Words of a grammar, quoted for a shell."""
    pairs = {**TINY, **chosen}.items()
    return " ".join(
        f"'{key.removeprefix('model.') if key in GROUPS else key}={value}'" for key, value in pairs
    )


def as_options(chosen):
    return " ".join(f"'--{key}={value}'" for key, value in {**TINY, **chosen}.items())


def saved(root):
    return f"{root}/checkpoints/last.ckpt"


@pytest.mark.parametrize("choice", CHOICES)
def test_both_grammars_and_yaml_say_the_same(choice, command, tmp_path):
    chosen, _ = CHOICES[choice]
    printed = command(f"fit {hydra(chosen)} --print_config")
    assert printed.code == 0, printed.err
    assert command(f"fit {as_options(chosen)} --print_config").out == printed.out
    (tmp_path / "run.yaml").write_text(printed.out)
    assert command("fit --config run.yaml --print_config").out == printed.out


@pytest.mark.parametrize("choice", CHOICES)
def test_they_train_and_go_on_as_if_never_stopped(choice, command, tmp_path):
    chosen, check = CHOICES[choice]
    words = f"fit {hydra(chosen)} trainer.max_steps="
    whole = command(f"{words}5 trainer.default_root_dir=whole")
    assert whole.code == 0, whole.err
    check(GANModule.load_from_checkpoint(saved("whole")))

    assert command(f"{words}2 trainer.default_root_dir=runs/first").code == 0
    then = "--trainer.default_root_dir=runs --ckpt_path=last"
    assert command(f"fit --config whole/config.yaml {then}").code == 0
    one, other = (torch.load(saved(root), weights_only=True) for root in ("whole", "runs"))
    assert one["global_step"] == other["global_step"] == 5
    one, other = one["state_dict"], other["state_dict"]
    assert one.pop("_extra_state") == other.pop("_extra_state")
    torch.testing.assert_close(one, other, rtol=0, atol=0)


FIRST_G_THEN_D_THEN_BOTH = """
model:
  schedules:
    regularizers.brightness.weight:
      class_path: piecewise
      knots: [[0, 1], [0.8, 0]]
    discriminator_weight:
      class_path: piecewise
      knots: [[0, 0], [0.8, 1]]
    generator_weight:
      class_path: piecewise
      init_args: {knots: [[1.2, 0], [1.6, 1]]}
"""


def test_pretraining_is_one_yaml(command, tmp_path):
    """Batches of 400: two for G alone, two for D alone, and one for both."""
    (tmp_path / "pretraining.yaml").write_text(FIRST_G_THEN_D_THEN_BOTH)
    words = as_options({"model.regularizers.brightness": f"{HERE}.Brightness"})
    root = "--trainer.max_steps=5 --trainer.default_root_dir=runs"
    result = command(f"fit --config pretraining.yaml {words} {root}")
    assert result.code == 0, result.err
    gan = GANModule.load_from_checkpoint(saved("runs"))
    assert gan.progress.discriminator_steps == gan.progress.generator_steps == 3
    assert (gan.progress.batches, gan.progress.rounds) == (5, 1)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "model.prepare_batch=lightning_gan.BatchKeys",
            "model.prepare_batch.real is missing",
        ),
        (
            f"model.prepare_batch={READER} model.prepare_batch.reel=hr",
            "model.prepare_batch.reel: BatchKeys has no such setting, did you mean 'real'? It "
            "accepts real, y, extra",
        ),
        (
            "model.prepare_batch={class_path:BatchKeys,real:0}",
            "model.prepare_batch: got 'BatchKeys'; expected a function, by its class path",
        ),
        (
            "model.prepare_batch.class_path=lightning_gan.Player",
            "model.prepare_batch: got lightning_gan.Player; expected a function (class_path and "
            "init_args)",
        ),
        (
            "model.prepare_batch=lightning_gan.prepare_bat",
            "model.prepare_batch: got 'lightning_gan.prepare_bat'; expected a function or null",
        ),
        ("model.prepare_batch=7", "model.prepare_batch: got 7; expected a function or null"),
        ("model.heads=most", "model.heads: got 'most'; expected 'mean' or 'sum'"),
        ("model.head_weights=2", "model.head_weights: got 2; expected list of float or null"),
        ("model.freeze=generator", "model.freeze: got 'generator'; expected list of str or null"),
        ("freeze=[generator]", "unknown setting or group 'freeze', did you mean 'model.freeze'?"),
        ("heads=sum", "unknown setting or group 'heads', did you mean 'model.heads'?"),
    ],
)
def test_what_is_wrong_is_said(words, sentence, command):
    result = command(f"fit {words}")
    assert result.code == 2
    assert result.error.startswith(sentence)


def test_functions_read_batches_too(command):
    printed = command("fit model.prepare_batch=lightning_gan.prepare_batch --print_config")
    assert "    prepare_batch: lightning_gan.prepare_batch\n" in printed.out
