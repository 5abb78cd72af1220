"""The generator: its layout, its numbers and its weights."""

import pytest
import torch
from lightning_gan_superresolution import RRDBGenerator, read_weights, write_weights
from lightning_gan_superresolution.__main__ import main
from safetensors.torch import save_file
from torch.nn.functional import conv2d, interpolate, leaky_relu, pixel_unshuffle

from lightning_gan import InputError
from lightning_gan.testing import check_component

TINY = {"scale": 2, "base_channels": 4, "blocks": 1, "growth_channels": 2}


def tiny(**changes):
    return RRDBGenerator((3, 8, 8), **{**TINY, **changes})


def made(network, y):
    with torch.no_grad():
        return network(torch.empty(len(y), 0), y)


@pytest.mark.parametrize("scale", [2, 4])
def test_component(scale):
    def y(size):
        return torch.rand(4, 3, size // scale, size // scale) * 2 - 1

    check_component(
        "generator",
        "rrdb",
        y=y,
        sizes=(8, 16),
        arguments={"sample_shape": (3, 8, 8), **TINY, "scale": scale},
    )


def test_the_standard_configuration_has_the_published_layout():
    with torch.device("meta"):
        network = RRDBGenerator((3, None, None))
    shapes = {key: tuple(x.shape) for key, x in network.state_dict().items()}
    expected = {}
    for name, inputs, outputs in (
        ("conv_first", 3, 64), ("conv_body", 64, 64), ("conv_up1", 64, 64), ("conv_up2", 64, 64),
        ("conv_hr", 64, 64), ("conv_last", 64, 3),
        *(
            (f"body.{block}.rdb{dense}.conv{k}", 64 + 32 * (k - 1), 64 if k == 5 else 32)
            for block in range(23) for dense in (1, 2, 3) for k in range(1, 6)
        ),
    ):  # fmt: skip
        expected[f"{name}.weight"] = (outputs, inputs, 3, 3)
        expected[f"{name}.bias"] = (outputs,)
    assert shapes == expected
    assert sum(x.numel() for x in network.parameters()) == 16_697_987


def by_hand(weights, y, scale):
    """The same by functions alone, in [0, 1] as files of this layout have it."""

    def conv(name, x):
        return conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1)

    x = (y + 1) / 2
    x = conv("conv_first", pixel_unshuffle(x, 2) if scale == 2 else x)
    first = x
    for block in range(sum(key.endswith("rdb1.conv1.weight") for key in weights)):
        before = x
        for dense in (1, 2, 3):
            maps = [x]
            for k in range(1, 5):
                name = f"body.{block}.rdb{dense}.conv{k}"
                maps.append(leaky_relu(conv(name, torch.cat(maps, 1)), 0.2))
            x = x + 0.2 * conv(f"body.{block}.rdb{dense}.conv5", torch.cat(maps, 1))
        x = before + 0.2 * x
    x = first + conv("conv_body", x)
    for name in ("conv_up1", "conv_up2"):
        x = leaky_relu(conv(name, interpolate(x, scale_factor=2, mode="nearest")), 0.2)
    return conv("conv_last", leaky_relu(conv("conv_hr", x), 0.2)) * 2 - 1


@pytest.mark.parametrize("scale", [2, 4])
def test_what_it_computes(scale):
    network = tiny(scale=scale, blocks=2)
    y = torch.rand(2, 3, 6, 8) * 2 - 1
    with torch.no_grad():
        expected = by_hand(network.state_dict(), y, scale)
    assert expected.shape == (2, 3, 6 * scale, 8 * scale)
    assert torch.allclose(made(network, y), expected, atol=1e-5)


def test_odd_sides_are_filled_by_their_edge():
    network, y = tiny(), torch.rand(1, 3, 5, 7) * 2 - 1
    filled = torch.nn.functional.pad(y, (0, 1, 0, 1), mode="replicate")
    assert torch.equal(made(network, y), made(network, filled)[..., :10, :14])


@pytest.mark.parametrize("way", ["bare", "params", "params_ema", "both", "safetensors"])
def test_weights_of_a_file_are_taken_over(tmp_path, way):
    given = {key: x.contiguous() for key, x in tiny().state_dict().items()}
    other = tiny().state_dict()
    path = tmp_path / ("x.safetensors" if way == "safetensors" else "x.pth")
    content = {
        "bare": given,
        "params": {"params": given},
        "params_ema": {"params_ema": given},
        "both": {"params": other, "params_ema": given},
    }
    if way == "safetensors":
        save_file(given, path)
    else:
        torch.save(content[way], path)
    network = tiny(weights_file=str(path))
    assert all(torch.equal(x, given[key]) for key, x in network.state_dict().items())


def test_a_file_that_does_not_fit_is_described(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"params": tiny(scale=4, blocks=3).state_dict()}, path)
    with pytest.raises(InputError, match="scale=4, base_channels=4, blocks=3, growth_channels=2"):
        tiny(weights_file=str(path))
    torch.save({"model.0.weight": torch.zeros(1)}, path)
    with pytest.raises(InputError, match="is not the state dict of an RRDBNet"):
        tiny(weights_file=str(path))
    torch.save([1, 2], path)
    with pytest.raises(InputError, match="holds something else"):
        tiny(weights_file=str(path))
    path.write_bytes(b"no")
    with pytest.raises(InputError, match="cannot be read"):
        tiny(weights_file=str(path))
    with pytest.raises(InputError, match="there is no file"):
        tiny(weights_file=str(tmp_path / "absent.pth"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scale": 3}, "scale must be 2 or 4, got 3"),
        ({"blocks": 0}, "blocks must be a whole number from 1, got 0"),
        ({"growth_channels": 1.5}, "growth_channels must be a whole number from 1, got 1.5"),
    ],
)
def test_wrong_numbers(changes, said):
    with pytest.raises(InputError, match=said):
        tiny(**changes)


def test_a_condition_that_is_no_image():
    with pytest.raises(InputError, match=r"y of shape \(N, 3, h, w\), got NoneType"):
        tiny()(torch.empty(2, 0))
    with pytest.raises(InputError, match=r"got \(2, 1, 4, 4\)"):
        made(tiny(), torch.zeros(2, 1, 4, 4))


def test_weights_are_written_for_others(tmp_path, capsys, trained):
    network, run = trained
    for name in ("x.pth", "x.safetensors"):
        write_weights(run, tmp_path / name)
        weights = read_weights(tmp_path / name)
        assert all(torch.equal(x, weights[key]) for key, x in network.state_dict().items())
    assert set(torch.load(tmp_path / "x.pth")) == {"params_ema"}
    assert main(["weights", str(run), str(tmp_path / "x.pth")]) == 2
    assert "exists; choose another name" in capsys.readouterr().err
    assert main(["weights", str(run), str(tmp_path / "x.bin")]) == 2
    assert main(["weights", str(run), str(tmp_path / "y.pth")]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.pth", "x.safetensors", "y.pth"]
