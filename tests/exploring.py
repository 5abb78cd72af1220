"""Pages of small generators, served in this process."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import exporting
import toys
from exporting import Painter

from lightning_gan.explore import serving
from lightning_gan.explore.explorer import Explorer
from lightning_gan.explore.site import application
from lightning_gan.export import LoadedGenerator
from lightning_gan.priors.normal import NormalPrior

HOSTS = frozenset({"localhost", "127.0.0.1"})
ABOUT = {
    "path": "a run", "quoted": "'a run'", "network": "MLPGenerator", "step": 7,
    "averaged": False, "shape": [1, 8, 8], "latent_dim": 3,
}  # fmt: skip


def drawing(**arguments):
    made = toys.generator(**{"sample_shape": exporting.SHAPE, "hidden": (4,), **arguments})
    return LoadedGenerator(made, NormalPrior())


def painting(**arguments):
    return LoadedGenerator(Painter(**arguments), None)


class Page:
    """A page that is served, and what it answers."""

    def __init__(self, url, explorer):
        self.url, self.explorer = url, explorer

    def ask(self, path, body=None, **headers):
        """Status and content of an answer, JSON as what it says."""
        request = urllib.request.Request(f"{self.url}/{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, kind, content = answer.status, answer.headers["content-type"], answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, kind, content = error.code, error.headers["content-type"], error.read()
        return status, json.loads(content) if kind == "application/json" else content


@contextmanager
def serving_of(loaded, hosts=HOSTS, **about):
    explorer = Explorer(loaded)
    # Of the system's choice: the first free one would soon be that of another test's page.
    with serving.listen("127.0.0.1", 0) as socket:
        server = serving.server(application(explorer, {**ABOUT, **about}, hosts))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield Page(serving.url(socket), explorer)
        finally:
            server.should_exit = True
            thread.join()
