from __future__ import annotations

import gc
import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lightning_gan.callbacks import LossCurves
from lightning_gan.callbacks.pictures.figures import figure_pixels
from lightning_gan.callbacks.pictures.loss_curves import curves_figure, draw_curves, moving_average
from lightning_gan.errors import InputError


def losses(step):
    return {
        "loss/discriminator": 1.0 / step,
        "loss/generator": float(step),
        "regularizer/r1": 0.5,
        "logits/real": 9.0,
    }


@pytest.fixture
def drawn(monkeypatch):
    """Figures that were saved, in order."""
    figures, save = [], Figure.savefig

    def keep(self, *args, **kwargs):
        figures.append(self)
        return save(self, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def test_history_holds_losses_and_regularizers_at_the_logged_steps(fake_gan, fit):
    curves = LossCurves()
    fit(fake_gan(losses=losses), curves, max_steps=5, log_every_n_steps=2)
    steps = [2.0, 4.0, 5.0]  # the last one is sent after training
    assert curves.history == {
        "loss/discriminator": {"steps": steps, "values": [0.5, 0.25, pytest.approx(0.2)]},
        "loss/generator": {"steps": steps, "values": steps},
        "regularizer/r1": {"steps": steps, "values": [0.5, 0.5, 0.5]},
    }


def test_a_step_is_recorded_once(fake_gan, fit):
    curves = LossCurves()
    fit(fake_gan(losses=losses), curves, max_steps=4, log_every_n_steps=2)
    assert curves.history["loss/generator"]["steps"] == [2.0, 4.0]


def test_draws_every_n_steps_and_at_the_end(fake_gan, fit, tmp_path, drawn):
    fit(fake_gan(losses=losses), LossCurves(every_n_steps=2))
    points = [len(figure.axes[0].lines[0].get_xdata()) for figure in drawn]
    assert points == [2, 4, 5]
    picture = np.asarray(Image.open(tmp_path / "losses.png"))
    assert picture.shape == (750, 800, 4)
    assert picture[..., :3].std() > 5


def test_none_draws_at_the_end_only(fake_gan, fit, drawn):
    fit(fake_gan(losses=losses), LossCurves(every_n_steps=None))
    assert len(drawn) == 1


def test_figure_says_what_it_shows(fake_gan, fit, drawn):
    fit(fake_gan(losses=losses), LossCurves())
    above, below = drawn[0].axes
    assert (above.get_title("left"), below.get_title("left")) == ("Losses", "Regularizers")
    assert above.get_xlabel() == below.get_xlabel() == "step"
    entries = {text.get_text() for text in above.get_legend().get_texts()}
    assert entries == {"loss/discriminator", "loss/generator"}
    assert {line.get_color() for line in above.lines} == {"tab:blue", "tab:orange"}
    assert [text.get_text() for text in below.get_legend().get_texts()] == ["regularizer/r1"]


@pytest.mark.parametrize(("points", "lines"), [(50, 1), (51, 2)])
def test_more_than_fifty_points_get_a_smooth_line(points, lines, tmp_path, drawn):
    history = {"loss/generator": {"steps": [*range(points)], "values": [0.5] * points}}
    draw_curves(history, tmp_path / "losses.png")
    axes = drawn[0].axes[0]
    assert len(axes.lines) == lines
    assert len(axes.get_legend().get_texts()) == 1


def test_moving_average_is_the_mean_of_a_centered_window():
    values = np.random.default_rng(0).normal(size=100)
    values[40] = math.nan
    smooth = moving_average(values)
    assert smooth[50] == pytest.approx(values[48:53].mean())
    assert smooth[0] == pytest.approx(values[:3].mean())
    assert smooth[41] == pytest.approx(np.nanmean(values[39:44]))
    values[20:30] = math.nan
    assert math.isnan(moving_average(values)[25])


@pytest.mark.parametrize("points", [1, 3, 80])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 3e38])
def test_values_that_are_not_finite_leave_gaps(points, bad, tmp_path):
    values = [1.0] * (points // 2) + [bad] * (points - points // 2)
    history = {"loss/generator": {"steps": [*range(points)], "values": values}}
    draw_curves(history, tmp_path / "losses.png")
    assert np.asarray(Image.open(tmp_path / "losses.png")).shape == (400, 800, 4)
    assert history["loss/generator"]["values"] == values


def test_a_diverged_run_is_drawn_to_its_end(fake_gan, fit, tmp_path):
    gan = fake_gan(losses=lambda step: {"loss/generator": math.nan if step > 2 else 1.0})
    fit(gan, LossCurves(every_n_steps=1))
    assert (tmp_path / "losses.png").exists()


def test_a_resumed_run_draws_the_whole_curve(fake_gan, fit, tmp_path, drawn):
    first = fit(fake_gan(losses=losses), LossCurves(), max_steps=3)
    first.save_checkpoint(tmp_path / "a.ckpt")
    curves = LossCurves()
    fit(fake_gan(losses=losses), curves, ckpt_path=tmp_path / "a.ckpt", max_steps=7)
    assert curves.history["loss/generator"]["steps"] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    assert drawn[-1].axes[0].lines[0].get_xdata().tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_a_new_run_of_the_same_object_starts_anew(fake_gan, fit):
    curves = LossCurves()
    for _ in range(2):
        fit(fake_gan(losses=losses), curves)
    assert curves.history["loss/generator"]["steps"] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_module_without_metrics_draws_nothing(fake_gan, fit, tmp_path):
    fit(fake_gan(losses=lambda step: {}), LossCurves(every_n_steps=1))
    assert not (tmp_path / "losses.png").exists()


def test_fast_dev_run_leaves_no_files(fake_gan, fit, tmp_path):
    fit(fake_gan(losses=losses), LossCurves(every_n_steps=1), fast_dev_run=True, max_steps=-1)
    assert list(tmp_path.iterdir()) == []


def test_zero_steps_are_refused():
    with pytest.raises(InputError, match="LossCurves: every_n_steps must be at least 1, got 0"):
        LossCurves(every_n_steps=0)


def test_a_period_in_epochs(fake_gan, fit, drawn):
    fit(fake_gan(losses=losses), LossCurves(every_n_epochs=2), batches=2, max_steps=5)
    points = [len(figure.axes[0].lines[0].get_xdata()) for figure in drawn]
    assert points == [4, 5]


def test_the_figure_can_be_had_without_a_file():
    figure = curves_figure({"loss/generator": {"steps": [1, 2], "values": [0.5, 0.25]}})
    assert figure_pixels(figure).shape == (3, 400, 800)
    assert figure.axes[0].lines[0].get_ydata().tolist() == [0.5, 0.25]


def test_a_drawn_figure_is_freed(tmp_path):
    history = {"loss/generator": {"steps": [1.0, 2.0], "values": [0.5, 0.6]}}
    draw_curves(history, tmp_path / "losses.png")
    gc.collect()
    gc.disable()  # so that nothing but the drawing itself frees what it made
    try:
        before = len(gc.get_objects())
        for _ in range(3):
            draw_curves(history, tmp_path / "losses.png")
        assert len(gc.get_objects()) - before < 1000  # a figure is thousands
    finally:
        gc.enable()
