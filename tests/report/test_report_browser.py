"""The page in a browser, opened from disk: its script runs, moves things, and asks for nothing."""

import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lightning_gan.report.page import write_report

BROWSERS = ("chromium", "google-chrome", "chromium-browser")
# What a hand does: the slider back to its second frame, a key on the first chart.
BY_HAND = """
<script>
const slider = document.querySelector(".family input");
slider.value = 1;
slider.dispatchEvent(new Event("input"));
const chart = [...document.querySelectorAll("#curves .chart")][0].querySelector("svg");
const press = () => new KeyboardEvent("keydown", {key: "ArrowLeft"});
chart.dispatchEvent(press());
chart.dispatchEvent(press());
const other = [...document.querySelectorAll("#curves .chart")][1].querySelector("svg");
const box = other.getBoundingClientRect();
other.dispatchEvent(new PointerEvent("pointermove", {clientX: box.left + 1}));
</script>
"""


@pytest.fixture(scope="module")
def browser():
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    return found


@pytest.fixture
def open_page(browser, tmp_path):
    def call(path, *options, may_complain=False):
        done = subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--enable-logging=stderr", "--window-size=1200,900",
                f"--user-data-dir={tmp_path / 'profile'}", *options, path.as_uri(),
            ],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        assert may_complain or complaints == []
        return done.stdout

    return call


def test_the_script_runs_under_the_policy_of_the_page(complete, open_page):
    dom = open_page(write_report(complete.folder), "--dump-dom")
    assert re.search(r'<html[^>]* data-ready="true"', dom)
    assert 'data-shown="2"' in dom  # set by the slider's own code


def test_a_hand_on_slider_and_curves(complete, open_page, tmp_path):
    html = write_report(complete.folder).read_text()
    policy = re.search(r"<meta http-equiv=.*?>", html)[0]
    copy = tmp_path / "by-hand.html"
    copy.write_text(html.replace(policy, "").replace("</body>", f"{BY_HAND}</body>"))
    dom = open_page(copy, "--dump-dom")

    family = re.search(r'<figure class="family".*?</figure>', dom, re.DOTALL)[0]
    assert 'data-shown="1"' in family
    assert "<output>400</output>" in family
    frames = re.findall(r'<img [^>]*data-step="(\d+)"([^>]*)>', family)
    assert [step for step, rest in frames if "hidden" not in rest] == ["400"]

    drawn = dom[dom.index('id="curves"') :]
    first, second = re.findall(r'<figure class="chart".*?</figure>', drawn, re.DOTALL)[:2]
    assert 'data-read="189"' in first  # the point before the last
    assert "step 189" in first
    assert re.findall(r"<output>(.*?)</output>", first) == ["1.32", "0.68"]
    assert 'data-read="9"' in second  # left of the axis: the first point
    assert re.findall(r"<output>(.*?)</output>", second) == ["2"]


def test_hostile_text_runs_nothing(complete, open_page):
    evil = "<script>document.documentElement.dataset.hacked = 1</script>"
    image = "<img src=x onerror='document.documentElement.dataset.hacked = 1'>"
    complete.write("config.yaml", f'a: "{evil}{image}"\n"{evil}": "{image}"\n')
    complete.health({"step": 1, "finding": evil, "message": evil, "advice": image})
    complete.card(900, scores={evil: 1.0, image: 2.0})
    complete.write("metrics.csv", f"step,{evil},{image}\n1,2,3\n2,3,4\n")
    dom = open_page(write_report(complete.folder), "--dump-dom")
    assert 'data-ready="true"' in dom
    assert "data-hacked" not in dom


@pytest.fixture
def server():
    """A server on this machine, and the paths it was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()
        thread.join()


def test_the_policy_of_the_page_forbids_every_request(complete, open_page, server, tmp_path):
    """Even if markup of a file got into the page, nothing would be fetched and no script run."""
    address, asked = server
    lures = (
        f'<img src="{address}/img"><script src="{address}/script"></script>'
        f'<link rel="stylesheet" href="{address}/style"><iframe src="{address}/frame"></iframe>'
        f'<script>document.body.dataset.hacked = 1; fetch("{address}/fetch")</script></body>'
    )
    html = write_report(complete.folder).read_text().replace("</body>", lures)
    policy = re.search(r"<meta http-equiv=.*?>", html)[0]
    bait = tmp_path / "bait.html"
    bait.write_text(html)
    dom = open_page(bait, "--dump-dom", may_complain=True)
    assert "data-hacked" not in dom
    assert asked == []
    bait.write_text(html.replace(policy, ""))  # the lures do work
    assert "data-hacked" in open_page(bait, "--dump-dom", may_complain=True)
    assert {"/img", "/script", "/style", "/frame"} <= set(asked)


def test_it_is_painted_at_the_width_of_a_phone(complete, open_page, tmp_path):
    from PIL import Image

    shot = tmp_path / "page.png"
    open_page(write_report(complete.folder), f"--screenshot={shot}", "--window-size=500,900")
    with Image.open(shot) as image:
        assert image.size == (500, 900)
        assert len(image.convert("RGB").getcolors(500 * 900)) > 20
