"""Help: what can be written, with every choice that is installed, and the options of a choice."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from lightning_gan.cli.arguments import RUNS, TOOLS, Request
from lightning_gan.cli.commands import command_file
from lightning_gan.cli.layout import WIDTH, as_setting, columned, stacked
from lightning_gan.cli.plugins import listing
from lightning_gan.cli.settings import compose, trees
from lightning_gan.cli.settings.options import check_key
from lightning_gan.errors import InputError

# The settings that are changed most often; every other one is in --print_config.
COMMON = {
    "trainer.max_steps": "batches to train on",
    "trainer.accelerator": "cpu, gpu, auto, ...",
    "trainer.devices": "how many; more than one trains in parallel",
    "trainer.precision": "bf16-mixed is faster on a recent GPU",
    "trainer.default_root_dir": "runs go to version_0, version_1, ... in this folder",
    "data.batch_size": "real samples in a batch",
    "model.generator_optimizer.lr": "learning rate of the generator",
    "model.discriminator_optimizer.lr": "learning rate of the discriminator",
    "model.ema.half_life_kimg": "half-life of the averaged generator, in 1000 images",
    "model.micro_batches": "pieces of a batch, to save memory",
    "model.graph": "true: steps as CUDA graphs, on one GPU",
    "samples.every_n_steps": "batches between sample grids; samples=false: none",
    "health.every_n_steps": "batches between health checks; health=false: none",
    "evaluation": "score cards while training: evaluation.every_n_steps=1000; null: none",
    "best": "the score whose best checkpoint is kept: best=fid; best.patience=10 ends training",
    "checkpoint.every_n_train_steps": "batches between checkpoints; the last step always has one",
    "seed_everything": "seed of the whole run",
    "threads": "CPU threads of each process; small networks are fastest with 1",
    "ckpt_path": "checkpoint to go on from or to measure; last: the newest",
    "init_from": "weights to begin with (fine-tuning): a checkpoint, package, export or file",
}
EXAMPLES = {
    "fit": """\
lightning-gan fit experiment=mnist_dcgan data.root=data trainer.max_steps=5000
lightning-gan fit generator=mlp discriminator=mlp regularizers=[] model.generator.latent_dim=32
lightning-gan fit --config runs/digits_dcgan/version_0/config.yaml --trainer.max_steps=4000
lightning-gan fit --model.loss minimax --model.discriminator_optimizer.lr=1e-4"""
}
MEASURE = """\
lightning-gan {0} ckpt_path=last
lightning-gan {0} experiment=mnist_dcgan ckpt_path=runs/mnist_dcgan/version_0/checkpoints/last.ckpt
lightning-gan {0} --config runs/digits_dcgan/version_0/config.yaml --ckpt_path last"""
START = """\
lightning-gan trains GANs. What there is to do:

  lightning-gan fit                          train on small digits that come along: a minute
  lightning-gan init                         write a configuration for your own images
  lightning-gan fit experiment=mnist_dcgan   train one of the experiments; --help lists them
  lightning-gan report RUN --open            curves and pictures of a run in the browser
  lightning-gan evaluate CHECKPOINT          score it against real images
  lightning-gan sample RUN --out=new.png     draw samples from it; export: for others
  lightning-gan --help                       all commands, groups, experiments and settings
  lightning-gan fit --help generator=dcgan   the settings of one choice"""


def text(request: Request) -> str:
    """Return the help for a request: in general, or for the components that it chooses.

    Raises:
        InputError: A choice is unknown.
    """
    if request.command == "plugins":
        return listing.USAGE
    if request.command in TOOLS:
        page: str = command_file(request.command).usage()
        return page
    chosen = list(_chosen(request))
    if chosen:
        return "\n\n".join(_options(group, name) for group, name in chosen)
    return "\n\n".join(_overview(request.command or "fit"))


def _overview(command: str) -> Iterator[str]:
    yield (
        f"usage: lightning-gan {command} [key=value ...]\n"
        f"       lightning-gan {command} [--config FILE] [--key=value ...]"
    )
    yield "commands:\n" + columned(
        {
            **RUNS,
            **TOOLS,
            "plugins list": "list the installed components",
            "plugins show": "show one; plugins --help: check, new, doctor, schema",
        }.items()
    )
    yield textwrap.fill(
        "A config group is a choice of a named part: group=name. An experiment is a file that "
        "makes all the choices and settings of a run; what you write wins over it.",
        WIDTH,
    )
    groups = [group for group in compose.groups() if group != "experiment"]
    yield "config groups:\n" + columned((name, ", ".join(compose.choices(name))) for name in groups)
    yield "experiments (experiment=NAME):\n" + columned(
        (name, compose.description("experiment", name)) for name in compose.choices("experiment")
    )
    defaults = compose.settings([])
    yield "settings, with their defaults:\n" + columned(
        (f"{path}={as_setting(get(defaults, path))}", doc) for path, doc in COMMON.items()
    )
    yield f"examples:\n{textwrap.indent(EXAMPLES.get(command, MEASURE).format(command), '  ')}"
    yield "more:\n" + columned(
        {
            f"lightning-gan {command} --print_config": "every setting and its value, for --config",
            f"lightning-gan {command} --help generator=dcgan": "the settings of a choice",
            "lightning-gan fit -m loss=minimax,non_saturating": "a run for each combination",
        }.items()
    )


def _chosen(request: Request) -> Iterator[tuple[str, str]]:
    """Yield the group and name of every choice in the request."""
    if request.options is None:
        for word in request.words:
            override = compose.parse(word)
            compose.check_override(override)
            for name in compose.choices_of(override) if compose.is_group(override) else ():
                yield override.key_or_group, name
        return
    groups = {path: group for group, paths in compose.GROUP_PATHS.items() for path in paths}
    for path, name in request.options:
        if path == "config":
            continue
        check_key(path)
        if path in groups:
            compose.check_choice(groups[path], name)
            yield groups[path], name


def _options(group: str, name: str) -> str:
    """Return the settings of one choice: name, type, default and meaning."""
    if group not in compose.GROUP_PATHS:
        return f"{group}={name}: {compose.description(group, name) or 'no description'}"
    from lightning_gan.cli.settings.resolve import FROM_DATA
    from lightning_gan.components.hints import describe_hint
    from lightning_gan.components.locating import load_class
    from lightning_gan.components.taking import arguments_of

    content = compose.choice(group, name)
    if group == "regularizers":
        (key, content), *_ = content.items()
    path = compose.GROUP_PATHS[group][0] + (f".{key}" if group == "regularizers" else "")
    cls = load_class(content["class_path"])
    first = (cls.__doc__ or "").strip().split("\n\n")[0]
    places = ", ".join(compose.GROUP_PATHS[group])
    rows = []
    for argument in arguments_of(cls, 1 if group == "optimizer" else 0).values():
        by_data = group in ("generator", "discriminator") and argument.name in FROM_DATA
        value = content.get(argument.name, argument.default)
        default = "required" if argument.required else as_setting(value)
        kind = describe_hint(argument.hint)
        setting = f"{path}.{argument.name}: {kind} = {'from the data' if by_data else default}"
        rows.append((setting, argument.doc.replace("``", "`")))
    header = f"{group}={name}: {' '.join(first.split())}\n({content['class_path']}, at {places})"
    return header + "\n" + (stacked(rows) or "  no settings")


def get(settings: dict[str, Any], path: str) -> Any:
    """Return the value at a dotted path of settings in short form."""
    node: Any = settings
    for key in trees.keys(path):
        if not isinstance(node, dict) or key not in node:
            raise InputError(f"{path} is not in the default configuration")
        node = node[key]
    return node
