"""Whatever is written on the command line or in a file ends in settings or in one sentence."""

from __future__ import annotations

import copy
import functools
import warnings
from pathlib import Path

import pytest
import yaml
from fuzzing import cases, in_time
from hypothesis import given
from hypothesis import strategies as st

from lightning_gan.__main__ import main
from lightning_gan.cli.arguments import read_words
from lightning_gan.cli.settings import compose, options
from lightning_gan.cli.settings.resolve import resolve
from lightning_gan.errors import InputError

pytestmark = pytest.mark.usefixtures("composed_once")

# Values that somebody has got wrong before, or that mean harm.
ODD = (
    "", "=", "~", "-", "--", "null", "true", "1_000", "0x1F", "1e999", "-1e400", ".nan", "9" * 5000,
    "2020-13-45", "2001-01-01 25:61:61", "190:20:30", "[", "{", "[1", "{a: b", "[" * 500,
    "{a: " * 99, "[" * 30 + "]" * 30, "[" * 60 + "]" * 60, "[" * 200 + "]" * 200, "&a [*a]",
    "&a {b: *a}", "*a", "<<: 1", "{<<: [1]}", "? x", "{[]: 1}", "{{}: 1}", "{1: 2}", "{null: 3}",
    "!!python/object/apply:os.system [true]", "!!python/name:os.system", "!!binary x", "!!set {a}",
    "!!omap [a]", "!!timestamp x", "!!int x", "!!float x", "!!bool x", "%TAG", "@", "`", "'", '"',
    "\\", "\t", "a\nb", "\x07", "\x1b[2J", "\ud800", "é", "名前", "\u202e", "${", "${a}",
    "${trainer}",
    "${oc.env:NOTHING}", "${oc.env:HOME}", "${.}", "${..}", "${now:%Y}", "${oc.eval:1}", "???",
    "1,2", "a,b", "range(1,9)", "choice(1)", "glob(*)", "sort(1,2)", "os.system", "builtins.eval",
    "subprocess.Popen", "subprocess", ".", "..", "a.", ".a", "a..b",
    "lightning_gan.components.spec.os.system",
    "torch.optim.Adam", "torch.load", "torch.nn.Linear", "mlp", "lightning-gan:mlp", ":mlp",
    "a:b:c", "{class_path: mlp}", "{class_path: 3}", "{class_path: [mlp]}", "{class_path: null}",
    "{init_args: 1}", "{class_path: mlp, init_args: [1]}", "{class_path: mlp, dict_kwargs: 3}",
    "{class_path: os.system, init_args: {command: 'true'}}", '{"class_path": "mlp"}', "[[[[1]]]]",
    "{true: [1, {2: 3}]}", "A" * 5000, "/", "/dev/null", "/" + "A" * 300, "~root", "s3://x",
)  # fmt: skip
GROUPS = (
    "generator=mlp",
    "loss=minimax",
    "experiment=mnist_dense",
    "regularizers=[r1]",
    "data=random",
)
LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))


def paths(node, above=""):
    for key, value in node.items():
        yield above + key
        if isinstance(value, dict):
            yield from paths(value, f"{above}{key}.")


@functools.cache
def known():
    """Every setting of the default configuration, with its value."""
    return compose.settings([])


@functools.cache
def keys():
    """Keys that mean something, half of them with an error in them, and any text."""
    real = st.sampled_from([*paths(known()), *compose.TOP, *compose.groups(), "model.loss.x.y"])
    ends = (
        "x",
        ".x",
        ".class_path",
        ".init_args.x",
        ".0",
        ".-1",
        ".99",
        "+",
        "..",
        ".",
        " ",
        "@a.b",
    )
    wrong = st.builds(str.__add__, real, st.sampled_from(ends))
    return real | wrong | st.text(max_size=12)


VALUES = (
    st.sampled_from(ODD)
    | st.text(max_size=20)
    | st.integers().map(str)
    | st.floats().map(str)
    | st.lists(st.sampled_from(ODD), max_size=3).map(lambda items: f"[{','.join(items)}]")
    | st.dictionaries(st.text(max_size=5), st.sampled_from(ODD), max_size=3).map(
        lambda items: "{" + ",".join(f"{key}: {value}" for key, value in items.items()) + "}"
    )
)
PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(ODD)
    | st.text(max_size=8) | st.dates() | st.binary(max_size=4)
)  # fmt: skip
TREES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


def settle(argv):
    """Do what a run does with its words before it builds anything."""
    message = "fine"
    with warnings.catch_warnings(), in_time():
        warnings.simplefilter("ignore")  # as the command does
        try:
            request = read_words(argv)
            if request.action in ("run", "print_config"):
                if request.options is None:
                    resolve(compose.settings(request.words))
                else:
                    resolve(options.settings_of_options(request.options))
        except InputError as error:
            message = str(error)
    assert message
    assert "\n" not in message or any("\n" in word for word in argv)


@given(data=st.data())
@cases(500)
def test_options(data):
    words = data.draw(st.lists(st.tuples(keys(), VALUES), min_size=1, max_size=3))
    joined = [f"--{key}={value}" if "=" not in key else f"--{key}" for key, value in words]
    settle(["fit", *joined])


@given(data=st.data())
@cases(500)
def test_overrides(data):
    words = data.draw(st.lists(st.tuples(keys(), VALUES), min_size=1, max_size=3))
    signs = st.sampled_from(["", "", "", "", "+", "++", "~"])
    more = data.draw(st.sampled_from([*([[]] * 3), *([group] for group in GROUPS)]))
    settle(["fit", *more, *(f"{data.draw(signs)}{key}={value}" for key, value in words)])


@given(st.lists(st.text() | st.sampled_from(["fit", "-m", "--config", "-c", "--help", *ODD])))
@cases(200)
def test_words(words):
    settle(words)


@given(data=st.data())
@cases(200)
def test_files(tmp_path_factory, data):
    file = tmp_path_factory.getbasetemp() / "run.yaml"
    content = copy.deepcopy(known())
    for path in data.draw(st.lists(keys(), max_size=3)):
        *parents, last = path.split(".")
        node = content
        for key in parents:
            node = node.setdefault(key, {}) if isinstance(node, dict) else {}
        if isinstance(node, dict):
            node[last] = data.draw(TREES)
    text = yaml.safe_dump(content, allow_unicode=True).encode("utf-8", "replace")
    cut = data.draw(st.none() | st.integers(0, len(text)))
    file.write_bytes(text[:cut] + data.draw(st.just(b"") | st.binary(max_size=20)))
    settle(["fit", "--config", str(file)])


@pytest.mark.parametrize("text", [*ODD, LAUGHS, "a: &a [*a]", "model: &m {generator: *m}"])
def test_odd_files(tmp_path, text):
    file = tmp_path / "run.yaml"
    for content in (text, f"model: {{generator: {text}}}", f"data:\n  {text}"):
        file.write_text(content, encoding="utf-8", errors="surrogatepass")
        settle(["fit", "--config", str(file)])


@given(data=st.data())
@cases(40)
def test_the_whole_command(tmp_path_factory, data):
    """The slow way: the command itself, up to the printed configuration."""
    key, value = data.draw(keys()), data.draw(VALUES)
    sign = data.draw(st.sampled_from(["", "--"]))
    with pytest.MonkeyPatch.context() as patch, in_time():
        patch.chdir(tmp_path_factory.getbasetemp())
        assert main(["fit", f"{sign}{key}={value}", "--print_config"]) in (0, 2)
        assert not Path("runs").exists()
