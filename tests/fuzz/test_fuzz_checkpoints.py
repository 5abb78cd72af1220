"""Whatever has become of a file that we wrote, reading it gives what it holds or one sentence."""

from __future__ import annotations

import copy
import json
import warnings
import zipfile

import pytest
import torch
import toys
from fuzzing import cases, in_time, little_memory
from hypothesis import given
from hypothesis import strategies as st

from lightning_gan import EMA, GANModule
from lightning_gan.cli.trainer.ckpt_path import find_checkpoint
from lightning_gan.errors import InputError
from lightning_gan.evaluation import ScoreCard, compare
from lightning_gan.export import export_generator, load_generator
from lightning_gan.metrics.cache import load_tensors, save_tensors
from lightning_gan.training.checkpoint import read_checkpoint


@pytest.fixture(scope="module", autouse=True)
def _little_memory():
    with little_memory():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A real checkpoint, an exported generator, a file of the cache and a score card, all tiny."""
    made = tmp_path_factory.mktemp("whole")
    gan = toys.gan(ema=EMA())
    run = toys.fit(made, gan, steps=1)
    run.save_checkpoint(made / "run.ckpt", weights_only=False)
    export_generator(gan, made)
    save_tensors(made / "judge.safetensors", {"a": torch.ones(3)}, {"accuracy": 0.5})
    protocol = {"n_fake": 4, "data": {"class": "a"}, "features": {"name": "judge"}}
    ScoreCard({"fid": 1.5, "kl": float("nan")}, protocol, {}, {"step": 3}).save(made / "card.json")
    return made


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """Where the harmed files go."""
    return tmp_path_factory.mktemp("changed")


def read_one(read, path):
    """Read a file; nothing but an InputError may come of it."""
    with in_time(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read(path)
        except InputError as error:
            message = str(error)
    assert message
    assert "\n" not in message
    return message


def read_all(path):
    """Read a checkpoint in every way in which the library does."""
    read_one(read_checkpoint, path)
    read_one(GANModule.load_from_checkpoint, path)
    read_one(lambda file: find_checkpoint("fit", str(file), str(file.parent), 10), path)


def harmed(data, content, within=None):
    """Draw damage to bytes: bits, cut ends, holes, strangers' bytes.

    Args:
        data: Hypothesis' source.
        content: The bytes.
        within: Where most changes go: first and last place.
    """
    content = bytearray(content)
    everywhere = (0, len(content) - 1)
    kind = data.draw(st.sampled_from(["bits", "bits", "bits", "cut", "hole", "bytes"]))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(
            st.integers(*data.draw(st.sampled_from([everywhere, within or everywhere])))
        )
        if kind == "bits":
            content[place] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "hole":
            content[place : place + 64] = bytes(len(content[place : place + 64]))
        elif kind == "bytes":
            content[place : place + 1] = data.draw(st.binary(max_size=9))
        else:
            return bytes(content[:place])
        place = min(place, len(content) - 1)
    return bytes(content)


@given(data=st.data())
@cases(1000)
def test_damaged_checkpoints(folder, changed, data):
    path = folder / "run.ckpt"
    with zipfile.ZipFile(path) as archive:
        (pickled,) = (item for item in archive.infolist() if item.filename.endswith("/data.pkl"))
    within = (pickled.header_offset, pickled.header_offset + pickled.file_size)
    (changed / "last.ckpt").write_bytes(harmed(data, path.read_bytes(), within))
    read_all(changed / "last.ckpt")


def laughs():
    """A list of some hundred bytes that stands for 2**60 items."""
    item = [1, 2]
    for _ in range(60):
        item = [item, item]
    return item


def deep():
    item = {}
    for _ in range(90):
        item = {"dict": item}
    return item


STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-3, 300),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from([[], {}, (), 10**400, 2**31, "os.system", "\n\x1b[2J", "meta", "cuda"]),
    st.builds(deep),
    st.sampled_from(
        [
            {"import": "os.system"},
            {"import": "torch.relu"},
            {"class_path": "lightning_gan.losses.minimax.MinimaxLoss", "init_args": {}},
            {"class_path": "x.Y", "init_args": {}, "distribution": "a; b", "version": []},
            {"unportable": "x\ny"},
        ]
    ),
)


# What no JSON file can hold.
PICKLED = (
    STRANGE | st.builds(laughs) | st.builds(torch.zeros, st.sampled_from([(), (0,), (3,), (2, 2)]))
)


def replaced(data, content, strange):
    """Draw a change to one place of nested dicts and lists: another value, none, or another key."""
    content = node = copy.deepcopy(content)
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 3)) == 0:
            break
        node = inner
    kind = data.draw(st.sampled_from(["value", "value", "value", "none", "key"]))
    if kind == "none" or (kind == "key" and isinstance(node, list)):
        del node[key]
    elif kind == "key":
        node[data.draw(st.text(max_size=5) | st.integers())] = node.pop(key)
    else:
        node[key] = data.draw(strange)
    return content


@given(data=st.data())
@cases(200)
def test_checkpoints_that_say_something_else(folder, changed, data):
    content = torch.load(folder / "run.ckpt", weights_only=True)
    part = data.draw(st.sampled_from(["lightning_gan", "lightning_gan", "state_dict", None]))
    if part is None:
        content = replaced(data, content, PICKLED)
    else:
        content[part] = replaced(data, content[part], PICKLED)
    torch.save(content, changed / "last.ckpt")
    read_all(changed / "last.ckpt")
    read_one(
        lambda file: find_checkpoint("validate", "last", str(file.parent)), changed / "last.ckpt"
    )


@given(data=st.data())
@cases(200)
def test_exported_generators(folder, changed, data):
    name = data.draw(st.sampled_from(["generator.json", "generator.safetensors"]))
    for each in ("generator.json", "generator.safetensors"):
        content = (folder / each).read_bytes()
        (changed / each).write_bytes(harmed(data, content, (0, 200)) if each == name else content)
    read_one(load_generator, changed)


@given(data=st.data())
@cases(200)
def test_descriptions_that_say_something_else(folder, changed, data):
    (changed / "generator.safetensors").write_bytes((folder / "generator.safetensors").read_bytes())
    content = replaced(data, json.loads((folder / "generator.json").read_text()), STRANGE)
    (changed / "generator.json").write_text(json.dumps(content))
    read_one(load_generator, changed)


@given(data=st.data())
@cases(200)
def test_score_cards(folder, changed, data):
    content = (folder / "card.json").read_bytes()
    (changed / "card.json").write_bytes(harmed(data, content))
    card = read_one(ScoreCard.load, changed / "card.json")
    if isinstance(card, ScoreCard):
        read_one(lambda one: compare(one, one).text(), card)


@given(data=st.data())
@cases(200)
def test_the_cache(folder, changed, data):
    content = (folder / "judge.safetensors").read_bytes()
    (changed / "judge.safetensors").write_bytes(harmed(data, content))
    with in_time():
        try:
            load_tensors(changed / "judge.safetensors")
        except (ValueError, OSError):  # as documented: what is cached is made anew
            return


def test_the_whole_file_is_read(folder):
    """The one that must not end in a sentence."""
    assert isinstance(read_one(GANModule.load_from_checkpoint, folder / "run.ckpt"), GANModule)
