"""What the words of the command line ask for; nothing of the configuration itself is read here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lightning_gan.errors import InputError, nearest

RUNS = {
    "fit": "train",
    "validate": "measure a checkpoint on the validation data",
    "test": "measure a checkpoint on the test data",
    "predict": "write images drawn from a checkpoint",
}
TOOLS = {
    "init": "write a configuration after three questions",
    "evaluate": "write a score card for a checkpoint",
    "compare": "show score cards side by side",
    "report": "write a page about a run",
    "export": "write a generator to a folder for others: safetensors, torch.export, ONNX",
    "sample": "draw samples from a checkpoint, a run or an exported folder",
    "interpolate": "draw ways between latents, as a picture or a GIF",
    "manifold": "draw the plane of a generator with two latents",
    "project": "find the latent nearest to an image",
    "translate": "put a folder of images through a generator with an input",
    "explore": "look at a generator in the browser: samples, latents, inputs",
    "package": "write all of a training as safetensors and JSON, for others to fine-tune",
    "benchmark": "time training against hand-written loops",
    "data": "inspect a folder or zip of images: data inspect ROOT",
}
COMMANDS = (*RUNS, *TOOLS, "plugins")
FLAGS = {
    "-h": "help",
    "--help": "help",
    "--version": "version",
    "--print_config": "print_config",
    "-m": "multirun",
    "--multirun": "multirun",
}

Action = Literal[
    "run", "print_config", "sweep", "print_sweep", "help", "start", "tool", "plugins", "version"
]


@dataclass(frozen=True)
class Request:
    """One invocation, understood.

    Attributes:
        action: What to do.
        command: One of COMMANDS, "" where none is given.
        words: What follows the command, without the flags: Hydra overrides or the command's words.
        options: In the LightningCLI grammar, the options and their values in order, else None.
    """

    action: Action
    command: str
    words: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] | None = None


def read_words(argv: Sequence[str]) -> Request:
    """Understand the arguments, without the program's name.

    Raises:
        InputError: There is no such command, or the two grammars are mixed.
    """
    flags = {FLAGS[word] for word in argv if word in FLAGS}
    words = [word for word in argv if word not in FLAGS]
    if "version" in flags:
        return Request("version", "")
    if not words:
        if flags <= {"help"}:
            return Request("help" if flags else "start", "")
        raise InputError(f"no command given; expected one of {', '.join(COMMANDS)}")
    command, *rest = words
    if command not in COMMANDS:
        raise InputError(
            f"unknown command {command!r}{nearest(command, COMMANDS) or '.'} "
            f"Expected one of {', '.join(COMMANDS)} first, then its settings"
        )
    if command == "plugins":
        return Request("help" if "help" in flags else "plugins", command, tuple(rest))
    if command in TOOLS:
        for word in argv:
            if FLAGS.get(word, "help") != "help":
                raise InputError(f"{command} takes no {word}; see lightning-gan {command} --help")
        return Request("help" if "help" in flags else "tool", command, tuple(rest))
    options = _options(rest)
    if "help" in flags:
        return Request("help", command, tuple(rest), options)
    if "multirun" in flags:
        if options is not None:
            raise InputError("a sweep (-m) takes Hydra overrides: key=value1,value2, not --options")
        printed = "print_config" in flags
        return Request("print_sweep" if printed else "sweep", command, tuple(rest))
    action: Action = "print_config" if "print_config" in flags else "run"
    return Request(action, command, tuple(rest), options)


def _options(words: Sequence[str]) -> tuple[tuple[str, str], ...] | None:
    """Return ``(name, value)`` of all options, or None if the words are Hydra overrides.

    Raises:
        InputError: Words of both grammars or of none.
    """
    if not any(word.startswith("-") for word in words):
        for word in words:
            if "=" not in word and not word.startswith("~"):
                raise InputError(_bare(word))
        return None
    options = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-"):
            raise InputError(
                f"do not mix Hydra overrides (key=value) with --options: {word!r} is in between. "
                f"Write all of them as key=value, or all as --key=value"
                if "=" in word
                else _bare(word)
            )
        name, equals, value = word.partition("=")
        if name == "-c":
            name = "--config"
        if not name.startswith("--"):
            raise InputError(f"unknown option {name!r}; expected --key=value or --config FILE")
        if not equals:
            if not queue or queue[0].startswith("--"):
                raise InputError(f"{name} needs a value: {name}=VALUE")
            value = queue.pop(0)
        options.append((name[2:], value))
    return tuple(options)


def _bare(word: str) -> str:
    return (
        f"{word!r} is not a setting; expected key=value, for example experiment={word} or "
        f"trainer.max_steps=200, or --key=value"
    )
