"""The command ``explore``: its words, what it prints, how it ends."""

from __future__ import annotations

import io
import json
import os
import resource
import shlex
import signal
import socket
import subprocess
import sys
import threading
import urllib.request

import exporting
import pytest
from exporting import Painter

from lightning_gan.cli.commands import explore
from lightning_gan.explore import serving


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "plain.ckpt"
    exporting.save(exporting.plain(num_classes=3), path)
    return path


@pytest.fixture
def served(monkeypatch):
    """What would be served, in place of serving it."""
    apps = []
    monkeypatch.setattr(serving, "serve", lambda app, found: apps.append(app))
    return apps


def test_it_says_where_the_page_is(command, file, served):
    result = command(f"explore {file}")
    assert (result.code, result.err) == (0, "")
    first, last = result.out.splitlines()
    assert first.startswith("explore: http://127.0.0.1:86")
    assert first.endswith(" (Ctrl-C ends it)")
    assert last == "explore: ended"
    assert served[0].hosts == {"localhost", "127.0.0.1", "::1"}


def test_it_listens_beyond_this_machine_only_when_told_twice(command, file, served):
    assert command(f"explore {file} --host=0.0.0.0").error == (
        "explore: at --host=0.0.0.0 everybody who reaches this machine over the network sees the "
        "page and lets this machine compute; there is no password and no encryption. If that is "
        "meant, add --public=true"
    )
    assert served == []
    result = command(f"explore {file} --host=0.0.0.0 --public=true")
    assert result.code == 0
    assert "Everybody who reaches this machine over the network sees it." in result.out
    assert served[0].hosts is None


def test_a_port_that_is_taken(command, file, served):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert command(f"explore {file} --port={port}").error == (
            f"port {port} is taken by another program; leave --port out, and a free one is found"
        )
    assert command(f"explore {file} --port={port}").out.startswith(
        f"explore: http://127.0.0.1:{port} "
    )


def test_the_extra_that_is_missing(command, file, monkeypatch):
    monkeypatch.setattr(explore, "NEEDED", ("starlette", "no_such_server"))
    assert command(f"explore {file}").error == (
        "explore needs no_such_server, which is not installed; try: pip install "
        "'lightning-gan[explore]'"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("explore", "explore expects PATH first, got nothing: lightning-gan explore runs/"),
        ("explore nowhere", "nothing is at nowhere; expected a checkpoint, a run or an exported"),
        ("explore x --port=0", "explore: --port expects a whole number from 1, got '0'"),
        ("explore x --port=65536", "explore: --port expects a number from 1 to 65535, got 65536"),
        ("explore x --host=a..b", "there is no host 'a..b'; try 127.0.0.1"),
        ("explore x --share=true", "explore: unknown option --share. Options are --port, --host,"),
        ("explore x --public=yes", "explore: --public expects true or false, got 'yes'"),
    ],
)
def test_wrong_words(command, words, message):
    result = command(words)
    assert result.code == 2
    assert result.error.startswith(message)


def test_help(command):
    text = command("explore --help").out
    assert text.startswith("usage: lightning-gan explore PATH [--name=value ...]\n")
    assert all(f"--{name}" in text for name in ("port", "host", "public", "input_range"))
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.slow
def test_it_serves_and_ends_with_ctrl_c(tmp_path):
    exporting.save(exporting.gan(Painter()), tmp_path / "painter.ckpt")
    words = [sys.executable, "-m", "lightning_gan", "explore", "painter.ckpt", "--trust=true"]
    process = subprocess.Popen(
        ["bash", "-c", f"ulimit -Sn 256; exec {shlex.join(words)}"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    timer = threading.Timer(180, process.kill)
    timer.start()
    try:
        line = process.stdout.readline()
        url = line.split()[1]
        with urllib.request.urlopen(f"{url}/api/about", timeout=30) as answer:
            assert json.load(answer)["input"] is True
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert "<title>" in io.TextIOWrapper(answer).read()
        files, most = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        assert files == (serving.FILES if most == resource.RLIM_INFINITY else min(8192, most))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        timer.cancel()
        process.kill()
    assert (process.returncode, out, err) == (0, "explore: ended\n", "")
