"""The parts: contracts, codes against distances by hand, restarts, refusals."""

import pytest
import torch
from conftest import INSIDE, gan
from lightning_gan_tokenizer import CodebookUse, KLAutoencoder, VQAutoencoder
from lightning_gan_tokenizer.metrics import CodeCounts, l1, psnr, sharpness

from lightning_gan import AdversarialStep, InputError, Player, create_discriminator
from lightning_gan.testing import check_component

SHAPE = (1, 8, 8)


def vq(**arguments):
    return VQAutoencoder(SHAPE, **{"codes": 5, "code_dim": 3, **INSIDE, **arguments})


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("vq_autoencoder", {"codes": 5, "code_dim": 3}), ("kl_autoencoder", {"code_channels": 2})],
)
def test_generators(name, arguments):
    images = torch.rand(4, *SHAPE) * 2 - 1
    check_component("generator", name, y=images, sample_shape=SHAPE, **arguments, **INSIDE)


def test_codebook_use_is_a_regularizer():
    networks = (vq(), create_discriminator("mlp", sample_shape=SHAPE, hidden=[4]))
    check_component(
        "regularizer", "codebook_use", networks=networks, y=torch.rand(4, *SHAPE), window=2
    )


def test_codes_are_the_nearest_vectors():
    network = vq()
    images = torch.rand(2, *SHAPE)
    made = network(torch.empty(2, 0), images)
    flat = made.extra["encoded"].movedim(1, -1).reshape(-1, 3)
    expected = torch.cdist(flat, network.codebook.weight).argmin(1).view(2, 4, 4)
    assert made.extra["codes"].equal(expected)
    assert network.encode(images).equal(expected)
    chosen = network.codebook.weight[expected].movedim(-1, 1)
    assert made.extra["quantized"].equal(chosen)
    torch.testing.assert_close(made.samples, network.decode(expected))


def test_the_gradient_goes_straight_through():
    network = vq()
    made = network(torch.empty(2, 0), torch.rand(2, *SHAPE))
    encoded = made.extra["encoded"]
    (found,) = torch.autograd.grad(made.samples.sum(), encoded, retain_graph=True)
    vectors = made.extra["quantized"].detach().requires_grad_()
    (expected,) = torch.autograd.grad(network.decoder(vectors).sum(), vectors)
    torch.testing.assert_close(found, expected)
    (none,) = torch.autograd.grad(made.samples.sum(), network.codebook.weight, allow_unused=True)
    assert none is None


def test_gaussian_codes_are_drawn_in_training_alone():
    network = KLAutoencoder(SHAPE, code_channels=2, **INSIDE)
    images = torch.rand(500, *SHAPE)[:1].expand(500, -1, -1, -1)
    seen = []
    network.decoder.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    network.train()
    made = network(torch.empty(500, 0), images)
    mean, deviation = made.extra["mean"][0], (made.extra["log_variance"][0] / 2).exp()
    assert ((seen[0].mean(0) - mean).abs() < 5 * deviation / 500**0.5).all()
    torch.testing.assert_close(seen[0].std(0), deviation, rtol=0.2, atol=0)
    network.eval()(torch.empty(500, 0), images)
    assert seen[1][0].equal(network.encode(images)[0])


def played(term, network, codes, outputs):
    """An update of the generator, as the term sees it: codes and encoder's outputs."""
    step = AdversarialStep(
        Player.GENERATOR,
        real=torch.zeros(1, *SHAPE),
        fake=torch.zeros(1, *SHAPE),
        generator=network,
        discriminator=torch.nn.Identity(),
    )
    step.generator_output.extra.update({"codes": codes, "encoded": outputs})
    term.generator(step)
    with torch.no_grad():
        term.after_update(Player.GENERATOR, network)
    return step.reports


def test_codes_that_nobody_chose_in_a_window_become_outputs():
    network, term = vq(), CodebookUse(window=2)
    term.bind(network, None)
    before = network.codebook.weight.detach().clone()
    outputs = 100 + torch.arange(12.0).view(1, 3, 2, 2)
    reports = played(term, network, torch.tensor([[[0, 0], [2, 2]]]), outputs)
    assert reports["used"] == pytest.approx(2 / 5)
    assert reports["perplexity"] == pytest.approx(2)
    assert network.codebook.weight.equal(before)
    played(term, network, torch.tensor([[[4, 4], [4, 4]]]), outputs)
    after = network.codebook.weight.detach()
    kept = [0, 2, 4]
    assert after[kept].equal(before[kept])
    vectors = outputs.movedim(1, -1).reshape(4, 3).tolist()
    assert all(after[place].tolist() in vectors for place in (1, 3))
    assert term.chosen.sum() == term.updates == 0


def test_scores_of_what_is_known():
    real = torch.zeros(2, 1, 4, 4)
    real[..., ::2] = 1
    made = torch.stack([real[0] * 0.5, real[1]])
    assert l1(made, real, None).tolist() == [0.25, 0]
    assert psnr(made, real, None).tolist() == pytest.approx([15.0515, 100])  # 10 log10(4 / 0.125)
    assert sharpness(made, real, None).tolist() == [0.5, 1]
    counts = CodeCounts(4)
    counts.update(torch.tensor([[0, 0], [1, 1]]))
    counts.update(torch.tensor([0, 1]))
    assert {k: v.item() for k, v in counts.compute().items()} == {"used": 0.5, "perplexity": 2}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: vq(levels=4), "sides that are multiples of 16 .levels=4., got .1, 8, 8."),
        (lambda: vq(codes=1), "codes must be a whole number from 2, got 1"),
        (lambda: vq(hidden_channels=0), "hidden_channels must be a whole number from 1, got 0"),
        (lambda: CodebookUse(0), "window must be a whole number from 1, got 0"),
        (lambda: vq()(torch.empty(2, 0), None), "got NoneType: the data give it"),
        (lambda: vq()(torch.empty(2, 0), torch.rand(2, 1, 7, 8)), r"got \(2, 1, 7, 8\)"),
        (
            lambda: CodebookUse().bind(gan("kl").generator, None),
            "expects a generator with a codebook, such as vq_autoencoder, got KLAutoencoder",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(make, said):
    with pytest.raises(InputError, match=said):
        make()
