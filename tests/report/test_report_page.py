"""The whole page: of complete runs, of runs without this or that, of hostile ones."""

import json
import re
import subprocess
import sys

import pytest

from lightning_gan import InputError
from lightning_gan.__main__ import main
from lightning_gan.report.page import write_report

TINY = (
    "fit data=random data.n=8 data.batch_size=4 generator=mlp discriminator=mlp "
    "model.generator.hidden=[4] model.discriminator.hidden=[4] trainer.max_steps=4 "
    "trainer.accelerator=cpu trainer.enable_progress_bar=false trainer.enable_model_summary=false "
    "trainer.default_root_dir=runs trainer.log_every_n_steps=1 samples.every_n_steps=2"
)


def page(made):
    return write_report(made.folder).read_text(encoding="utf-8")


def section(html, name):
    return re.search(rf'<section id="{name}">(.*?)</section>', html, re.DOTALL)[1]


def text(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_complete_run_is_told_whole(complete):
    html = page(complete)
    header = text(html[html.index("<header>") : html.index("</header>")])
    assert "rings / version_0" in header
    assert "800 of 800" in header
    assert "images seen 12,800" in header
    assert "lightning-gan 0.1.0" in header
    assert "MLPGenerator · R1Regularizer · Digits" in header

    verdict = text(html[html.index('class="verdict"') : html.index('id="scores"')])
    assert "mode collapse" in verdict
    assert "Found at step 600, since step 200; 2 times in all, first at step 400." in verdict
    assert "samples differ little" in verdict
    assert "What to change: model.discriminator_optimizer.lr=1e-4" in verdict
    assert "health/spread 0.01235" in verdict
    assert "Score card of step 800" in verdict
    assert "fid 0.125 lower is better" in verdict

    scores = text(section(html, "scores"))
    assert "step better 800 400 fid lower 0.125 0.25" in scores
    assert "Protocol n_fake 1000 features name judge" in scores
    assert "class_histogram 0: 9" in scores
    assert "confusion 0 [8, 1] 1 [0, 9]" in scores

    samples = section(html, "samples")
    assert samples.count("data:image/png;base64,") == 3
    assert samples.count("data:image/gif;base64,") == 1
    assert re.findall(r'alt="(.*?)"', samples) == [
        "grid at step 0", "grid at step 400", "grid at step 800", "training",
    ]  # fmt: skip
    assert samples.count(" hidden>") == 2
    assert 'type="range" min="0" max="2" value="2"' in samples

    shown = text(section(html, "curves"))
    assert "loss last" in shown
    assert "discriminator 1.31 generator 0.69" in shown

    settings = text(section(html, "configuration"))
    assert f"lightning-gan fit --config {complete.folder / 'config.yaml'}" in settings
    assert "generator lightning_gan.generators.mlp.MLPGenerator hidden [8, 16]" in settings
    assert "ckpt_path null" in settings
    assert "checkpoints/last.ckpt 7 B" in text(section(html, "files"))


def test_the_best_score_and_why_training_ended(complete):
    ended = "training ends at step 800: fid got no better in 2 scores"
    content = {"monitor": "fid", "score": 3.2109, "step": 1200, "ended": ended}
    complete.write("best.json", json.dumps(content))
    html = page(complete)
    header = text(html[html.index("<header>") : html.index("</header>")])
    assert "best so far fid 3.211 at step 1,200" in header
    assert f"{ended}." in text(html[html.index('class="verdict"') : html.index('id="scores"')])
    for damaged in ("", "[]", '{"step": "x", "score": 1}', '{"step": 1, "score": null}'):
        complete.write("best.json", damaged)
        html = text(page(complete))
        assert "best so far" not in html
        assert "best.json is damaged and left out." in html


def test_what_is_not_there_is_said(made):
    made.write("config.yaml", "")
    html = text(page(made))
    for sentence in (
        "There is no health.jsonl: the run was not watched, or nothing was found.",
        "There are no score cards in scorecards/.",
        "There are no pictures in samples/.",
        "There is no metrics.csv.",
        "There is no config.yaml.",
        "There is no checkpoint.",
    ):
        assert sentence in html


@pytest.mark.parametrize(
    "missing",
    ["config.yaml", "metrics.csv", "health.jsonl", "samples", "scorecards", "checkpoints"],
)
def test_any_part_may_be_missing_or_empty(complete, missing):
    path = complete.folder / missing
    if path.is_dir():
        for file in path.iterdir():
            file.write_bytes(b"")
    else:
        path.write_bytes(b"")
    assert "rings / version_0" in page(complete)
    if path.is_dir():
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    else:
        path.unlink()
    assert "rings / version_0" in page(complete)


def test_a_run_cut_off_anywhere_has_a_page(complete):
    """As after a crash: every file has lost its end."""
    for path in sorted(complete.folder.rglob("*.*")):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 3 // 5])
    html = text(page(complete))
    assert "The last line of metrics.csv is incomplete and left out." in html
    assert "step-00000800-1000.json is damaged or no score card, and left out." in html
    assert "Damaged lines of health.jsonl, left out: 1." in html
    assert "3 cannot be read: cut off or damaged." in html


def test_a_watched_run_without_findings_is_healthy(made):
    made.write("metrics.csv", "step,health/spread,health/no_start\n9,0.5,0\n")
    html = text(page(made))
    assert "No findings The health of this run was watched." in html
    assert "Always 0, and not drawn: health/no_start." in html


def test_without_cards_the_newest_losses_stand_first(made):
    made.metrics()
    html = text(page(made))
    assert "Newest logged values loss/discriminator 1.31 at step 199" in html
    assert "val/fid 65 at step 159" in html


def test_scores_of_cards_are_not_drawn_twice(complete):
    complete.write("metrics.csv", "step,val/fid,val/other\n9,3.0,1\n19,2.0,1\n")
    shown = section(page(complete), "curves")
    assert "val/other" in shown
    assert "val/fid" not in shown


def test_curves_are_drawn_once(complete):
    """As SVG, where values can be read; as the picture that the run left where there are none."""
    complete.picture("../losses.png")
    html = page(complete)
    shown = section(html, "curves")
    assert '<figure class="chart"' in shown
    assert "data:image/png" not in shown
    assert 'href="./losses.png"' in section(html, "files")
    complete.folder.joinpath("metrics.csv").unlink()
    shown = section(page(complete), "curves")
    assert '<figure class="chart"' not in shown
    assert shown.count("data:image/png") == 1
    assert "losses.png" in text(shown)


def test_text_from_files_stays_text(complete):
    evil = '<script>alert("x")</script><img src=x onerror=alert(1)>'
    complete.write(
        "config.yaml",
        f"trainer: {{default_root_dir: '{evil}'}}\n'{evil}': '{evil}'\n"
        f"model: {{init_args: {{loss: {{class_path: '{evil}'}}}}}}\n",
    )
    complete.health({"step": 1, "finding": evil, "message": evil, "advice": evil,
                     "numbers": {evil: evil}})  # fmt: skip
    complete.card(900, scores={evil: 1.0, "'\"": 2.0}, details={evil: [1, 2], "b": {evil: evil}},
                  checkpoint={"step": 900, "path": evil})  # fmt: skip
    complete.write("metrics.csv", f'step,"{evil.replace(chr(34), chr(34) * 2)}",x\n1,2,3\n2,3,4\n')
    for name in ('"><b>-00000001.png', "javascript:alert(1).png", "<i>.gif"):
        complete.picture(name)
    html = page(complete)
    assert html.count("<script") == 1
    assert html.count("</script") == 1
    assert "<img src=x" not in html
    assert "<b>-" not in html
    assert "<i>." not in html
    assert 'href="javascript:' not in html
    assert text(html).count("&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;") >= 10


def test_nothing_is_fetched_from_anywhere(complete):
    html = page(complete)
    sources = re.findall(r'(?:src|href|srcset|data|action)="([^"]*)"', html)
    assert sources
    for source in sources:
        assert source.startswith(("data:image/", "./", "#"))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert " style=" not in html
    assert not re.findall(r"\son\w+=", html[: html.index("<script>")])


def test_the_page_of_a_long_run_is_small(made):
    rows = (f"{step},{step % 7},{step % 11},{step % 13}" for step in range(50_000))
    made.write("metrics.csv", "\n".join(["step,loss/a,loss/b,val/c", *rows, ""]))
    for step in range(150):
        made.picture(f"grid-{step:08d}.png")
    for step in range(1, 31):
        made.card(step)
    html = page(made)
    assert len(html) < 600_000
    told = text(html)
    assert re.search(r"\b3\d of 150 pictures, more of the early ones", told)
    assert "The newest 8 of 30 score cards; the others are in scorecards/." in told


def test_the_page_is_written_anew_and_leaves_itself_out(complete):
    first = page(complete)
    complete.metrics(rows=40)
    second = page(complete)
    assert first != second
    assert "report.html" not in section(second, "files")


def test_a_folder_that_takes_no_file(complete, monkeypatch):
    complete.folder.joinpath("report.html").mkdir()
    with pytest.raises(InputError) as caught:
        write_report(complete.folder)
    path = complete.folder / "report.html"
    assert str(caught.value) == (
        f"report: {path} cannot be written: Is a directory; "
        "copy the run to a folder of yours and give that"
    )


def test_no_torch_is_needed(complete):
    code = (
        "import sys, pathlib\n"
        "from lightning_gan.report.page import write_report\n"
        f"write_report(pathlib.Path({str(complete.folder)!r}))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_run_of_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(TINY.split()) == 0
    path = write_report(tmp_path / "runs" / "version_0")
    assert path == tmp_path / "runs" / "version_0" / "report.html"
    html = path.read_text()
    told = text(html)
    assert "4 of 4" in told
    assert "images seen 16" in told
    assert "MLPGenerator" in told
    assert len(re.findall("data-step=", html)) == 3
    assert "loss/discriminator" in told
    assert "checkpoints/last.ckpt" in told
    again = re.search(r'class="command">lightning-gan (.*?)</pre>', html)[1].split()
    again += ["--print_config"]
    capsys.readouterr()
    assert main(again) == 0
    assert capsys.readouterr().out == (path.parent / "config.yaml").read_text()
