"""Help: what can be written, with every choice that is installed, and the options of a choice."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from lightning_gan.cli import compose, explore, export, package, sample, trees
from lightning_gan.cli.arguments import RUNS, TOOLS, Request
from lightning_gan.cli.options import check_key
from lightning_gan.errors import InputError

WIDTH = 96
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
INIT = """\
usage: lightning-gan init [key=value ...]

Write a commented configuration that runs. Asks what is not said: what data, how long, what machine.

settings:
  data=digits      a data set (digits, mnist, fashion_mnist, cifar10), or a folder or zip of images
  time=10m         how long to train: 30s, 10m, 2h, 1d, or a number of steps
  machine=auto     cpu, gpu, auto, or how many GPUs
  out=gan.yaml     the file to write

example:
  lightning-gan init data=photos time=2h machine=gpu"""
EVALUATE = """\
usage: lightning-gan evaluate CHECKPOINT [key=value ...]

Score a checkpoint against real images. The data are those of the run, as config.yaml in its folder
says; data=NAME and data.KEY=... change them. The card goes to scorecards/ in the run's folder.

settings, with their defaults:
{settings}

examples:
  lightning-gan evaluate runs/mnist_dcgan/version_0/checkpoints/last.ckpt
  lightning-gan evaluate runs/mnist_dcgan/version_0/checkpoints/last.ckpt n_fake=100000 split=test
  lightning-gan evaluate model.ckpt data=mnist data.root=data metrics=[fid,precision_recall]"""
COMPARE = """\
usage: lightning-gan compare CARD CARD [CARD ...]

Show score cards side by side, and which is better. Cards that were not measured alike are refused.

example:
  lightning-gan compare runs/a/scorecards/last.json runs/b/scorecards/last.json"""
REPORT = """\
usage: lightning-gan report RUN [--open]

Write one page about a run into its folder: curves, pictures, score cards, configuration.
  --open    show it in the browser

example:
  lightning-gan report runs/mnist_dcgan/version_0 --open"""
BENCHMARK = """\
usage: lightning-gan benchmark [key=value ...]

Train as fit does and, in turns with it and in the same process, with two loops written by hand:
a plain one, as in PyTorch's tutorial, and a hand-tuned one. Shows the speed of each, the ratio of
each pair by rounds, and writes them to benchmark.json in the run's folder. Ratios are of CPU time
on a CPU, so that other programs disturb them little, and of time on the wall on a GPU.

settings, with their defaults, beside those of fit:
  rounds=5                   rounds; each gives one ratio of every pair of loops
  steps=50                   batches of each loop in a round
  out=                       JSON file to write instead of benchmark.json in the run's folder
  experiment=benchmark_dense what is trained, unless you say what: benchmark_dcgan, or your own
The loops know no regularizers, clipping or micro-batches; the error says what to leave out.
trainer.precision applies to fit and the hand-tuned loop, the plain one stays in full precision.
Validation is left out, and the rounds decide trainer.max_steps.

examples:
  lightning-gan benchmark data.root=data threads=1
  lightning-gan benchmark experiment=benchmark_dcgan data=random steps=10 out=dcgan.json
  lightning-gan benchmark trainer.precision=bf16-mixed data=random data.n=60000"""
DATA = """\
usage: lightning-gan data inspect ROOT

Show what a folder or zip of images holds: classes, sizes, modes, endings, files that are left out,
duplicates, and every broken image, which is found by decoding all. At the end, what training would
make of it. The exit code is 1 where an image is broken.

examples:
  lightning-gan data inspect my_images
  lightning-gan data inspect my_images.zip"""
PLUGINS = """\
usage: lightning-gan plugins list [--json] [--check]
       lightning-gan plugins show [KIND] NAME [--json]
       lightning-gan plugins check NAME | DISTRIBUTION
       lightning-gan plugins new NAME --kind KIND [--out FOLDER]
       lightning-gan plugins doctor DISTRIBUTION [--tests FOLDER]
       lightning-gan plugins schema [--out FILE]

List every registered component: kind, name, distribution, version and status.
  --json    as JSON, with class paths
  --check   import each one and say which are broken (exit code 1)

Or show one: its formula and source, its arguments with their ranges, what it declares, and a line
that uses it. The kind is needed where two kinds share a name; distribution:name is understood.
  --json    as JSON

check looks at the metadata of a component, or of all of a distribution, imports it, and checks the
contract of its kind (exit code 1 where something is wrong). new writes a distribution with one
component that installs and passes its tests. doctor runs the conformance kit and a distribution's
own tests against this version. schema writes a JSON schema of the whole configuration for editors.

LIGHTNING_GAN_PLUGINS=module registers the components of a module without installing it;
LIGHTNING_GAN_DISABLE=distribution switches one off.

examples:
  lightning-gan plugins show wgan_gp
  lightning-gan plugins show generator dcgan
  lightning-gan plugins new my-hinge --kind loss"""

TEXTS = {
    "plugins": PLUGINS,
    "init": INIT,
    "compare": COMPARE,
    "report": REPORT,
    "benchmark": BENCHMARK,
    "data": DATA,
}
PAGES = {
    "export": export.EXPORT,
    "explore": explore.EXPLORE,
    "package": package.PACKAGE,
    **sample.COMMANDS,
}


def text(request: Request) -> str:
    """Return the help for a request: in general, or for the components that it chooses.

    Raises:
        InputError: A choice is unknown.
    """
    if request.command == "evaluate":
        return EVALUATE.format(settings=_table(_evaluation()))
    if request.command in TEXTS:
        return TEXTS[request.command]
    if request.command in PAGES:
        return PAGES[request.command].help()
    chosen = list(_chosen(request))
    if chosen:
        return "\n\n".join(_options(group, name) for group, name in chosen)
    return "\n\n".join(_overview(request.command or "fit"))


def _overview(command: str) -> Iterator[str]:
    yield (
        f"usage: lightning-gan {command} [key=value ...]\n"
        f"       lightning-gan {command} [--config FILE] [--key=value ...]"
    )
    yield "commands:\n" + _table(
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
    yield "config groups:\n" + _table((name, ", ".join(compose.choices(name))) for name in groups)
    yield "experiments (experiment=NAME):\n" + _table(
        (name, compose.description("experiment", name)) for name in compose.choices("experiment")
    )
    defaults = compose.settings([])
    yield "settings, with their defaults:\n" + _table(
        (f"{path}={as_setting(get(defaults, path))}", doc) for path, doc in COMMON.items()
    )
    yield f"examples:\n{textwrap.indent(EXAMPLES.get(command, MEASURE).format(command), '  ')}"
    yield "more:\n" + _table(
        {
            f"lightning-gan {command} --print_config": "every setting and its value, for --config",
            f"lightning-gan {command} --help generator=dcgan": "the settings of a choice",
            "lightning-gan fit -m loss=minimax,non_saturating": "a run for each combination",
        }.items()
    )


def _evaluation() -> Iterator[tuple[str, str]]:
    """Yield the settings of an evaluation and what they mean."""
    from lightning_gan.cli import evaluate
    from lightning_gan.components.taking import arguments_of
    from lightning_gan.evaluation.plan import METRICS, Plan

    for argument in arguments_of(Plan).values():
        doc = argument.doc.replace("METRICS", ", ".join(METRICS)).replace("None", "null")
        yield f"{argument.name}={as_setting(argument.default)}", doc
    yield from ((f"{name}=", doc) for name, doc in evaluate.OWN.items())


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
    from lightning_gan.cli.resolve import FROM_DATA
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


def as_setting(value: Any) -> str:
    """Return a value as one writes it in a setting."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(as_setting, value))}]"
    return str(value)


def _table(rows: Any) -> str:
    """Return two columns, the second wrapped."""
    pairs = list(rows)
    width = max(len(name) for name, _ in pairs) + 2
    lines = []
    for name, doc in pairs:
        wrapped = textwrap.wrap(doc, WIDTH - 2 - width) or [""]
        lines.append(f"  {name:<{width}}{wrapped[0]}".rstrip())
        lines += [" " * (2 + width) + line for line in wrapped[1:]]
    return "\n".join(lines)


def stacked(rows: list[tuple[str, str]]) -> str:
    """Return each setting on a line with its meaning below."""
    return "\n".join(
        "\n".join([f"  {name}", *(f"      {line}" for line in textwrap.wrap(doc, WIDTH - 6))])
        for name, doc in rows
    )
