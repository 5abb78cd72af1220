"""WAV files of all kinds, segments that change and come again, tones."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import MEL, RATE, SEGMENT, data, gan, generator, sounds, trainer
from lightning_gan_vocoder import MelSettings, MelSpectrogram, Tones, read_wave, write_wave
from lightning_gan_vocoder.__main__ import main
from lightning_gan_vocoder.tones import tone
from scipy.io import wavfile

from lightning_gan import InputError


def batches(loader):
    return [tuple(x.clone() for x in pair) for pair in loader]


def same(one, other):
    return len(one) == len(other) and all(
        torch.equal(a, b) for left, right in zip(one, other, strict=True)
        for a, b in zip(left, right, strict=True)
    )  # fmt: skip


WAVE = np.array([0.5, -0.25, 0.0, 0.75, -1.0, 0.125])


def write_raw(file, numbers, width, order="little", rate=RATE):
    """Write whole numbers of so many bytes: scipy writes no 24 bits, and one order alone."""
    body = b"".join(int(n).to_bytes(width, order, signed=True) for n in numbers)

    def whole(*pairs):
        return b"".join(number.to_bytes(size, order) for number, size in pairs)

    head = (b"RIFF" if order == "little" else b"RIFX") + whole((36 + len(body), 4))
    head += b"WAVEfmt " + whole((16, 4), (1, 2), (1, 2), (rate, 4), (rate * width, 4))
    head += whole((width, 2), (8 * width, 2)) + b"data" + whole((len(body), 4))
    file.write_bytes(head + body)


@pytest.mark.parametrize("kind", ["uint8", "int16", "24", "int32", "float32", "float64"])
def test_files_of_all_kinds_mean_the_same(tmp_path, kind):
    file = tmp_path / "x.wav"
    if kind == "24":
        write_raw(file, WAVE * 2**23, 3)
    elif kind == "uint8":
        wavfile.write(file, RATE, (WAVE * 128 + 128).astype(np.uint8))
    elif kind.startswith("int"):
        full = {"int16": 2**15, "int32": 2**31}[kind]
        wavfile.write(file, RATE, (WAVE * full).astype(kind))
    else:
        wavfile.write(file, RATE, WAVE.astype(kind))
    found = read_wave(file, RATE)
    assert found.dtype == torch.float32
    assert torch.equal(found, torch.from_numpy(WAVE).float())
    assert torch.equal(read_wave(file, RATE, 2, 3), found[2:5])
    assert torch.equal(read_wave(file, RATE, 4, 9), found[4:])


def test_channels_are_averaged_and_chunks_of_others_left_alone(tmp_path):
    file = tmp_path / "x.wav"
    wavfile.write(file, RATE, np.stack([WAVE, np.zeros(6)], 1).astype(np.float32))
    assert torch.equal(read_wave(file, RATE), torch.from_numpy(WAVE / 2).float())
    wavfile.write(file, RATE, (WAVE * 2**15).astype(np.int16))
    file.write_bytes(file.read_bytes() + b"LIST" + (4).to_bytes(4, "little") + b"abcd")
    assert torch.equal(read_wave(file, RATE), torch.from_numpy(WAVE).float())


def test_what_is_written_is_read_again(tmp_path):
    file = tmp_path / "deep" / "x.wav"
    wave = torch.tensor([0.1, -0.2, 1.0, -1.0, 1.5])
    write_wave(file, wave, RATE)
    assert (read_wave(file, RATE) - wave.clamp(-1, 1)).abs().max() <= 2.0**-15
    assert [each.name for each in file.parent.iterdir()] == ["x.wav"]


def test_odd_files_are_one_sentence(tmp_path):
    file = tmp_path / "x.wav"

    def refused(samples, rate=RATE):
        wavfile.write(file, rate, samples)
        return refuses()

    def refuses():
        with pytest.raises(InputError) as caught:
            read_wave(file, RATE)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert refused(WAVE.astype(np.float32), 44100) == (
        f"{file} has 44100 samples a second, and sample_rate=1000 is expected: resample it, or "
        "train with sample_rate=44100"
    )
    assert refused(np.zeros(0, np.int16)).endswith("x.wav holds no samples: remove it")
    assert "NaN or infinite" in refused(np.array([0.0, np.nan], np.float32))
    assert "up to 3e+04, where [-1, 1] is expected" in refused(np.array([0.0, 3e4], np.float32))
    assert "samples of type int64" in refused(np.arange(4, dtype=np.int64))
    whole = file.read_bytes()
    for content in (b"", b"no", b"RIFF", whole[:30]):
        file.write_bytes(content)
        assert "x.wav cannot be read as a WAV file (" in refuses()
    file.unlink()
    assert "cannot be read as a WAV file" in refuses()
    file.mkdir()
    assert "cannot be read as a WAV file" in refuses()


def test_files_of_the_other_byte_order(tmp_path):
    file = tmp_path / "x.wav"
    write_raw(file, WAVE * 2**15, 2, "big")
    assert torch.equal(read_wave(file, RATE), torch.from_numpy(WAVE).float())


@pytest.mark.parametrize("order", ["little", "big"])
def test_files_that_were_cut_off(tmp_path, order):
    file = tmp_path / "x.wav"
    write_raw(file, np.ones(500), 2, order)
    whole = file.read_bytes()
    file.write_bytes(whole[:700])
    with pytest.raises(InputError, match=r"has 700 bytes, and its head says 1044: it was cut off"):
        read_wave(file, RATE)
    # What a program wrote that could not know the length: no file is so long.
    unknown = b"\xff" * 4
    file.write_bytes(whole[:4] + unknown + whole[8:40] + unknown + whole[44:])
    assert len(read_wave(file, RATE)) == 500


@pytest.mark.parametrize("wrong", [np.nan, 30.0])
def test_floats_are_looked_at_before_any_work(tmp_path, wrong):
    """Wherever they are: a random segment may never show them."""
    folder = sounds(tmp_path / "x")
    samples = np.zeros(4000, np.float32)
    samples[3] = wrong
    wavfile.write(folder / "9.wav", RATE, samples)
    with pytest.raises(InputError, match=r"9\.wav has"):
        ready(folder)


def test_overshoot_is_cut(tmp_path):
    wavfile.write(tmp_path / "x.wav", RATE, np.array([1.2, -1.01, 0.5], np.float32))
    assert read_wave(tmp_path / "x.wav", RATE).tolist() == [1, -1, 0.5]


def ready(folder, **changes):
    made = data(folder, **changes)
    made.setup("fit")
    return made


def test_batches_are_waves_with_their_spectrograms(waves):
    made = ready(waves)
    assert made.sample_shape == (1, SEGMENT)
    assert made.network_arguments == {"mel": MelSettings(**MEL).as_dict()}
    transform = MelSpectrogram(made.mel)
    for way in ("train_dataloader", "val_dataloader", "test_dataloader", "predict_dataloader"):
        loader = getattr(made, way)()
        found = batches(loader)
        assert len(found) == len(loader) == (3 if way.startswith("train") else 1)
        for wave, mel in found:
            length = SEGMENT * (1 if way.startswith("train") else 4)
            assert wave.shape == (2, 1, length)
            assert mel.shape == (2, 6, length // 8)
            assert torch.equal(mel, transform(wave))


def place(segment, whole):
    """Where a segment lies in a wave, or None."""
    length = len(segment)
    starts = range(len(whole) - length + 1)
    return next((s for s in starts if torch.equal(whole[s : s + length], segment)), None)


def test_held_out_files_are_apart_and_give_their_middles(waves):
    made = ready(waves)
    wholes = [read_wave(file, RATE) for file in made.files]
    held = torch.cat([wave for wave, _ in batches(made.val_dataloader())])
    owners, long = [], 4 * SEGMENT
    for segment in held:
        middles = [
            torch.nn.functional.pad(
                x[max(0, len(x) - long) // 2 :][:long], (0, max(0, long - len(x)))
            )
            for x in wholes
        ]
        owners.append([i for i, middle in enumerate(middles) if torch.equal(middle, segment[0])])
    assert [len(each) for each in owners] == [1, 1]
    seen = set()
    for _ in range(20):
        for wave, _ in made.train_dataloader():
            for segment in wave:
                seen |= {
                    i for i, whole in enumerate(wholes) if place(segment[0], whole) is not None
                }
    assert seen == set(range(8)) - {owner for (owner,) in owners}
    assert same(batches(ready(waves, seed=3).val_dataloader()), batches(made.val_dataloader()))


@pytest.mark.parametrize(("shortest", "length"), [(203, 200), (90, SEGMENT), (600, 4 * SEGMENT)])
def test_validation_sees_no_silence_but_that_of_short_waves(tmp_path, shortest, length):
    made = ready(sounds(tmp_path / "x", [shortest, *[700] * 3]), holdout=0.6, batch_size=2)
    assert made._split["test"][0] == 0
    ((wave, _),) = made.val_dataloader()
    assert wave.shape == (2, 1, length)


def test_segments_change_and_come_again(waves):
    first, again = ready(waves).train_dataloader(), ready(waves).train_dataloader()
    one, two = batches(first), batches(first)
    assert not same(one, two)
    assert same(one, batches(again))
    assert same(two, batches(again))
    assert not same(one, batches(ready(waves, seed=1).train_dataloader()))
    with_workers = ready(waves, num_workers=1).train_dataloader()
    assert same(one, batches(with_workers))


def test_an_epoch_is_resumed_where_it_was(waves):
    made = ready(waves)
    loader, whole = made.train_dataloader(), ready(waves).train_dataloader()
    expected = batches(whole) + batches(whole)
    reading = iter(loader)
    seen = [tuple(x.clone() for x in next(reading)) for _ in range(2)]
    other = ready(waves)
    other.load_state_dict(made.state_dict())
    going = other.train_dataloader()
    assert same([*seen, *batches(going)], expected[:5])


def test_processes_share_an_epoch(waves):
    def of(rank):
        made = data(waves, batch_size=1)
        made.trainer = SimpleNamespace(
            global_rank=rank, world_size=2, overfit_batches=0, state=SimpleNamespace(fn="fit")
        )
        made.setup("fit")
        return batches(made.train_dataloader())

    alone = batches(ready(waves, batch_size=2).train_dataloader())
    together = [
        tuple(torch.cat(parts) for parts in zip(a, b, strict=True))
        for a, b in zip(of(0), of(1), strict=True)
    ]
    assert same(alone, together)


def test_short_files_end_in_silence(tmp_path, capsys, caplog):
    folder = sounds(tmp_path / "x", lengths=(50, 300, 60, 200))
    with caplog.at_level("INFO"):
        made = ready(folder, holdout=0.1, batch_size=3)
    assert "2 of 4 waves are shorter than segment_length=128, and end in silence" in caplog.text
    ((wave, _),) = batches(made.train_dataloader())
    silent = [(each[0, 60:] == 0).all().item() for each in wave]
    assert sum(silent) >= 1


def test_held_out_waves_have_whole_frames(waves):
    found = ready(waves).held_out(5)
    assert len(found) == 2
    assert all(len(x) % 8 == 0 for x in found)
    assert all(len(x) == 104 for x in ready(waves).held_out(5, seconds=0.1))
    odd = ready(waves, hop_length=6, segment_length=126)  # a transform is no whole frames
    assert all(len(x) == 36 for x in odd.held_out(5, seconds=0.01))


def test_a_generator_of_other_mels_is_refused(tmp_path, waves):
    """Shapes alone would let it learn; its checkpoint would tell others the wrong settings."""
    with pytest.raises(InputError, match=r"takes .* f_max=400\.0, .* WaveFolder have f_max=350"):
        trainer(tmp_path, 1).fit(gan(), data(waves, f_max=350.0))


@pytest.mark.parametrize("way", ["fit", "test"])
def test_a_checkpoint_of_other_mels_is_refused(tmp_path, waves, trained, way):
    """The command builds the generator for the new data: the checkpoint alone knows better."""
    other = {**MEL, "f_max": 350.0}
    run = trainer(tmp_path, 9)
    with pytest.raises(InputError, match=r"the checkpoint takes .* f_max=400\.0, .* f_max=350"):
        getattr(run, way)(gan(generator(mel=other)), data(waves, **other), ckpt_path=trained[1])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"segment_length": 100}, "segment_length must be a multiple of hop_length=8, .* got 100"),
        ({"segment_length": 16}, "from n_fft=32 on, got 16"),
        ({"holdout": 1.0}, "holdout must lie between 0 and 1, got 1.0"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1, got 0"),
        ({"batch_size": 7}, "6 waves to train with are too few for a batch of 7 on each of 1 .* 6"),
        ({"holdout": 0.99}, "missing: of 8, holdout=0.99 holds 8 out; add some"),
        ({"sample_rate": 2000}, "0.wav has 1000 samples a second, and sample_rate=2000"),
    ],
)
def test_wrong_arguments(waves, changes, said):
    with pytest.raises(InputError, match=said):
        ready(waves, **changes)


def test_folders_without_sounds(tmp_path):
    with pytest.raises(
        InputError, match="root must be a folder of WAV files, and there is none at"
    ):
        data(tmp_path / "absent")
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(InputError, match="and there are none in"):
        data(tmp_path)


def test_tones_are_always_the_same():
    made = Tones(tones=10, seconds=0.5, batch_size=4)
    made.setup("fit")
    assert torch.equal(made.read(3), tone(3, 4000, 8000))
    assert torch.equal(made.read(3, 100, 50), tone(3, 4000, 8000)[100:150])
    assert not torch.equal(made.read(3), made.read(4))
    assert made.read(3).abs().max() <= 1
    assert len(made.held_out(9)) == 1
    spectrum = torch.fft.rfft(tone(1, 8000, 8000)).abs()
    assert 110 * 0.9 <= spectrum[:500].argmax() <= 440 * 12
    with pytest.raises(InputError, match="tones must be a whole number from 2, got 1"):
        Tones(tones=1)
    with pytest.raises(InputError, match="seconds must be above 0, got 0"):
        Tones(seconds=0)
    with pytest.raises(InputError, match="sample_rate must be at least 907 for tones, got 500"):
        Tones(sample_rate=500)
    assert tone(0, 900, 907).isfinite().all()


def test_tones_as_files(tmp_path, capsys):
    words = ["tones", str(tmp_path / "x"), "--tones", "2", "--first", "5", "--sample_rate", "8000"]
    assert main(words) == 0
    files = sorted((tmp_path / "x").iterdir())
    assert [file.name for file in files] == ["00005.wav", "00006.wav"]
    assert (read_wave(files[0], 8000) - tone(5, 8000, 8000)).abs().max() <= 2.0**-15
    capsys.readouterr()
    assert main(words) == 2
    assert "exists and is not empty; choose another folder" in capsys.readouterr().err
    for wrong in (["--tones", "0"], ["--seconds", "nan"]):
        assert main([*words[:1], str(tmp_path / "y"), *wrong]) == 2
        assert "must be above 0" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main([*words[:1], str(tmp_path / "file" / "y")]) == 2
    assert "file/y cannot be written: Not a directory" in capsys.readouterr().err
