"""What the page asks for: answers, refusals, and many requests at once."""

from __future__ import annotations

import base64
import http.client
import io
import json
import re
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from exploring import drawing, painting, serving_of
from PIL import Image

import lightning_gan.explore
from lightning_gan.explore import gate, serving, site
from lightning_gan.explore.explorer import Pick

FOLDER = Path(lightning_gan.explore.__file__).parent


def decoded(url):
    assert url.startswith("data:image/png;base64,")
    return base64.b64decode(url.partition(",")[2])


def size(png):
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return image.size


def png(height, width):
    made = io.BytesIO()
    Image.fromarray(np.zeros((height, width), dtype=np.uint8)).save(made, "PNG")
    return made.getvalue()


def test_it_says_what_there_is(classes, painter):
    status, about = classes.ask("api/about")
    assert status == 200
    assert about["path"] == "a run"
    assert (about["classes"], about["latents"], about["plane"], about["input"]) == (
        3, True, False, False,
    )  # fmt: skip
    _, about = painter.ask("api/about")
    assert (about["classes"], about["latents"], about["plane"], about["input"]) == (
        None, False, False, True,
    )  # fmt: skip


def test_samples(classes):
    status, found = classes.ask("api/samples?seed=4&num=5&label=turns")
    assert status == 200
    assert [each["label"] for each in found["samples"]] == [0, 1, 2, 0, 1]
    drawn = classes.explorer.draw(4, 1, 0)
    assert decoded(found["samples"][0]["image"]) == drawn[0].png
    _, found = classes.ask("api/samples?num=3&label=2&truncation=0.5")
    assert [each["label"] for each in found["samples"]] == [2, 2, 2]
    assert len(classes.ask("api/samples")[1]["samples"]) == 16


def test_pictures(classes):
    explorer = classes.explorer
    assert size(classes.ask("api/samples.png?num=4")[1])[0] >= 300
    assert classes.ask("api/point?x=0.2&y=1&seed=3&label=1")[1] == explorer.point(0.2, 1, 3, 1)
    assert classes.ask("api/map?size=3&label=1")[1] == explorer.map(3, label=1)
    found = classes.ask("api/way?from=0:1&to=2:3&num=4&label=2")[1]["samples"]
    way = explorer.way(Pick(0, 1), Pick(2, 3), 4, 2)
    assert [decoded(each["image"]) for each in found] == [each.png for each in way]
    strip = explorer.strip(Pick(0, 1), Pick(2, 3), 4, 2)
    assert classes.ask("api/way.png?from=0:1&to=2:3&num=4&label=2")[1] == strip


def test_a_translation(painter):
    status, found = painter.ask("api/translate?side=8", png(4, 16))
    assert status == 200
    assert size(decoded(found["input"])) == (8, 2)
    assert size(decoded(found["output"])) == (16, 4)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("api/samples?num=0", "num expects a whole number from 1 to 64"),
        ("api/samples?num=65", "num expects a whole number from 1 to 64"),
        ("api/samples?num=1e3", "num expects a whole number from 1 to 64"),
        ("api/samples?num=", "num expects a whole number from 1 to 64"),
        ("api/samples?num=%D9%A3", "num expects a whole number from 1 to 64"),  # an Arabic 3
        ("api/samples?seed=-1", "seed expects a whole number from 0 to 4294967295"),
        ("api/samples?seed=4294967296", "seed expects a whole number from 0 to 4294967295"),
        ("api/samples?seed=" + "9" * 5000, "seed expects a whole number from 0 to 4294967295"),
        ("api/samples?label=3", "label expects a whole number from 0 to 2"),
        ("api/samples?label=all", "label expects a whole number from 0 to 2"),
        ("api/samples?truncation=nan", "truncation expects a number from 0 to 2"),
        ("api/samples?truncation=2.1", "truncation expects a number from 0 to 2"),
        ("api/samples?num=1&num=2", "num is given twice"),
        ("api/samples?n=1", "unknown parameter; expected seed, num, label, truncation"),
        ("api/about?n=1", "unknown parameter; expected none"),
        ("api/point?x=1.01", "x expects a number from 0 to 1"),
        ("api/point?y=inf", "y expects a number from 0 to 1"),
        ("api/map?size=17", "size expects a whole number from 2 to 16"),
        ("api/map?size=1", "size expects a whole number from 2 to 16"),
        ("api/point?label=turns", "label expects a whole number from 0 to 2"),
        ("api/way?from=0:0", "to expects SEED:NUMBER, with a number below 64"),
        ("api/way?from=0&to=0:1", "from expects SEED:NUMBER, with a number below 64"),
        ("api/way?from=0:64&to=0:1", "from expects SEED:NUMBER, with a number below 64"),
        ("api/way?from=0:0&to=0:1&num=33", "num expects a whole number from 2 to 32"),
    ],
)
def test_bad_requests(classes, path, message):
    assert classes.ask(path) == (400, {"error": message})


def test_what_a_generator_has_not_is_refused(painter):
    assert painter.ask("api/point") == (400, {"error": "this generator has no latents to choose"})
    status, answer = painter.ask("api/samples?label=0")
    assert (status, answer["error"]) == (400, "label is given, and this generator has no classes")
    status, answer = painter.ask("api/samples?label=turns")
    assert (status, answer["error"]) == (400, "label is given, and this generator has no classes")
    status, answer = painter.ask("api/samples")
    assert (status, answer["error"][:30]) == (400, "Painter asks for a condition, ")


def test_bad_uploads(classes, painter, monkeypatch):
    def refused(path, body, status, message, page=painter):
        found, answer = page.ask(path, body)
        assert (found, answer["error"][: len(message)]) == (status, message)

    refused("api/translate", b"", 400, "the image is missing: send the content of its file as")
    refused("api/translate", b"no image", 400, "expected a PNG, JPEG, WebP, BMP, GIF, PPM or TIFF")
    refused("api/translate?side=7", png(2, 2), 400, "side expects a whole number from 8 to 1024")
    refused("api/translate", png(4097, 4096), 400, "the image has 4,096 x 4,097 pixels")
    refused("api/translate", png(2, 2), 400, "this generator takes no images", classes)
    monkeypatch.setattr(site, "UPLOAD_BYTES", 100)
    refused("api/translate", bytes(101), 413, "the image has more than")


def test_an_upload_of_no_declared_length_is_bounded_too(painter, monkeypatch):
    monkeypatch.setattr(site, "UPLOAD_BYTES", 100_000)
    connection = http.client.HTTPConnection(urlsplit(painter.url).netloc, timeout=30)
    connection.request("POST", "/api/translate", iter([bytes(60_000)] * 2), encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 413
    connection.close()


def test_a_slow_upload_ends(painter, monkeypatch):
    monkeypatch.setattr(site, "UPLOAD_S", 0.2)
    address = urlsplit(painter.url)
    with socket.create_connection((address.hostname, address.port), timeout=30) as sender:
        sender.sendall(
            b"POST /api/translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nslow"
        )
        assert sender.recv(100).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("nowhere", None, 404),
        ("api/../../../etc/passwd", None, 404),
        ("api/samples", b"x", 405),
        ("api/translate", None, 405),
    ],
)
def test_other_addresses_and_methods(classes, path, body, status):
    found, answer = classes.ask(path, body)
    assert found == status
    assert list(answer) == ["error"]


def test_names_and_sites_that_are_not_ours_are_refused(classes):
    port = urlsplit(classes.url).port
    assert classes.ask("api/about", host="localhost")[0] == 200
    assert classes.ask("api/about", host=f"LOCALHOST:{port}")[0] == 200
    assert classes.ask("api/about", host="evil.example") == (
        403, {"error": "this page is called by another name than that of this machine"},
    )  # fmt: skip
    for origin in ("http://evil.example", "null", f"http://localhost:{port + 1}"):
        found = classes.ask("api/about", host=f"localhost:{port}", origin=origin)
        assert found == (403, {"error": "another site may not ask here"})
    ours = {"host": f"localhost:{port}", "origin": f"http://localhost:{port}"}
    assert classes.ask("api/about", **ours)[0] == 200


def test_a_page_for_others_has_any_name():
    with serving_of(drawing(), hosts=None) as page:
        assert page.ask("api/about", host="gpu7.example")[0] == 200
        assert page.ask("api/about", host="gpu7.example", origin="http://evil.example")[0] == 403


def test_everything_that_is_answered_says_that_nothing_else_may_be_loaded(classes):
    address = urlsplit(classes.url).netloc
    for path in ("/", "/page.js", "/api/about", "/nowhere", "/api/samples?num=x"):
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        assert answer.headers["content-security-policy"].startswith("default-src 'self'; ")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["server"] is None


def test_the_page_holds_no_address_of_elsewhere():
    for name in ("page.html", "page.css", "page.js"):
        assert not re.search("""https?:|["'(]//|@import""", (FOLDER / name).read_text()), name


def test_what_breaks_is_500_and_the_page_goes_on(monkeypatch, capfd):
    with serving_of(drawing()) as page:

        def breaks(*args):
            raise RuntimeError("torn")

        monkeypatch.setattr(page.explorer, "draw", breaks)
        status, answer = page.ask("api/samples")
        assert (status, answer["error"][:12]) == (500, "this failed;")
        assert page.ask("api/point")[0] == 200
    assert "RuntimeError: torn" in capfd.readouterr().err


def test_two_hundred_at_once(classes):
    """All are answered, a part of them by 503; then it goes on, and nothing is left behind."""
    together = threading.Barrier(200)

    def ask(number):
        together.wait()
        return classes.ask(f"api/samples?num=4&seed={number}")

    with ThreadPoolExecutor(200) as pool:
        found = list(pool.map(ask, range(200)))
    counted = Counter(status for status, _ in found)
    assert set(counted) <= {200, 503}
    assert counted[200] > gate.WAITING
    for number, (status, answer) in enumerate(found):
        if status == 200:
            assert decoded(answer["samples"][0]["image"]) == classes.explorer.draw(number, 1)[0].png
        else:
            assert answer == {"error": "busy: too many requests wait"}
    assert classes.ask("api/samples")[0] == 200


@pytest.fixture
def inside(monkeypatch):
    """Wait until so many requests are inside the gate of the page that is served."""
    gates = []

    class Seen(gate.Gate):
        def __init__(self):
            super().__init__()
            gates.append(self)

    monkeypatch.setattr(site, "Gate", Seen)
    return lambda number: until(lambda: gates[-1]._inside == number)


def until(holds):
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it never comes true")


def test_the_queue_has_an_end_and_who_has_gone_is_passed_over(monkeypatch, inside):
    with serving_of(drawing()) as page:
        started, go = threading.Event(), threading.Event()
        drawn = []
        draw = page.explorer.draw

        def slow(seed, *rest):
            drawn.append(seed)
            started.set()
            assert go.wait(30)
            return draw(seed, *rest)

        monkeypatch.setattr(page.explorer, "draw", slow)
        monkeypatch.setattr(gate, "WAITING", 2)
        with ThreadPoolExecutor(3) as pool:
            first = pool.submit(page.ask, "api/samples?seed=1")
            assert started.wait(30)
            address = urlsplit(page.url)
            gone = socket.create_connection((address.hostname, address.port))
            gone.sendall(b"GET /api/samples?seed=2 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            inside(2)
            last = pool.submit(page.ask, "api/samples?seed=3")
            inside(3)
            assert page.ask("api/samples?seed=4")[0] == 503
            assert page.ask("api/about")[0] == 200  # what needs no computing is answered
            gone.close()
            time.sleep(1)
            go.set()
            assert (first.result()[0], last.result()[0]) == (200, 200)
        assert drawn == [1, 3]
        assert page.ask("api/samples?seed=5")[0] == 200


def test_what_waits_when_the_page_ends_is_told(monkeypatch, capfd, inside):
    monkeypatch.setattr(serving, "ENDING_S", 1)
    started, go = threading.Event(), threading.Event()
    with ThreadPoolExecutor(3) as pool:
        with serving_of(drawing()) as page:

            def slow(*args):
                started.set()
                assert go.wait(30)
                return []

            monkeypatch.setattr(page.explorer, "draw", slow)
            asked = [pool.submit(page.ask, "api/samples") for _ in range(3)]
            assert started.wait(30)
            inside(3)
            threading.Timer(3.0, go.set).start()
        assert [each.result() for each in asked] == [(503, {"error": "this page ends"})] * 3
    assert "Traceback" not in capfd.readouterr().err


def test_bodies_in_memory_are_few(monkeypatch, inside):
    """Uploads beyond them wait, and their bodies are not read meanwhile."""
    with serving_of(painting()) as page:
        held, go, seen = threading.Event(), threading.Event(), []
        translate, body = page.explorer.translate, site._body

        def slow(*args):
            held.set()
            assert go.wait(30)
            return translate(*args)

        async def counted(request):
            seen.append(request)
            return await body(request)

        monkeypatch.setattr(page.explorer, "translate", slow)
        monkeypatch.setattr(site, "_body", counted)
        with ThreadPoolExecutor(10) as pool:
            asked = [pool.submit(page.ask, "api/translate", png(8, 8)) for _ in range(10)]
            assert held.wait(30)
            inside(10)
            until(lambda: len(seen) >= gate.UPLOADS)
            time.sleep(0.3)
            assert len(seen) == gate.UPLOADS
            go.set()
            assert {each.result()[0] for each in asked} == {200}
        assert len(seen) == 10


def test_ports():
    with serving.listen("127.0.0.1", None) as first, serving.listen("127.0.0.1", None) as second:
        a, b = first.getsockname()[1], second.getsockname()[1]
        assert serving.PORT <= a < b < serving.PORT + serving.TRIED
        assert serving.url(first) == f"http://127.0.0.1:{a}"
        with pytest.raises(serving.InputError, match=f"^port {a} is taken by another program; "):
            serving.listen("127.0.0.1", a)
    with serving.listen("0.0.0.0", None) as anywhere:
        assert serving.url(anywhere).startswith("http://127.0.0.1:86")


def test_which_hosts_are_this_machine_alone():
    assert serving.is_loopback("127.0.0.1")
    assert serving.is_loopback("127.8.8.8")
    assert serving.is_loopback("localhost")
    assert not serving.is_loopback("0.0.0.0")
    assert not serving.is_loopback("192.168.1.5")
    with pytest.raises(serving.InputError, match=r"^there is no host 'a\.\.b'; try 127"):
        serving.is_loopback("a..b")
    assert json.dumps(site._name("[::1]:80")) == '"::1"'
