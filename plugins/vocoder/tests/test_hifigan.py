"""The networks: the paper's sizes, what they compute, files of others, waves of any length."""

from importlib.resources import files

import pytest
import torch
import yaml
from conftest import MEL, SEGMENT, generator
from lightning_gan_vocoder import (
    HiFiGANDiscriminator,
    HiFiGANGenerator,
    configs,
    vocode,
    write_weights,
)
from lightning_gan_vocoder.__main__ import main
from safetensors.torch import load_file, save_file
from torch.nn.functional import conv1d, conv_transpose1d, leaky_relu
from torch.nn.utils import weight_norm as old_weight_norm

from lightning_gan import InputError, create_discriminator, create_loss
from lightning_gan.testing import check_component

V2 = {"base_channels": 128}
V3 = {
    "base_channels": 256, "upsample_rates": [8, 8, 4], "upsample_kernels": [16, 16, 8],
    "block_kernels": [3, 5, 7], "block_dilations": [[1, 2], [2, 6], [3, 12]], "paired": False,
}  # fmt: skip


def count(network):
    return sum(x.numel() for x in network.parameters())


@pytest.mark.parametrize(
    ("arguments", "millions", "exactly"),
    [({}, 13.92, 13_926_017), (V2, 0.92, 925_985), (V3, 1.46, 1_462_273)],
)
def test_sizes_are_those_of_the_paper(arguments, millions, exactly):
    """Table 1 of the paper, which leaves out further digits."""
    with torch.device("meta"):
        found = count(HiFiGANGenerator(norm="none", **arguments))
    assert found == exactly
    assert found // 10_000 == round(millions * 100)


def test_names_are_those_of_the_published_code():
    """V3 and V1, as ``generator_v3`` and ``generator_v1`` have them without normalization."""
    with torch.device("meta"):
        three = set(HiFiGANGenerator(norm="none", **V3).state_dict())
        one = set(HiFiGANGenerator(norm="none").state_dict())
    parts = ["conv_pre", "conv_post", *(f"ups.{i}" for i in range(3))]
    parts += [f"resblocks.{i}.convs.{j}" for i in range(9) for j in range(2)]
    assert three == {f"{part}.{kind}" for part in parts for kind in ("weight", "bias")}
    parts = ["conv_pre", "conv_post", *(f"ups.{i}" for i in range(4))]
    parts += [f"resblocks.{i}.convs{k}.{j}" for i in range(12) for j in range(3) for k in (1, 2)]
    assert one == {f"{part}.{kind}" for part in parts for kind in ("weight", "bias")}


def by_hand(weights, y, rates, kernels, dilations, paired):
    def conv(name, x, dilation=1):
        weight = weights[f"{name}.weight"]
        padding = dilation * (weight.shape[2] - 1) // 2
        return conv1d(x, weight, weights[f"{name}.bias"], padding=padding, dilation=dilation)

    x, block = conv("conv_pre", y), 0
    for stage, (rate, kernel) in enumerate(zip(rates, kernels, strict=True)):
        x = conv_transpose1d(
            leaky_relu(x, 0.1), weights[f"ups.{stage}.weight"], weights[f"ups.{stage}.bias"],
            stride=rate, padding=(kernel - rate) // 2,
        )  # fmt: skip
        outputs = []
        for each in dilations:
            made = x
            for place, dilation in enumerate(each):
                name = f"resblocks.{block}.convs" + ("1" if paired else "")
                inner = conv(f"{name}.{place}", leaky_relu(made, 0.1), dilation)
                if paired:
                    inner = conv(f"resblocks.{block}.convs2.{place}", leaky_relu(inner, 0.1))
                made = made + inner
            outputs.append(made)
            block += 1
        x = sum(outputs) / len(outputs)
    return conv("conv_post", leaky_relu(x, 0.01)).tanh()


@pytest.mark.parametrize("paired", [True, False])
def test_what_it_computes(paired):
    network, y = generator(paired=paired), torch.randn(2, 6, 5)
    plain = network.folded()
    weights = plain.state_dict()
    expected = by_hand(weights, y, [4, 2], [8, 4], [[1, 3], [1, 2]], paired)
    empty = torch.empty(2, 0)
    with torch.no_grad():
        assert expected.shape == (2, 1, 40)
        assert torch.allclose(network(empty, y), expected, atol=1e-6)
        assert torch.allclose(plain(empty, y), expected, atol=1e-6)
    assert count(network) - count(plain) == sum(
        len(weights[name]) for name in weights if name.endswith(".weight")
    )


def published(network):
    """The weights as the published code keeps them in training: ``weight_g`` and ``weight_v``."""
    plain = network.folded()
    for module in [each for each in plain.modules() if hasattr(each, "weight")]:
        with pytest.warns(FutureWarning, match="weight_norm"):
            old_weight_norm(module)
    return plain.state_dict()


@pytest.mark.parametrize("way", ["wrapped", "bare", "plain", "own", "safetensors"])
@pytest.mark.parametrize("norm", ["weight", "none"])
def test_weights_of_a_file_are_taken_over(tmp_path, way, norm):
    given = generator()
    path = tmp_path / ("x.safetensors" if way == "safetensors" else "x.pth")
    plain = {key: x.contiguous() for key, x in given.folded().state_dict().items()}
    if way == "safetensors":
        save_file(plain, path)
    else:
        old = published(given)
        assert "ups.0.weight_g" in old
        content = {"wrapped": {"generator": old}, "bare": old, "plain": {"generator": plain}}
        torch.save({**content, "own": given.state_dict()}[way], path)
    torch.manual_seed(1)
    network = generator(norm=norm, weights_file=str(path))
    y, z = torch.randn(1, 6, 4), torch.empty(1, 0)
    with torch.no_grad():
        assert torch.allclose(network(z, y), given(z, y), atol=1e-6)
        assert not torch.allclose(generator()(z, y), given(z, y), atol=1e-3)


def test_a_file_that_does_not_fit(tmp_path):
    path = tmp_path / "x.pth"
    torch.save(generator(base_channels=16).state_dict(), path)
    with pytest.raises(InputError, match=r"differences is conv_pre.*\(16,.* here$"):
        generator(weights_file=str(path))
    torch.save([1], path)
    with pytest.raises(InputError, match="holds something else than the state dict of a HiFi-GAN"):
        generator(weights_file=str(path))
    path.write_bytes(b"no")
    with pytest.raises(InputError, match="cannot be read"):
        generator(weights_file=str(path))
    with pytest.raises(InputError, match="there is no file"):
        generator(weights_file=str(tmp_path / "absent.pth"))


def test_weights_are_written_for_others(tmp_path, capsys, trained):
    network, run, _ = trained
    write_weights(run, tmp_path / "x.safetensors")
    assert main(["weights", str(run), str(tmp_path / "x.pth")]) == 0
    found = torch.load(tmp_path / "x.pth")["generator"]
    other = load_file(tmp_path / "x.safetensors")
    for key, x in network.folded().state_dict().items():
        assert torch.equal(found[key], x)
        assert torch.equal(other[key], x)
    capsys.readouterr()
    assert main(["weights", str(run), str(tmp_path / "x.pth")]) == 2
    assert "exists; choose another name" in capsys.readouterr().err
    assert main(["weights", str(run), str(tmp_path / "x.bin")]) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.pth", "x.safetensors"]
    for ending in ("pth", "safetensors"):
        assert main(["weights", str(run), str(tmp_path / "x.pth" / f"y.{ending}")]) == 2
        assert "x.pth cannot be written: File exists" in capsys.readouterr().err


def test_the_published_recipe_weighs_the_game_as_the_paper_does():
    """Equation 2 is (D(G(s)) - 1)^2, beside twice the features and 45 times the mels."""
    text = files(configs).joinpath("experiment", "hifigan_v1.yaml").read_text()
    model, logits = yaml.safe_load(text)["model"], torch.randn(9)
    term = model["generator_weight"] * create_loss("least_squares").generator(logits)
    assert torch.allclose(term, (logits - 1).square())
    assert model["heads"] == "sum"
    assert [model["regularizers"][name]["weight"] for name in ("feature_matching", "log_mel")] == [
        2, 45
    ]  # fmt: skip


def test_pieces_say_what_the_whole_does():
    """A frame that lies further than the context changes nothing."""
    network = generator(block_dilations=[[1, 9], [2, 9]]).eval()
    mels = torch.randn(2, 6, 90)
    with torch.no_grad():
        whole = network(torch.empty(2, 0), mels)
    for chunk in (7, 40, 90, 200):
        assert torch.allclose(vocode(network, mels, chunk), whole, atol=1e-6)
    changed = mels.clone()
    changed[..., 45 + network.context + 1 :] = 0
    with torch.no_grad():
        other = network(torch.empty(2, 0), changed)
    assert torch.allclose(other[..., : 46 * 8], whole[..., : 46 * 8], atol=1e-6)
    assert not torch.allclose(other, whole, atol=1e-3)
    with pytest.raises(InputError, match="chunk must be a whole number from 1, got 0"):
        vocode(network, mels, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"upsample_rates": [4, 4]}, r"must be hop_length=8, got \[4, 4\], 16"),
        ({"upsample_kernels": [8, 3]}, "larger by an even number or 0"),
        ({"upsample_kernels": [8]}, "one for each of upsample_rates"),
        ({"block_kernels": [3, 4]}, "block_kernels must be odd"),
        ({"block_dilations": [[1, 3]]}, "with 1 lists"),
        ({"block_dilations": [[1, 0], [1]]}, r"block_dilations\[0\] must be whole numbers from 1"),
        ({"base_channels": 6}, "base_channels must be a multiple of 4, halved 2 times, got 6"),
        ({"norm": "batch"}, "norm must be 'weight' or 'none', got 'batch'"),
        ({"mel": {"n_mel": 6}}, "mel must be a mapping of some of sample_rate, n_fft"),
    ],
)
def test_wrong_arguments(changes, said):
    with pytest.raises(InputError, match=said):
        generator(**changes)


def test_wrong_shapes():
    with pytest.raises(InputError, match=r"sample_shape must be \(1, T\), got \(2, 8\)"):
        HiFiGANGenerator((2, 8))
    with pytest.raises(InputError, match=r"y of shape \(N, 6, frames\), got NoneType"):
        generator()(torch.empty(2, 0))
    with pytest.raises(InputError, match=r"got \(2, 5, 4\)"):
        generator()(torch.empty(2, 0), torch.zeros(2, 5, 4))


def test_the_heads_of_both_one_after_the_other():
    joint = HiFiGANDiscriminator((1, SEGMENT), [2, 3, 5], 2, 2, 4).eval()
    x = torch.randn(3, 1, SEGMENT)
    found = joint(x)
    by_period, by_scale = joint.mpd(x), joint.msd(x)
    expected = [*by_period.logits, *by_scale.logits]
    assert [len(x) for x in expected] == [3] * 5
    assert all(torch.equal(a, b) for a, b in zip(found.logits, expected, strict=True))
    assert [len(each) for each in found.features] == [6, 6, 6, 8, 8]
    assert torch.equal(found.features[3][0], by_scale.features[0][0])
    assert joint.sample_shape == (1, None)
    with pytest.raises(InputError, match=r"sample_shape must be \(1, T\), got \(2, 64\)"):
        HiFiGANDiscriminator((2, 64))


def test_the_discriminator_has_the_paper_s_layers():
    """Those of the core, which are compared with the published code there."""
    with torch.device("meta"):
        joint = HiFiGANDiscriminator()
        apart = [create_discriminator(name) for name in ("multi_period", "multi_scale_wave")]
    assert count(joint) == sum(map(count, apart))
    assert len(joint.mpd.stacks) == 5
    assert len(joint.msd.stacks) == 3


def test_components():
    arguments = {
        "sample_shape": (1, SEGMENT), "mel": MEL, "base_channels": 8, "upsample_rates": [4, 2],
        "upsample_kernels": [8, 4], "block_kernels": [3], "block_dilations": [[1]],
    }  # fmt: skip
    check_component("generator", "hifigan", arguments=arguments, y=torch.randn(4, 6, SEGMENT // 8))
    check_component(
        "discriminator", "hifigan", sample_shape=(1, SEGMENT), periods=[2], period_channels=2,
        scales=1, scale_channels=2,
    )  # fmt: skip
