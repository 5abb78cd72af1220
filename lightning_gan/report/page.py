"""The page about a run: everything that its folder tells, in one file that needs no network."""

from __future__ import annotations

import base64
import hashlib
import shlex
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from lightning_gan import __version__
from lightning_gan.errors import InputError
from lightning_gan.files import names
from lightning_gan.files.whole import write_whole
from lightning_gan.report import curves, files, pictures, records, score_tables
from lightning_gan.report.metrics import Metrics, read_metrics
from lightning_gan.report.settings import Settings, read_settings
from lightning_gan.report.settings_tree import tree

HIGHLIGHTS = 5
LOSSES = ("loss/discriminator", "loss/generator")


@dataclass(frozen=True)
class Concern:
    """All findings of one name.

    Attributes:
        latest: The newest of them.
        count: How many there are.
        first: The step of the first.
    """

    latest: records.Finding
    count: int
    first: int | None


def write_report(run_folder: Path) -> Path:
    """Write ``report.html`` into the folder of a run, over an older one, and return its path.

    Only files are read: a running, crashed or copied run has its page too, and what is missing is
    said on it.

    Args:
        run_folder: For example ``runs/digits_dcgan/version_0``.

    Raises:
        InputError: There is no such folder, it is not that of a run, or it cannot be written to.
    """
    run_folder = Path(run_folder)
    files.check_run(run_folder)
    path = run_folder / names.REPORT
    try:
        write_whole(path, render(run_folder))
    except OSError as error:
        raise InputError(
            f"report: {path} cannot be written: {error.strerror or error}; copy the run to a "
            "folder of yours and give that"
        ) from error
    return path


def render(folder: Path) -> str:
    """Return the page about a run as HTML."""
    settings = read_settings(folder / names.CONFIG)
    metrics = read_metrics(folder / names.METRICS)
    cards, card_notes = records.read_cards(folder)
    findings, finding_notes = records.read_findings(folder / names.HEALTH)
    best, best_notes = records.read_best(folder / names.BEST_SCORE)
    families, family_notes = pictures.read_families(folder)
    others, other_notes = pictures.read_others(folder)
    losses = folder / names.LOSSES
    tables = score_tables.tables(cards)
    charted = {f"val/{panel.title}" for table in tables for panel in table.panels}
    panels, panel_notes = curves.panels(metrics.series, without=charted)
    seen = [one.step for one in cards] + [finding.step for finding in findings]
    steps = _reached(metrics, [*seen, pictures.newest(families)])
    return (
        _template()
        .render(
            **_assets(),
            small=curves.SMALL,
            title=_title(folder, settings),
            facts=_facts(folder, settings, metrics, steps, best.score),
            parts=settings.parts,
            watched=(folder / names.HEALTH).is_file()
            or any(key.startswith("health/") for key in metrics.series),
            concerns=_concerns(findings),
            finding_notes=finding_notes,
            best_notes=[*([f"{best.ended}."] if best.ended else []), *best_notes],
            highlights=_highlights(cards, metrics),
            measured_at=f"Score card of step {cards[-1].label}"
            if cards
            else "Newest logged values",
            tables=tables,
            card_notes=card_notes,
            panels=panels,
            metric_notes=[*metrics.notes, *panel_notes],
            drawn=pictures.embed(losses, folder) if losses.is_file() and not panels else None,
            families=families,
            others=others,
            picture_notes=[*family_notes, *other_notes],
            settings=settings,
            tree=tree(settings.values),
            command=f"lightning-gan fit --config {shlex.quote(str(folder / names.CONFIG))}",
            entries=files.file_entries(folder),
            has_checkpoints=any(folder.glob("checkpoints/*.ckpt")),
            made=f"{files.human_time(time.time())} by lightning-gan {__version__}",
        )
        .lstrip()
    )


def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["said"] = score_tables.said_of
    return environment.from_string(_asset("page.html"))


def _assets() -> dict[str, str]:
    """Return style, script and the policy that allows these two and embedded pictures only."""
    style, script = _asset("style.css"), _asset("script.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src {_digest(style)}; "
        f"script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    )
    return {"style": Markup(style), "script": Markup(script), "policy": Markup(policy)}


def _asset(name: str) -> str:
    text = resources.files("lightning_gan.report").joinpath(name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")  # as browsers do before they compare digests


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _title(folder: Path, settings: Settings) -> str:
    """Return "experiment / run"."""
    place = folder.resolve()
    return f"{settings.experiment or place.parent.name} / {place.name}"


def _reached(metrics: Metrics, others: Iterable[int | None]) -> int | None:
    """Return how many steps were done for sure; the loggers count the first as 0."""
    logged = None if metrics.last_step is None else metrics.last_step + 1
    return max((step for step in (logged, *others) if step is not None), default=None)


def _facts(
    folder: Path, settings: Settings, metrics: Metrics, steps: int | None, best: str
) -> list[tuple[str, str]]:
    """Return what the header says; only what is known."""
    written = files.span(folder)
    images = metrics.series.get("progress/images")
    facts = []
    if steps is not None:
        limit = settings.max_steps
        facts.append(("steps", f"{steps:,}" + (f" of {limit:,}" if limit else "")))
    if images is not None and images.last == images.last:
        facts.append(("images seen", f"{images.last:,.0f}"))
    if best:
        facts.append(("best so far", best))
    if written is not None:
        facts.append(("files written", " to ".join(dict.fromkeys(map(files.human_time, written)))))
    if settings.version:
        facts.append(("version", f"lightning-gan {settings.version}"))
    return facts


def _concerns(findings: Iterable[records.Finding]) -> list[Concern]:
    """Return the findings by name, the newest first."""
    groups: dict[str, list[records.Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.name, []).append(finding)
    found = [Concern(group[-1], len(group), group[0].step) for group in groups.values()]
    return sorted(found, key=lambda concern: -(concern.latest.step or 0))


def _highlights(cards: list[records.Measured], metrics: Metrics) -> list[tuple[str, str, str]]:
    """Return name, value and a remark: the newest scores, or else the newest losses."""
    if cards:
        return score_tables.highlights(cards[-1], HIGHLIGHTS)
    validated = [key for key in sorted(metrics.series) if key.startswith("val/")]
    found = [metrics.series[key] for key in (*LOSSES, *validated) if key in metrics.series]
    return [
        (series.key, curves.number(series.last), f"at step {series.steps[-1]:,.0f}")
        for series in found[:HIGHLIGHTS]
    ]
