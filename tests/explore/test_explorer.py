"""What the page shows is what the commands draw."""

from __future__ import annotations

import io

import exporting
import numpy as np
import pytest
import torch
from exploring import drawing, painting
from exporting import Named, Painter, Styled
from PIL import Image

from lightning_gan import InputError
from lightning_gan.callbacks.pictures.interpolation import slerp
from lightning_gan.explore.explorer import MOST_PIXELS, Explorer, Pick
from lightning_gan.export import LoadedGenerator
from lightning_gan.generators.unet import UNetGenerator
from lightning_gan.priors.normal import NormalPrior
from lightning_gan.sampling.translation import translate
from lightning_gan.sampling.ways import latents, manifold, ways


def pixels(png):
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image).astype(int)


def as_pixels(samples):
    return samples.add(1).mul(127.5).round().int().numpy()


def png(values, mode=None):
    made = io.BytesIO()
    Image.fromarray(values, mode).save(made, "PNG")
    return made.getvalue()


def same(png, sample):
    assert np.abs(pixels(png) - as_pixels(sample)).max() <= 1


def test_samples_are_those_of_the_seed():
    loaded = drawing(num_classes=3)
    shown = Explorer(loaded, batch_size=2).draw(5, 4, torch.tensor([0, 1, 2, 0]))
    assert [each.label for each in shown] == [0, 1, 2, 0]
    for each, sample in zip(shown, loaded.sample(4, labels=[0, 1, 2, 0], seed=5), strict=True):
        same(each.png, sample[0])
    drawn = Explorer(loaded).draw(5, 4)
    y = torch.cat([p.y for p in loaded.sample_in_pieces(4, seed=5)])
    assert [each.label for each in drawn] == y.tolist()


def test_the_way_is_that_of_the_command():
    loaded = drawing(num_classes=3)
    explorer = Explorer(loaded)
    found = explorer.way(Pick(5, 0), Pick(5, 1), 4, 2, 0.5)
    expected = ways(loaded, 1, 4, labels=torch.tensor([2]), seed=5, truncation=0.5)[0, :, 0]
    assert len(found) == 4
    for each, sample in zip(found, expected, strict=True):
        same(each.png, sample)
    # It begins and ends with the picks.
    ends = explorer.way(Pick(1, 3), Pick(2, 0), 2, 1)
    same(ends[0].png, loaded.sample(4, labels=1, seed=1)[3, 0])
    same(ends[1].png, loaded.sample(1, labels=1, seed=2)[0, 0])
    # In one row: two pixels around each sample, which is enlarged.
    assert pixels(explorer.strip(Pick(5, 0), Pick(5, 1), 4, 2)).shape[:2] == (84, 330)


def test_two_latents_are_the_plane_itself():
    loaded = drawing(latent_dim=2)
    explorer = Explorer(loaded)
    assert explorer.is_plane
    z = torch.special.ndtri(torch.tensor([[0.95, 0.05]]))
    same(explorer.point(1.0, 0.0), loaded.sample(1, z=z)[0, 0])
    same(explorer.point(0.5, 0.5), loaded.sample(1, z=torch.zeros(1, 2))[0, 0])
    # All of it, without the lines and the enlargement of the command's picture.
    found = pixels(explorer.map(3)).reshape(3, 8, 3, 8).swapaxes(1, 2)
    picture = manifold(loaded, 3)
    side = (picture.shape[1] - 2) // 3
    for row in range(3):
        for column in range(3):
            top, left = 2 + row * side, 2 + column * side
            cell = picture[0, top : top + side - 2, left : left + side - 2]
            cell = cell[:: cell.shape[0] // 8, :: cell.shape[1] // 8].mul(255)
            assert np.abs(found[row, column] - cell.numpy()).max() <= 1


def test_more_latents_have_a_square_between_four():
    loaded = drawing()
    explorer = Explorer(loaded)
    assert not explorer.is_plane
    a, b, c, d = latents(loaded, 4, 9)
    for place, z in (((0, 0), a), ((1, 0), b), ((0, 1), c), ((1, 1), d)):
        same(explorer.point(*place, seed=9), loaded.sample(1, z=z[None])[0, 0])
    t = torch.tensor([0.25])
    top, bottom = slerp(a[None], b[None], t)[0], slerp(c[None], d[None], t)[0]
    expected = loaded.sample(1, z=slerp(top, bottom, torch.tensor([0.75]))[0])
    same(explorer.point(0.25, 0.75, seed=9), expected[0, 0])
    found = pixels(explorer.map(2, seed=9))
    same(png(found[:8, 8:].astype(np.uint8)), loaded.sample(1, z=b[None])[0, 0])
    same(png(found[8:, :8].astype(np.uint8)), loaded.sample(1, z=c[None])[0, 0])


def test_psi_of_a_generator_with_styles_goes_into_its_styles():
    class Styles(Styled):
        truncation = 1.0

        def forward(self, z, y=None):
            return self.out(self.truncation * self.map(z)).tanh().view(-1, *exporting.SHAPE)

    loaded = LoadedGenerator(Styles(), NormalPrior())
    flat = loaded.generator.out(torch.zeros(6)).tanh().view(8, 8).detach()
    same(Explorer(loaded).way(Pick(0, 0), Pick(0, 1), 2, truncation=0.0)[1].png, flat)
    same(Explorer(loaded).point(0.3, 0.3, truncation=0.0), flat)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_is_put_through(channels):
    loaded = painting(channels=channels, scale=2)
    explorer = Explorer(loaded)
    assert explorer.takes_images
    values = np.random.default_rng(0).integers(0, 256, (12, 16, channels), dtype=np.uint8)
    given, made = explorer.translate(png(values.squeeze()), 512)
    assert np.array_equal(pixels(given).reshape(12, 16, channels), values)
    image = torch.from_numpy(values).permute(2, 0, 1).float().div(127.5).sub(1)
    expected = translate(loaded, image).permute(1, 2, 0).squeeze()
    same(made, expected)
    assert pixels(made).shape[:2] == (24, 32)
    # Shrunk, its sides in proportion; color becomes gray where gray is taken, and the reverse.
    other = png(values[..., 0].repeat(2, 0) if channels == 3 else values.repeat(3, 2))
    given, made = explorer.translate(other, 8)
    assert pixels(given).reshape(*pixels(given).shape[:2], -1).shape[2] == channels
    assert max(pixels(given).shape[:2]) == 8


def test_what_a_generator_takes_is_found_by_trying():
    net = UNetGenerator(sample_shape=(3, 8, 8), condition_channels=1, base_channels=2, levels=2)
    explorer = Explorer(LoadedGenerator(net, None))
    assert explorer.takes_images
    assert explorer.side == 8
    rgb = png(np.full((8, 8, 3), 200, dtype=np.uint8))
    given, made = explorer.translate(rgb, 8)
    assert (pixels(given).shape, pixels(made).shape) == ((8, 8), (8, 8, 3))


def test_inputs_from_0_to_1():
    class Same(Painter):
        def forward(self, z, y=None):
            assert y.min() >= 0
            return y

    loaded = LoadedGenerator(Same(), None, (0.0, 1.0))
    values = np.array([[0, 64], [128, 255]], dtype=np.uint8)
    _, made = Explorer(loaded, inputs=(0.0, 1.0)).translate(png(values), 8)
    assert np.abs(pixels(made) - values).max() <= 1


def test_a_free_range_is_the_same_for_every_picture():
    class Wide(Styled):
        def forward(self, z, y=None):
            return self.out(self.map(z).relu()).view(-1, *exporting.SHAPE) * 50

    explorer = Explorer(LoadedGenerator(Wide(), NormalPrior(), "free"))
    first = explorer.draw(0, 1)[0]
    assert explorer.draw(0, 2)[0] == first
    assert explorer.way(Pick(0, 0), Pick(0, 1), 2)[0].png == first.png


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no image", "expected a PNG, JPEG, WebP, BMP, GIF, PPM or TIFF image$"),
        (b"II*\0no tiff", "cannot read the image that was sent: "),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "expected a PNG, JPEG, WebP"),
        (png(np.zeros((8, 8), dtype=np.uint8))[:45], "cannot read the image that was sent: "),
        (png(np.zeros((4097, 4096), dtype=np.uint8)),
         f"the image has 4,096 x 4,097 pixels, and {MOST_PIXELS:,} are taken: shrink it"),
    ],
    ids=["text", "tiff", "postscript", "cut", "large"],
)  # fmt: skip
def test_what_is_no_image_is_refused(content, message):
    with pytest.raises(InputError, match=f"^{message}"):
        Explorer(painting()).translate(content, 8)


def test_what_no_page_can_show_is_refused():
    with pytest.raises(InputError, match=r"^samples of shape \(2,\) are no images: write them to"):
        Explorer(drawing(sample_shape=(2,)))
    with pytest.raises(InputError, match="^Named asks for a condition, and there is none to draw"):
        Explorer(LoadedGenerator(Named(), NormalPrior()))
    with pytest.raises(InputError, match="^the prior of this generator could not be described"):
        Explorer(LoadedGenerator(Styled(), None))
    with pytest.raises(InputError, match="^this generator has no latents to choose$"):
        Explorer(painting()).point(0.5, 0.5)
