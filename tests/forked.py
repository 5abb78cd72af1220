"""Processes forked off one that has imported everything: a start in place of seconds of imports.

What they run is as it is after ``python -m lightning_gan`` or ``python script.py``: argv, paths,
environment, output and exit code are their own, and processes that they start are started anew.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from multiprocessing import connection
from pathlib import Path

TESTS = Path(__file__).parent
IMPORTED = [
    *("lightning_gan.cli.trainer.run", "lightning_gan.cli.trainer.sweep", "lightning_gan.data"),
    *("lightning_gan.callbacks", "lightning_gan.evaluation", "lightning_gan.testing"),
    *("torch._dynamo", "torch.utils.tensorboard", "matplotlib.pyplot", "scipy.linalg"),
]
LIMIT_S = 300


def context():
    """Return where processes come from; all of a test run have one origin."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(IMPORTED)
    return found


def _become(job, words, folder, environment, output, errors):
    os.setsid()
    multiprocessing.set_start_method(None, force=True)  # what is usual here, for loaders' workers
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(output.fileno(), 1)
    os.dup2((errors or output).fileno(), 2)
    for pipe in (output, errors):
        if pipe is not None:
            pipe.close()
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.path[:] = [path for path in sys.path if not Path(path).is_relative_to(TESTS)]
    sys.argv = [str(job), *words]
    if job == "lightning_gan":
        sys.path.insert(0, str(folder))
        runpy.run_module(job, run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, str(Path(job).parent))
        runpy.run_path(str(job), run_name="__main__")


class Started:
    """A process, as ``subprocess.Popen`` has it.

    Args:
        job: ``lightning_gan``, the command, or the path of a script.
        words: Its arguments.
        folder: Where it works.
        environment: What it has beside ours.
        merged: Whether errors go where output goes.
    """

    def __init__(self, job, words, folder, environment=None, merged=True):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        pipes = [context().Pipe(duplex=False) for _ in range(1 if merged else 2)]
        self._pipes = [ours for ours, _ in pipes]
        output, errors = pipes[0][1], None if merged else pipes[1][1]
        words = tuple(map(str, words))
        self._process = context().Process(
            target=_become, args=(str(job), words, str(folder), environment, output, errors)
        )
        self._process.start()
        for _, theirs in pipes:
            theirs.close()
        self.pid, self.sentinel = self._process.pid, self._process.sentinel

    @property
    def returncode(self):
        return self._process.exitcode

    def poll(self):
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout=LIMIT_S):
        """Return all that it and its own processes wrote, when the last of them has left."""
        end = time.monotonic() + timeout
        texts = dict.fromkeys(self._pipes, b"")
        left = list(texts)
        while left:
            ready = connection.wait(left, max(0.0, end - time.monotonic()))
            if not ready:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            for pipe in ready:
                read = os.read(pipe.fileno(), 1 << 16)
                texts[pipe] += read
                if not read:
                    left.remove(pipe)
        self._process.join()
        said = [texts[pipe].decode() for pipe in self._pipes]
        return said[0], said[1] if len(said) == 2 else None


def end(process, timeout=LIMIT_S):
    """Return all that a process wrote; one that hangs is killed with its children."""
    try:
        return process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


def run(job, *words, folder=".", environment=None):
    """Return what came of a job, as ``subprocess.run`` does."""
    process = Started(job, words, Path(folder).resolve(), environment, merged=False)
    out, err = end(process)
    return subprocess.CompletedProcess([job, *words], process.returncode, out, err)


def in_two(job, *words, folder=".", environment=None):
    """Run a job in two processes, each told its place as launchers tell it; both end well."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    place |= {"NODE_RANK": "0", **(environment or {})}
    folder = Path(folder).resolve()
    ranks = [Started(job, words, folder, {**place, "LOCAL_RANK": rank}) for rank in "01"]
    running = list(ranks)
    while running and all(rank.returncode in (None, 0) for rank in ranks):
        if not connection.wait([rank.sentinel for rank in running], LIMIT_S):
            break
        running = [rank for rank in running if rank.returncode is None]
    for rank in running:  # would wait for the other for ever
        rank.kill()
    outputs = [end(rank)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], "\n".join(outputs)[-4000:]
