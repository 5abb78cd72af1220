"""VGG and LPIPS distances against torchvision and NumPy, on random weights of the true layout."""

import numpy as np
import pytest
import torch
import toys
from torch import nn
from torchvision.models.vgg import cfgs, make_layers
from updates import update

from lightning_gan import GANModule
from lightning_gan.errors import InputError
from lightning_gan.layers.vgg import VGGFeatures, layer_names
from lightning_gan.regularizers.perceptual import PerceptualRegularizer
from lightning_gan.testing import own_cases
from lightning_gan.types import Player

LAYERS = ["relu1_2", "relu2_1"]
SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    """A file of VGG-16's first two blocks."""
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(own_cases.vgg_state(blocks=2), path)
    return str(path)


@pytest.fixture(scope="module")
def lpips(tmp_path_factory):
    """A file of LPIPS's linear weights, all five of them."""
    path = tmp_path_factory.mktemp("lpips") / "vgg.pth"
    widths = (64, 128, 256, 512, 512)
    torch.save(
        {f"lin{n}.model.1.weight": torch.rand(1, c, 1, 1) for n, c in enumerate(widths)}, path
    )
    return str(path)


def images(channels=3, n=2, side=8):
    source = torch.Generator().manual_seed(0)
    return (torch.rand(n, channels, side, side, generator=source) * 2 - 1 for _ in range(2))


def features(path, x):
    """What torchvision's own layers make of images, after ImageNet's normalisation."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    net = make_layers(cfgs["D"])[:7]  # up to relu2_1
    state = {key.removeprefix("features."): v for key, v in torch.load(path).items()}
    net.load_state_dict({key: v for key, v in state.items() if int(key.split(".")[0]) < 7})
    x = (x.expand(-1, 3, -1, -1) - mean[:, None, None]) / std[:, None, None]
    found = []
    with torch.no_grad():
        for layer in net:
            x = layer(x)
            found.append(x.clone())
    return [found[3].double().numpy(), found[6].double().numpy()]


def term(regularizer, real, fake, **options):
    return regularizer.generator(update(Player.GENERATOR, real, fake, **options))


@pytest.mark.parametrize(("channels", "norm"), [(3, "l1"), (1, "l2")])
def test_distances_of_torchvisions_features(vgg, channels, norm):
    real, fake = images(channels)
    regularizer = PerceptualRegularizer(vgg, layers=LAYERS, layer_weights=[0.5, 2.0], norm=norm)
    pairs = zip(features(vgg, (real + 1) / 2), features(vgg, (fake + 1) / 2), strict=True)
    power = {"l1": 1, "l2": 2}[norm]
    distances = [(np.abs(r - f) ** power).mean((1, 2, 3)) for r, f in pairs]
    expected = 0.5 * distances[0] + 2 * distances[1]
    np.testing.assert_allclose(term(regularizer, real, fake).numpy(), expected, rtol=1e-4)


def test_the_declared_range_is_that_of_the_images(vgg):
    real, fake = images()
    regularizer = PerceptualRegularizer(vgg, layers=LAYERS)
    expected = term(regularizer, real, fake)
    half = term(regularizer, (real + 1) / 2, (fake + 1) / 2, sample_range="unit")
    torch.testing.assert_close(half, expected, rtol=1e-4, atol=1e-5)
    own = PerceptualRegularizer(vgg, layers=LAYERS, sample_range=(0.0, 255.0))
    deep = term(own, (real + 1) * 127.5, (fake + 1) * 127.5)
    torch.testing.assert_close(deep, expected, rtol=1e-4, atol=1e-5)


def test_lpips_weighs_squares_of_unit_features(vgg, lpips):
    real, fake = images()
    layers = ["relu1_2", "relu2_2"]
    regularizer = PerceptualRegularizer(vgg, layers=layers, lpips_file=lpips)
    assert regularizer.weights_from == f"{vgg} and {lpips}"
    linear, expected = torch.load(lpips), 0.0
    with torch.no_grad():
        ours, theirs = (regularizer.vgg(regularizer._normalised(x, -1, 1)) for x in (fake, real))
    for n, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        a, b = (x.double().numpy() for x in (a, b))
        a, b = (x / (np.sqrt((x**2).sum(1, keepdims=True)) + 1e-10) for x in (a, b))
        weights = linear[f"lin{n}.model.1.weight"].double().numpy()
        expected = expected + (weights * (a - b) ** 2).sum(1).mean((1, 2))
    np.testing.assert_allclose(term(regularizer, real, fake).numpy(), expected, rtol=1e-4)


def test_gradients_reach_the_fakes_alone(vgg):
    real, fake = (x.requires_grad_() for x in images())
    regularizer = PerceptualRegularizer(vgg, layers=LAYERS)
    term(regularizer, real, fake).sum().backward()
    assert fake.grad.abs().sum() > 0
    assert real.grad is None
    assert not any(p.requires_grad for p in regularizer.parameters())


def test_black_images_have_finite_gradients(vgg, lpips):
    regularizer = PerceptualRegularizer(vgg, layers=["relu1_2"], lpips_file=lpips)
    for convolution in regularizer.vgg.convolutions.values():
        convolution.bias.zero_()
    fake = torch.full((1, 3, 8, 8), 0.0, requires_grad=True)
    regularizer.mean_rgb.fill_(0.5)  # so that features are all zeros
    term(regularizer, torch.ones(1, 3, 8, 8), fake).sum().backward()
    assert fake.grad.isfinite().all()


@pytest.mark.parametrize("architecture", ["vgg16", "vgg19"])
def test_the_layout_is_torchvisions(architecture):
    theirs = make_layers(cfgs[{"vgg16": "D", "vgg19": "E"}[architecture]])
    names = layer_names(architecture)
    with torch.device("meta"):
        ours = VGGFeatures(architecture, names)
    places = [n for n, layer in enumerate(theirs) if isinstance(layer, nn.Conv2d)]
    assert list(ours.indices.values()) == places
    for name, place in zip(names, places, strict=True):
        assert ours.convolutions[name].weight.shape == theirs[place].weight.shape


@pytest.mark.parametrize("prefix", ["features.", ""])
def test_files_of_the_whole_network_or_of_its_convolutions(tmp_path, prefix):
    state = own_cases.vgg_state(prefix=prefix)
    if prefix:
        state["classifier.0.weight"] = torch.zeros(1)
    torch.save(state, tmp_path / "w.pth")
    regularizer = PerceptualRegularizer(str(tmp_path / "w.pth"), layers=["relu1_1"])
    weight = regularizer.vgg.convolutions["relu1_1"].weight
    assert torch.equal(weight, state[f"{prefix}0.weight"])


def test_checkpoints_name_the_file_and_leave_the_weights_out(tmp_path, vgg):
    module = toys.gan(
        generator=toys.generator(sample_shape=SHAPE),
        discriminator=toys.discriminator(sample_shape=SHAPE),
        regularizers={"look": PerceptualRegularizer(vgg, layers=["relu1_1"])},
    )
    assert not any(key.startswith("regularizers.look") for key in module.state_dict())
    run = toys.fit(tmp_path, module, steps=1, data=toys.loader(toys.images(8, SHAPE)))
    assert module.latest_metrics["regularizer/look"] > 0
    run.save_checkpoint(tmp_path / "a.ckpt")
    again = GANModule.load_from_checkpoint(tmp_path / "a.ckpt").regularizers["look"]
    ours = module.regularizers["look"]
    for theirs, own in zip(again.parameters(), ours.parameters(), strict=True):
        assert torch.equal(theirs, own)


def test_errors_of_files(tmp_path, vgg, lpips):
    missing = tmp_path / "none.pth"
    text = "there is no file .*none.pth: put there the weights of vgg16, from https://download"
    with pytest.raises(InputError, match=text):
        PerceptualRegularizer(str(missing))
    with pytest.raises(InputError, match=r"none.pth: put there .* LPIPS .* lpips_models/vgg.pth"):
        PerceptualRegularizer(vgg, layers=LAYERS, lpips_file=str(missing))
    with pytest.raises(
        InputError, match="vgg16.pth does not fit: features.10.weight must have shape"
    ):
        PerceptualRegularizer(vgg)
    with pytest.raises(InputError, match=r"does not fit: features.10.* got nothing; .* of vgg19"):
        PerceptualRegularizer(vgg, architecture="vgg19", layers=["relu4_1"])
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(InputError, match=r"text.pth cannot be read \(.*\): put there the weights"):
        PerceptualRegularizer(str(tmp_path / "text.pth"))
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(InputError, match=r"list.pth holds a list: put there the weights of vgg16"):
        PerceptualRegularizer(str(tmp_path / "list.pth"))
    torch.save({"lin0.model.1.weight": torch.zeros(3)}, tmp_path / "lin.pth")
    with pytest.raises(InputError, match=r"lin0.model.1.weight must hold 64 numbers; put there"):
        PerceptualRegularizer(vgg, layers=["relu1_2"], lpips_file=str(tmp_path / "lin.pth"))
    with pytest.raises(InputError, match="LPIPS has weights for relu1_2, .*, not relu1_1"):
        PerceptualRegularizer(vgg, layers=["relu1_1"], lpips_file=lpips)


class Runs:
    """Runs something when it is read without care."""

    def __reduce__(self):
        return print, ("read without care",)


def test_nothing_of_a_file_is_run(tmp_path, capsys):
    torch.save({"features.0.weight": Runs()}, tmp_path / "bad.pth")
    with pytest.raises(InputError, match="bad.pth cannot be read"):
        PerceptualRegularizer(str(tmp_path / "bad.pth"))
    assert "without care" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"norm": "l3"}, "norm must be 'l1' or 'l2', got 'l3'"),
        ({"layer_weights": [1.0]}, "layer_weights has 1 numbers, and there are 2 layers"),
        ({"mean": [0.5]}, "mean and std must be three numbers each, std positive"),
        ({"std": [1.0, 0.0, 1.0]}, "mean and std must be three numbers each, std positive"),
        ({"sample_range": "wide"}, "sample_range must be 'symmetric'"),
        ({"architecture": "vgg13"}, "architecture must be 'vgg16' or 'vgg19', got 'vgg13'"),
        ({"layers": ["relu6_1"], "layer_weights": None}, "layers of vgg16 are relu1_1, .* relu6_1"),
        ({"layers": []}, "layers of vgg16 are relu1_1, .*, got none"),
    ],
)
def test_errors_of_arguments(vgg, arguments, text):
    with pytest.raises(InputError, match=text):
        PerceptualRegularizer(vgg, **{"layers": LAYERS, **arguments})


def test_errors_of_samples(vgg, lpips):
    regularizer = PerceptualRegularizer(vgg, layers=LAYERS)
    with pytest.raises(InputError, match="perceptual takes images of 1 or 3 channels, got 2"):
        term(regularizer, *images(2))
    with pytest.raises(InputError, match=r"with 2 or more pixels on a side, got \(2, 3, 1, 1\)"):
        term(regularizer, *images(side=1))
    state = own_cases.vgg_state("vgg19", blocks=1)
    assert state.keys() == own_cases.vgg_state(blocks=1).keys()
    with pytest.raises(InputError, match="lpips_file is for vgg16, got architecture='vgg19'"):
        PerceptualRegularizer(vgg, "vgg19", layers=["relu1_2"], lpips_file=lpips)
