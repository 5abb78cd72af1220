"""From mel distance alone to the game: phases, resume, two processes, files, the command."""

import csv
import sys
from importlib.metadata import entry_points
from itertools import pairwise

import numpy as np
import onnxruntime
import pytest
import pytorch_lightning as pl
import torch
from conftest import MEL, RATE, data, gan, generator, trainer
from lightning_gan_vocoder import (
    MelDistance,
    MelSpectrogram,
    Spectrograms,
    VocosGenerator,
    griffin_lim,
    read_wave,
)
from lightning_gan_vocoder.__main__ import main
from lightning_gan_vocoder.mel import filled
from lightning_gan_vocoder.metrics import mel_distance
from lightning_gan_vocoder.vocoding import hum, power
from PIL import Image
from scipy.io import wavfile

from lightning_gan import GANModule, InputError, create_generator, load_generator
from lightning_gan.export.publish import publish


def states(module):
    return {key: x.clone() for key, x in module.state_dict().items() if isinstance(x, torch.Tensor)}


def furthest(one, other):
    assert one.keys() == other.keys()
    return max((one[key].double() - other[key].double()).abs().max().item() for key in one)


def test_d_begins_late_and_is_heard_later(tmp_path, waves):
    """Batches of 2: D rests for two batches, G is told by D from the fourth on."""

    class Watch(pl.Callback):
        def on_train_batch_end(self, *_):
            seen.append(states(module.discriminator))
            told.append(
                {"loss/generator", "regularizer/feature_matching"} <= {*module.latest_metrics}
            )

    module = gan()
    seen, told = [states(module.discriminator)], []
    run = trainer(tmp_path, 5, callbacks=[Watch()], log_every_n_steps=1, limit_val_batches=0)
    run.fit(module, data(waves))
    moved = [furthest(after, before) > 0 for before, after in pairwise(seen)]
    assert moved == [False, False, True, True, True]
    assert told == [False, False, False, True, True]
    assert module.latest_metrics["regularizer/feature_matching"] > 0


def test_a_run_goes_on_as_if_it_had_never_stopped(tmp_path, waves):
    """In the midst of the second epoch, of three batches."""
    whole, first, resumed = gan(), gan(), gan()
    trainer(tmp_path / "whole", 7).fit(whole, data(waves))
    run = trainer(tmp_path / "first", 4)
    run.fit(first, data(waves))
    run.save_checkpoint(tmp_path / "half.ckpt")
    trainer(tmp_path / "first", 7).fit(resumed, data(waves), ckpt_path=tmp_path / "half.ckpt")
    assert furthest(states(whole), states(resumed)) == 0
    assert furthest(states(whole), states(first)) > 0


def test_two_processes_learn_what_one_does(tmp_path, waves):
    one, two = gan(), gan()
    start = states(one)
    options = {"callbacks": [], "limit_val_batches": 0, "num_sanity_val_steps": 0}
    trainer(tmp_path / "one", 4, **options).fit(one, data(waves, batch_size=2))
    parallel = {**options, "devices": 2, "strategy": "ddp_notebook_find_unused_parameters_true"}
    trainer(tmp_path / "two", 4, **parallel).fit(two, data(waves, batch_size=1))
    assert furthest(states(one), states(two)) < 1e-5
    assert furthest(start, states(one)) > 1e-4


def test_scores_are_distances_of_spectrograms(trained, waves):
    network, _, logged = trained
    made = data(waves)
    made.setup()
    ((wave, mels),) = made.val_dataloader()
    narrow, whole = MelSpectrogram(made.mel), MelSpectrogram(made.mel.whole_band())
    with torch.no_grad():
        fake = network(torch.empty(2, 0), mels)
    plain = griffin_lim(mels, narrow, 4)
    expected = {
        "mel_distance": mel_distance(fake, wave, whole),
        "input_distance": mel_distance(fake, wave, narrow),
        "griffin_lim_mel_distance": mel_distance(plain, wave, whole),
        "griffin_lim_input_distance": mel_distance(plain, wave, narrow),
    }
    for name, value in expected.items():
        assert logged[f"val/{name}"] == pytest.approx(value.mean().item(), rel=1e-4)
    weighted = logged["val/regularizer/log_mel"]
    assert logged["val/mel_distance"] * 45 == pytest.approx(weighted, rel=1e-4)


def test_scores_of_other_generators_are_refused(tmp_path):
    class Other:
        generator = create_generator("mlp", sample_shape=(1, 8))

    with pytest.raises(InputError, match=r"MelDistance expects a generator whose mel .* got MLP"):
        MelDistance().on_validation_start(None, Other)
    with pytest.raises(InputError, match="iterations must be a whole number from 1, got 0"):
        MelDistance(0)


def test_a_best_checkpoint_can_be_that_of_the_smallest_distance():
    names = ("mel_distance", "input_distance")
    names += tuple(f"griffin_lim_{name}" for name in names)
    assert MelDistance().logged_scores(None) == dict.fromkeys(names, "lower")


def test_pictures_and_sounds(tmp_path, waves):
    run = trainer(tmp_path, 2, callbacks=[Spectrograms(None, rows=2, seconds=0.2, iterations=2)])
    run.fit(gan(), data(waves))
    folder = tmp_path / "samples"
    with Image.open(folder / "spectrograms-00000002.png") as picture:
        shown = np.asarray(picture.convert("L"))
    assert shown.shape == (28 + 2 * 260, 3 * 26 + 2 * 4)
    real = shown[28 : 28 + 256, 30:56]
    assert real.min() == 0  # the loudest of the real wave
    assert real.mean() > 60
    names = [f"{i}-{kind}.wav" for i in range(2) for kind in ("real", "griffin-lim")]
    steps = [f"{i}-generated-0000000{step}.wav" for i in range(2) for step in (0, 2)]
    assert sorted(p.name for p in folder.glob("*.wav")) == sorted(names + steps)
    made = data(waves)
    made.setup()
    expected = made.held_out(1, 0.2)[0]
    assert (read_wave(folder / "0-real.wav", RATE) - expected).abs().max() <= 2.0**-15
    with pytest.raises(InputError, match="seconds must be above 0 and iterations at least 1"):
        Spectrograms(seconds=0)


@pytest.mark.parametrize("kind", ["hifigan", "vocos"])
def test_it_is_exported_for_any_number_of_frames(tmp_path, kind):
    network = generator() if kind == "hifigan" else VocosGenerator(mel=MEL, channels=8, blocks=2)
    module = gan(network.eval())
    publish(module, tmp_path / "made", ["torch_export", "onnx", "safetensors"])
    session = onnxruntime.InferenceSession(
        str(tmp_path / "made" / "generator.onnx"), providers=["CPUExecutionProvider"]
    )
    program = torch.export.load(tmp_path / "made" / "generator.pt2").module()
    loaded = load_generator(tmp_path / "made").generator
    assert type(loaded) is type(network)
    assert loaded.mel == network.mel
    for frames in (5, 40):
        y = torch.rand(2, 6, frames) * 8 - 8
        with torch.no_grad():
            expected = network(torch.empty(2, 0), y)
            assert torch.allclose(program(y), expected, atol=1e-5)
            assert torch.equal(loaded(torch.empty(2, 0), y), expected)
        (found,) = session.run(["samples"], {"y": y.numpy()})
        assert torch.allclose(torch.from_numpy(found), expected, atol=1e-5)


def test_a_checkpoint_needs_no_file_that_the_network_began_with(tmp_path, waves):
    begun = tmp_path / "begun.pth"
    torch.save(generator().state_dict(), begun)
    module = gan(generator(weights_file=str(begun)))
    run = trainer(tmp_path, 1)
    run.fit(module, data(waves))
    run.save_checkpoint(tmp_path / "last.ckpt")
    begun.unlink()
    again = GANModule.load_from_checkpoint(tmp_path / "last.ckpt")
    assert furthest(states(module), states(again)) == 0


SMALL = [
    "data.sample_rate=1000", "data.n_fft=32", "data.win_length=32", "data.hop_length=8",
    "data.n_mels=6", "data.f_max=400", "data.segment_length=128", "data.batch_size=2",
    "data.holdout=0.25", "model.discriminator.periods=[2]",
    "model.discriminator.period_channels=2", "model.discriminator.scales=1",
    "model.discriminator.scale_channels=2", "trainer.max_steps=3", "trainer.val_check_interval=3",
    "curves=null", "health=null",
]  # fmt: skip
LAYERS = [
    "model.generator.base_channels=8", "model.generator.upsample_rates=[4,2]",
    "model.generator.upsample_kernels=[8,4]",
]  # fmt: skip
OWN = {
    "vocoder": ["model.generator.channels=4", "model.generator.blocks=1"],
    "vocoder_hifigan": LAYERS,
    "hifigan_v1": [*LAYERS, "data.num_workers=0", "trainer.accelerator=cpu"],
}


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    (found,) = entry_points(group="console_scripts", name="lightning-gan")
    program = found.load()
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["lightning-gan", *map(str, words)])
        code = program()
        return code, capsys.readouterr()

    return run


@pytest.mark.parametrize("experiment", ["vocoder", "vocoder_hifigan", "hifigan_v1"])
def test_the_experiments_from_the_command(waves, tmp_path, command, capsys, experiment):
    given = [*SMALL, *OWN[experiment]]
    code, _ = command("fit", f"experiment={experiment}", f"data.root={waves}", *given)
    assert code == 0
    run = tmp_path / "runs" / experiment / "version_0"
    header = (run / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"val/mel_distance", "val/griffin_lim_mel_distance"} <= set(header)
    assert (run / "samples" / "0-generated-00000003.wav").is_file()
    if experiment == "hifigan_v1":
        return

    given = tmp_path / "in" / "deep"
    given.mkdir(parents=True)
    wave = read_wave(waves / "0.wav", RATE)
    wavfile.write(given / "a.wav", RATE, wave[:203].numpy())
    network = load_generator(run).generator
    mel = MelSpectrogram(network.mel)(filled(wave[None, None, :203], network.mel))
    np.save(given / "a.npy", mel[0].numpy())
    np.save(given / "b.npy", mel[0].numpy())
    (given / "notes.txt").write_text("no sound")
    code, said = command("translate", run, tmp_path / "in", tmp_path / "out")
    assert (code, said.out) == (0, "translated: 3 files in out\n")
    made = sorted(p.name for p in (tmp_path / "out" / "deep").iterdir())
    assert made == ["a.npy.wav", "a.wav.wav", "b.wav"]
    with torch.no_grad():
        expected = network(torch.empty(1, 0), mel)[0, 0]
    for name, length in zip(made, (208, 203, 208), strict=True):
        found = read_wave(tmp_path / "out" / "deep" / name, RATE)
        assert found.shape == (length,)
        assert (found - expected[:length]).abs().max() <= 2.0**-15

    code, said = command("translate", run, tmp_path / "in", tmp_path / "x", "--tile=8")
    assert code == 2
    assert f"--tile is for images, and {type(network).__name__} reads files of its own" in said.err
    np.save(given / "c.npy", np.zeros((5, 4)))
    code, said = command("translate", run, tmp_path / "in", tmp_path / "x")
    assert code == 2
    assert "must hold a log-mel spectrogram of shape (6, frames), got (5, 4)" in said.err
    assert not (tmp_path / "x").exists()
    for file in given.iterdir():
        file.unlink()
    code, said = command("translate", run, tmp_path / "in", tmp_path / "x")
    assert "there are no files with .wav or .npy in" in said.err

    assert main(["scores", str(run), str(waves), "--iterations", "2", "8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "generator", "griffin-lim 2", "griffin-lim 8", "real"
    ]  # fmt: skip
    few, many, real = ([float(x) for x in line.split()[-4:]] for line in lines[2:])
    assert few[1] > many[1] > 0
    assert (real[0], real[1], real[3]) == (0, 0, 0)


def test_tones_from_the_command(tmp_path, command):
    """Without files; and the game begins in the midst of it."""
    code, _ = command(
        "fit", "experiment=vocoder_tones", "data.tones=8", "data.batch_size=2",
        "data.seconds=0.3", "data.holdout=0.25", "model.generator.channels=4",
        "model.generator.blocks=1", "model.alternation.kimg=0.002",
        "model.schedules.generator_weight.knots=[[0.003,0.0],[0.006,1.0]]", "trainer.max_steps=4",
        "trainer.val_check_interval=4", "trainer.log_every_n_steps=1", "curves=null", "health=null",
    )  # fmt: skip
    assert code == 0
    with (tmp_path / "runs" / "vocoder_tones" / "version_0" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    heard = [bool(row["loss/generator"]) for row in rows if row["regularizer/log_mel"]]
    assert heard == [False, False, True, True]
    assert any(row["val/mel_distance"] for row in rows)


def test_spectrograms_of_other_kinds_are_refused(tmp_path):
    """Decibels, no logarithms, rounded ones: all of them of the right shape."""
    file, mel = tmp_path / "x.npy", np.linspace(-11, -1, 60, dtype=np.float32).reshape(6, 10)

    def refused(array):
        np.save(file, array)
        with pytest.raises(InputError) as caught:
            generator().translate_file(file, tmp_path / "x.wav")
        assert not (tmp_path / "x.wav").exists()
        return str(caught.value)

    expected = "where natural logarithms of mel magnitudes are expected, from -11.51 to"
    assert f"holds numbers from -120 to -20, {expected}" in refused(mel * 10 - 10)
    assert f"holds numbers from 1.67e-05 to 0.3679, {expected}" in refused(np.exp(mel))
    assert refused(mel.astype(int)).endswith("must hold floats, got numbers of type int64")
    assert refused(mel.T).endswith("of shape (6, frames), got (10, 6)")
    assert "NaN or infinite" in refused(np.where(mel < -2, mel, np.nan))
    for same in (mel, mel.astype(">f8"), mel[None], np.asfortranarray(mel)):
        np.save(file, same)
        generator().translate_file(file, tmp_path / "x.wav")
        assert len(read_wave(tmp_path / "x.wav", RATE)) == 80


def test_hum_is_what_is_loud_at_the_rate_of_frames():
    hop, time = 8, torch.arange(4096)
    noise = torch.randn(4096)
    assert abs(hum(power(noise, hop))) < 0.5
    tones = sum(torch.cos(2 * torch.pi * k * time / hop) for k in (1, 2, 3))
    assert hum(power(noise + tones, hop)) > 10
    assert abs(hum(power(noise + 3 * torch.cos(2 * torch.pi * 0.45 * time / hop), hop))) < 2


def test_scores_of_what_is_no_vocoder(capsys, tmp_path):
    assert main(["scores", str(tmp_path / "absent"), str(tmp_path)]) == 2
    assert "nothing is at" in capsys.readouterr().err


def test_mels_of_another_kind_are_refused():
    network = generator()
    assert network.mel.as_dict() == {"f_min": 0.0, **MEL}
    assert network.example_input(3).shape == (3, 6, 32)
    assert torch.equal(network.example_input(3), network.example_input(3))
