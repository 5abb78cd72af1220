"""The generator of Vocos: the paper's size, what it computes, waves of any length."""

import pytest
import torch
from conftest import MEL, SEGMENT
from lightning_gan_vocoder import MelSettings, VocosGenerator, vocode
from torch.nn.functional import conv1d, gelu, layer_norm, linear

from lightning_gan import InputError
from lightning_gan.testing import check_component


def tiny(**changes):
    return VocosGenerator(**{"mel": MEL, "channels": 6, "blocks": 2, **changes}).eval()


def test_its_size_is_that_of_the_paper():
    """13.5 million, of 100 mels at 24 kHz."""
    with torch.device("meta"):
        network = VocosGenerator(mel={"sample_rate": 24000, "n_mels": 100, "f_max": None})
    assert sum(x.numel() for x in network.parameters()) == 13_531_650


def test_what_it_computes():
    network = tiny()
    with torch.no_grad():
        for x in network.parameters():
            x.add_(0.1 * torch.randn_like(x))
    w, y = dict(network.named_parameters()), torch.randn(2, 6, 9)

    def norm(name, x):
        return layer_norm(x, (6,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-6)

    def edges(x):
        return torch.cat([x[..., :1]] * 3 + [x] + [x[..., -1:]] * 3, dim=-1)

    x = conv1d(edges(y), w["embed.weight"], w["embed.bias"]).mT
    x = norm("norm", x)
    for i in range(2):
        name = f"blocks.{i}"
        inner = conv1d(
            edges(x.mT), w[f"{name}.depthwise.weight"], w[f"{name}.depthwise.bias"], groups=6
        ).mT
        inner = norm(f"{name}.norm", inner)
        inner = gelu(linear(inner, w[f"{name}.wider.weight"], w[f"{name}.wider.bias"]))
        inner = linear(inner, w[f"{name}.narrower.weight"], w[f"{name}.narrower.bias"])
        x = x + w[f"{name}.scale"] * inner
    made = linear(norm("final_norm", x), w["out.weight"], w["out.bias"]).mT
    spectrum = torch.polar(made[:, :17].exp().clamp(max=100), made[:, 17:])
    # torch's own inverse of a transform of which 12 samples at each end are beyond the wave.
    whole = torch.istft(
        torch.nn.functional.pad(spectrum, (2, 2)), 32, 8, window=torch.hann_window(32), center=True
    )
    expected = whole[:, 12:-12][:, : 9 * 8]
    with torch.no_grad():
        found = network(torch.empty(2, 0), y)
    assert found.shape == (2, 1, 72)
    inner = slice(24, 48)  # where the frames added at the ends take no part
    assert torch.allclose(found[:, 0, inner], expected[:, inner], atol=1e-5)


def test_a_spectrum_comes_back_as_its_wave():
    network, wave = tiny(), torch.randn(2, SEGMENT)
    mirrored = torch.nn.functional.pad(wave[:, None], (12, 12), "reflect")[:, 0]
    spectrum = torch.stft(
        mirrored, 32, 8, window=torch.hann_window(32), center=False, return_complex=True
    )
    back = network._wave(spectrum.abs(), spectrum.angle())
    assert torch.allclose(back, wave, atol=1e-4)


def test_pieces_say_what_the_whole_does():
    network, mels = tiny(), torch.randn(1, 6, 80)
    with torch.no_grad():
        whole = network(torch.empty(1, 0), mels)
    for chunk in (9, 33):
        assert torch.allclose(vocode(network, mels, chunk), whole, atol=1e-5)


def test_ends_are_no_landmarks():
    """Of a sound that does not change all frames are alike, however many there are."""
    network = tiny()
    mels = torch.randn(1, 6, 1).expand(1, 6, 40)
    with torch.no_grad():
        made = network(torch.empty(1, 0), mels)[0, 0, 32:-32].view(-1, 8)
    assert made.std() > 0
    assert torch.allclose(made, made[:1].expand_as(made), atol=1e-6)


def test_component():
    arguments = {"sample_shape": (1, SEGMENT), "mel": MEL, "channels": 4, "blocks": 1}
    check_component("generator", "vocos", arguments=arguments, y=torch.randn(4, 6, SEGMENT // 8))


@pytest.mark.parametrize("name", ["channels", "blocks", "expansion"])
def test_wrong_numbers(name):
    with pytest.raises(InputError, match=f"{name} must be a whole number from 1, got 0"):
        tiny(**{name: 0})
    with pytest.raises(InputError, match=r"VocosGenerator makes waves .* \(N, 6, frames\), got"):
        tiny()(torch.empty(1, 0))
    assert tiny().mel == MelSettings(**MEL)
