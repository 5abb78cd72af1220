"""The page in a browser, by clicks, drags and keys as a hand makes them."""

from __future__ import annotations

import base64
import io
import shutil

import numpy as np
import pytest
from exploring import drawing, painting, serving_of
from PIL import Image

from lightning_gan.explore.explorer import Pick

sync_playwright = pytest.importorskip(
    "playwright.sync_api", reason="no Playwright: pip install -e '.[dev]'"
).sync_playwright
BROWSERS = ("chromium", "google-chrome", "chromium-browser")
OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """A browser of an empty profile; every complaint and every foreign address is noted."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=found, headless=True, args=OPTIONS,
            viewport={"width": 1200, "height": 900}, accept_downloads=True,
        )  # fmt: skip
        yield context
        context.close()


@pytest.fixture
def visit(chromium):
    """Open a page that is served; at the end nobody has complained or asked elsewhere."""
    complaints, foreign, opened = [], [], []

    def call(served, may_be_refused=False):
        page = chromium.new_page()
        opened.append(page)
        page.set_default_timeout(20_000)
        page.on(
            "console",
            lambda message: (
                (may_be_refused and "status of 400" in message.text)
                or complaints.append(message.text)
            ),
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                request.url.startswith((served.url, "data:", "blob:"))
                or foreign.append(request.url)
            ),
        )
        page.goto(served.url)
        return page

    yield call
    for page in opened:
        page.close()
    assert (complaints, foreign) == ([], [])


def shown(page, selector):
    """The picture that an image on the page shows, as soon as there is one."""
    code = """async (image) => {
        try { await image.decode(); } catch { return null; }  // another is on its way
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        canvas.getContext("2d").drawImage(image, 0, 0);
        return canvas.toDataURL().split(",")[1];
    }"""
    for _ in range(100):
        content = page.locator(selector).evaluate(code)
        if content is not None:
            return pixels(base64.b64decode(content))
        page.wait_for_timeout(50)
    raise AssertionError(f"{selector} shows no picture")


def pixels(png):
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def until(page, selector, png):
    """Wait until an image shows this picture."""
    expected = pixels(png)
    for _ in range(100):
        found = shown(page, selector)
        if found.shape == expected.shape and np.abs(found - expected).max() <= 1:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{selector} never shows it")


def saved(page, selector):
    """What clicking on a link saves: its name and its content."""
    with page.expect_download() as event:
        page.click(selector)
    with open(event.value.path(), "rb") as file:
        return event.value.suggested_filename, file.read()


def test_samples_by_seed_and_class(classes, visit):
    page = visit(classes)
    page.wait_for_selector("#grid button")
    assert page.inner_text("h1") == "a run"
    assert page.inner_text("#facts") == (
        "MLPGenerator · samples 1 × 8 × 8 · 3 latents · 3 classes · step 7"
    )
    page.fill("#samples [name=num]", "5")
    page.select_option("#samples [name=label]", "2")
    page.fill("#samples [name=seed]", "41")
    drawn = classes.explorer.draw(41, 5, 2)
    until(page, "#grid button:nth-child(5) img", drawn[4].png)
    assert page.locator("#grid button").count() == 5
    assert page.locator("#grid img").nth(1).get_attribute("alt") == "sample 1, class 2"
    assert page.inner_text("#command") == (
        "lightning-gan sample 'a run' --seed=41 --num=5 --labels=2 --out=samples.png"
    )
    assert saved(page, "#save-samples") == (
        "samples-seed41.png", classes.explorer.grid(41, 5, 2, [2]),
    )  # fmt: skip
    page.click("#another")
    page.wait_for_function("document.querySelector('#samples [name=seed]').value !== '41'")


def test_a_wrong_number_asks_for_nothing_and_a_refusal_is_said(classes, visit):
    page = visit(classes, may_be_refused=True)
    page.wait_for_selector("#grid button")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.fill("#samples [name=num]", "1000")
    assert page.locator("#samples [name=num]").evaluate("(box) => box.matches(':invalid')")
    page.wait_for_timeout(200)
    assert not [url for url in asked if "num=1000" in url]
    page.locator("#samples [name=num]").evaluate("(box) => box.removeAttribute('max')")
    page.fill("#samples [name=num]", "1001")
    page.wait_for_selector("#trouble:not([hidden])")
    assert page.inner_text("#trouble") == "num expects a whole number from 1 to 64"


def test_a_way_between_two_picks(classes, visit):
    page = visit(classes)
    page.wait_for_selector("#frames img")
    page.fill("#samples [name=seed]", "6")
    page.select_option("#samples [name=label]", "1")
    until(page, "#grid button:nth-child(3) img", classes.explorer.draw(6, 3, 1)[2].png)
    page.fill("#way [name=num]", "5")
    page.click("#grid button:nth-child(3)")
    page.click("#grid button:nth-child(8)")
    way = classes.explorer.way(Pick(6, 2), Pick(6, 7), 5, 1)
    until(page, "#between", way[2].png)
    marks = page.locator("#grid [aria-pressed=true] b").all_inner_texts()
    assert marks == ["A", "B"]
    page.focus("#place")
    page.keyboard.press("End")
    until(page, "#between", classes.explorer.draw(6, 8, 1)[7].png)
    page.keyboard.press("ArrowLeft")
    until(page, "#between", way[3].png)
    page.select_option("#way [name=label]", "0")
    until(page, "#between", classes.explorer.way(Pick(6, 2), Pick(6, 7), 5, 0)[2].png)
    assert saved(page, "#save-way") == (
        "way.png", classes.explorer.strip(Pick(6, 2), Pick(6, 7), 5, 0),
    )  # fmt: skip
    assert saved(page, "#save-between")[0] == "between.png"
    # With another psi both picks are drawn anew.
    page.fill("#samples [name=truncation]", "0.5")
    until(page, "#between", classes.explorer.way(Pick(6, 0), Pick(6, 1), 5, 0, 0.5)[2].png)
    until(page, "#to", classes.explorer.draw(6, 2, 1, 0.5)[1].png)


def test_a_drag_through_the_plane(visit):
    with serving_of(drawing(latent_dim=2), latent_dim=2) as served:
        page = visit(served)
        until(page, "#map", served.explorer.map(7))
        until(page, "#point", served.explorer.point(0.5, 0.5))
        # What comes last above the plane moves it down.
        page.wait_for_selector("#frames img")
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        page.locator("#pad").scroll_into_view_if_needed()
        box = page.locator("#pad").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + 2, box["y"] + box["height"] - 2, steps=8)
        page.mouse.move(box["x"] + 3, box["y"] + box["height"] - 3)  # the corner as well
        until(page, "#point", served.explorer.point(0.0, 1.0))
        page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 2, steps=8)
        page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 3)
        page.mouse.up()
        page.mouse.move(box["x"], box["y"])  # no longer held
        until(page, "#point", served.explorer.point(1.0, 0.0))
        page.focus("#x")
        page.keyboard.press("ArrowLeft")
        until(page, "#point", served.explorer.point(0.99, 0.0))
        name, content = saved(page, "#save-point")
        assert (name, content) == ("point.png", served.explorer.point(0.99, 0.0))
        assert saved(page, "#save-map") == ("plane.png", served.explorer.map(16))


def test_an_image_is_put_through(painter, visit, tmp_path):
    page = visit(painter, may_be_refused=True)
    page.wait_for_selector("#translate:not([hidden])")
    assert not page.is_visible("#samples")
    values = np.random.default_rng(0).integers(0, 256, (6, 9), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "in.png")
    page.set_input_files("#file", tmp_path / "in.png")
    given, made = painter.explorer.translate((tmp_path / "in.png").read_bytes(), 512)
    until(page, "#output", made)
    until(page, "#input", given)
    name, content = saved(page, "#save-output")
    assert (name, content) == ("translated.png", made)
    page.fill("#translate [name=side]", "8")
    page.keyboard.press("Tab")
    until(page, "#output", painter.explorer.translate((tmp_path / "in.png").read_bytes(), 8)[1])
    (tmp_path / "no.png").write_bytes(b"no image")
    page.set_input_files("#file", tmp_path / "no.png")
    page.wait_for_selector("#trouble:not([hidden])")
    assert page.inner_text("#trouble").startswith("expected a PNG, JPEG, WebP")


def test_keys_alone_suffice_and_a_phone_shows_all(classes, visit):
    page = visit(classes)
    page.wait_for_selector("#grid button")
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.focus("#grid button:nth-child(4)")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.wait_for_function(
        "[...document.querySelectorAll('#grid b')].map((b) => b.textContent).join('') === 'AB'"
    )
    # In order, every control is reached by Tab.
    page.evaluate("document.activeElement.blur()")
    page.focus("#samples [name=seed]")
    reached = set()
    for _ in range(60):
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.name"))
        page.keyboard.press("Tab")
    expected = {"seed", "another", "num", "label", "truncation", "save-samples", "place", "x", "y"}
    assert expected <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(classes, visit, scheme):
    """Contrast of at least 4.5 between text and what is behind it (WCAG 2, 1.4.3)."""
    page = visit(classes)
    page.emulate_media(color_scheme=scheme)
    page.wait_for_selector("#grid button")
    pairs = page.evaluate("""() => {
        const style = (selector) => getComputedStyle(document.querySelector(selector));
        const card = style("section").backgroundColor;
        return [
            [style("h2").color, card], [style("#command").color, card],
            [style("#samples .soft").color, card], [style("#facts").color, style("body").backgroundColor],
            [style("#another").color, style("#another").backgroundColor],
            [style(".button").color, style(".button").backgroundColor],
        ];
    }""")  # noqa: E501
    for pair in pairs:
        dark, light = sorted(map(luminance, pair))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, pair
    assert (luminance(pairs[0][1]) > 0.5) == (scheme == "light")


def luminance(color):
    parts = [int(part) / 255 for part in color.strip("rgb()").split(",")]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_hostile_names_run_nothing(visit):
    evil = "<img src=x onerror='document.body.dataset.hacked = 1'>"
    with serving_of(drawing(), path=evil, quoted=evil, network=evil) as served:
        page = visit(served)
        page.wait_for_selector("#grid button")
        assert page.inner_text("h1") == evil
        assert page.evaluate("document.body.dataset.hacked") is None


def test_it_says_when_it_is_not_served_any_longer(visit, chromium):
    with serving_of(drawing()) as served:
        page = chromium.new_page()
        page.goto(served.url)
        page.wait_for_selector("#grid button")
    page.fill("#samples [name=seed]", "3")
    page.wait_for_selector("#trouble:not([hidden])")
    assert page.inner_text("#trouble") == (
        "The page is not served any longer: is lightning-gan explore running?"
    )
    page.close()


def test_a_color_image_through_a_generator_of_color(visit, tmp_path):
    with serving_of(painting(channels=3), latent_dim=0) as served:
        page = visit(served)
        page.wait_for_selector("#translate:not([hidden])")
        values = np.random.default_rng(1).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(values).save(tmp_path / "in.png")
        page.set_input_files("#file", tmp_path / "in.png")
        until(
            page, "#output", served.explorer.translate((tmp_path / "in.png").read_bytes(), 512)[1]
        )
