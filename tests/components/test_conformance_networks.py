"""Networks of every shape that the contract allows conform, and those that break it are told."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from lightning_gan.discriminators.base import Discriminator
from lightning_gan.errors import InputError
from lightning_gan.generators.base import Generator
from lightning_gan.priors.base import Prior
from lightning_gan.testing import (
    ConformanceError,
    check_component,
    check_discriminator,
    check_generator,
)
from lightning_gan.types import DiscriminatorOutput, GeneratorOutput, ParameterGroup


class G(Generator):
    """Conforms, for others to extend."""

    latent_dim, sample_shape = 3, (2,)

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)
        self.out = nn.Linear(4, 2)

    def forward(self, z, y=None):
        return self.out(self.layer(z).tanh())


class D(Discriminator):
    """Conforms, for others to extend."""

    sample_shape = (2,)

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 4)
        self.head = nn.Linear(4, 1)

    def features(self, x):
        return self.layer(x).tanh()

    def forward(self, x, y=None):
        return self.head(self.features(x))[:, 0]


# Outputs that are trees --------------------------------------------------------------------


class WithByProducts(G):
    """A layer that nothing but a by-product uses."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Linear(4, 2)

    def forward(self, z, y=None):
        h = self.layer(z).tanh()
        kl = self.scale(h).square().mean()
        return GeneratorOutput(self.out(h), {"kl": kl, "w": [h, {"again": h}], "steps": 3})


class Flattened(WithByProducts):
    def forward(self, z, y=None):
        output = super().forward(z, y)
        return GeneratorOutput(output.samples, {"w": output.extra["w"][0].flatten()})


class Unnamed(WithByProducts):
    def forward(self, z, y=None):
        return GeneratorOutput(super().forward(z, y).samples, [z])


class TwoHeads(D):
    """A list of logits, features that are lists of lists."""

    def __init__(self):
        super().__init__()
        self.other = nn.Linear(4, 3)

    def forward(self, x, y=None):
        h = self.features(x)
        logits = [self.head(h)[:, 0], self.other(h)[:, None]]
        return DiscriminatorOutput(logits, features=[[h, h.tanh()], [h]])


class ListOfLogits(TwoHeads):
    def forward(self, x, y=None):
        return super().forward(x, y).logits


class ShortHead(TwoHeads):
    def forward(self, x, y=None):
        first, second = super().forward(x, y).logits
        return [first, second[:2]]


class FeaturesOfOthers(D):
    def forward(self, x, y=None):
        h = self.features(x)
        return DiscriminatorOutput(self.head(h)[:, 0], features=[h.T.reshape(2, 8)])


class NamesLogits(D):
    def forward(self, x, y=None):
        return {"logits": super().forward(x, y)}


class HeadInExtra(D):
    def __init__(self):
        super().__init__()
        self.code = nn.Linear(4, 2)

    def forward(self, x, y=None):
        h = self.features(x)
        return DiscriminatorOutput(self.head(h)[:, 0], extra={"code": {"mean": self.code(h)}})


class OfNumbers(D):
    """Samples without dimensions."""

    sample_shape = ()

    def forward(self, x, y=None):
        return super().forward(torch.stack([x, x.square()], 1))


class Shapeless(G):
    sample_shape = None


class ExtraAsList(HeadInExtra):
    def forward(self, x, y=None):
        output = super().forward(x, y)
        return DiscriminatorOutput(output.logits, extra=[output.extra["code"]["mean"]])


# Inputs, sizes, ranges ---------------------------------------------------------------------


class OfAnySize(Generator):
    """Built for one size, and of any size: from images to images."""

    def __init__(self, sample_shape: tuple[int | None, ...], any_size: tuple = (None, None)):
        super().__init__()
        self.latent_dim, self.sample_shape = 0, (sample_shape[0], *any_size)
        self.layer = nn.Conv2d(sample_shape[0], sample_shape[0], 3, padding=1)

    def forward(self, z, y=None):
        return self.layer(y)


class Vocoder(Generator):
    """Two samples of sound for each frame of a spectrogram."""

    latent_dim, sample_shape = 0, (1, None)

    def __init__(self):
        super().__init__()
        self.layer = nn.ConvTranspose1d(5, 1, 2, stride=2)

    def forward(self, z, y=None):
        return self.layer(y)


class Deaf(Vocoder):
    def forward(self, z, y=None):
        return super().forward(z, torch.ones_like(y) + 0 * y)


class OfAnyLength(Discriminator):
    """Judges sound, of any length or with its spectrogram."""

    sample_shape = (1, None)

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(1, 2, 3, padding=1)

    def forward(self, x, y=None):
        return self.layer(x)


class OfItsFrames(OfAnyLength):
    def forward(self, x, y=None):
        return super().forward(x) * y.mean(1, keepdim=True).repeat_interleave(2, 2)


class OfOneLength(OfAnyLength):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(32, 1)


class OfCounts(D):
    """Takes the logarithm of what is not negative."""

    def features(self, x):
        return self.layer((0.1 + x).log()).tanh()


class InKelvin(G):
    sample_range = (0.0, 50.0)


class UpsideDown(G):
    sample_range = (50.0, 0.0)


# Conditions --------------------------------------------------------------------------------


class OfClassAndText(G):
    num_classes, class_entry = 3, "class"

    def __init__(self):
        super().__init__()
        self.classes = nn.Embedding(3, 4)
        self.text = nn.Linear(6, 4)

    def forward(self, z, y=None):
        h = self.layer(z) + self.classes(y["class"]) + self.text(y["text"])
        return self.out(h.tanh())


class OfClassEntry(D):
    num_classes, class_entry = 3, "class"

    def __init__(self):
        super().__init__()
        self.classes = nn.Embedding(3, 4)

    def forward(self, x, y=None):
        return super().forward(x) + (self.features(x) * self.classes(y["class"])).sum(1)


class DeafToClass(OfClassEntry):
    def forward(self, x, y=None):
        return D.forward(self, x) + 0 * self.classes(y["class"]).sum(1)


class EntryOfNothing(D):
    class_entry = "class"


class Unlabeled(D):
    num_classes, takes_unlabeled = 3, True

    def __init__(self):
        super().__init__()
        self.classes = nn.Embedding(4, 4)  # the last one is of samples without a label

    def forward(self, x, y=None):
        return super().forward(x) + (self.features(x) * self.classes(y % 4)).sum(1)


class UnlabeledInWords(Unlabeled):
    def forward(self, x, y=None):
        return D.forward(self, x) + (self.features(x) * self.classes(y)).sum(1)


class UnlabeledByWord(Unlabeled):
    takes_unlabeled = "yes"


class DividesByLabel(Unlabeled):
    def forward(self, x, y=None):
        return super().forward(x, y) / (y + 1)


class NegativeClasses(D):
    num_classes = -1


class OfCodes(G):
    """Takes two latents that are one-hot and a free one."""

    def forward(self, z, y=None):
        if not torch.equal(z[:, :2].sum(1), torch.ones(len(z), dtype=z.dtype)):
            raise ValueError("no code")
        return super().forward(z, y)


class RefusesAll(Prior):
    def sample(self, n, latent_dim, *, generator, device):
        raise InputError(f"latent_dim must be even, got {latent_dim}")


class Codes(Prior):
    def sample(self, n, latent_dim, *, generator, device):
        code = torch.randint(2, (n,), generator=generator, device=device)
        free = torch.randn(n, latent_dim - 2, generator=generator, device=device)
        return torch.cat([nn.functional.one_hot(code, 2).float(), free], 1)


# Torch's own layers, tied and frozen weights -----------------------------------------------


class Recurrent(G):
    """Draws (6, 2) step by step."""

    sample_shape = (6, 2)

    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(3, 4, num_layers=2, batch_first=True)

    def forward(self, z, y=None):
        return self.out(self.layer(z[:, None].expand(-1, 6, -1))[0])


class OwnLSTM(nn.LSTM):
    """Somebody's subclass of a layer that refers to its own parameters."""


class Subclassed(Recurrent):
    def __init__(self):
        super().__init__()
        self.layer = OwnLSTM(3, 4, batch_first=True)


class OfSequences(Discriminator):
    sample_shape = (6, 4)

    def __init__(self, layer="gru"):
        super().__init__()
        self.recurrent = nn.GRU(4, 4, batch_first=True, bidirectional=True)
        self.embed = nn.Linear(8, 4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.block = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        self.head = nn.Linear(4, 1)

    def forward(self, x, y=None):
        h = self.embed(self.recurrent(x)[0])
        h = h + self.attention(h, h, h, need_weights=False)[0]
        return self.head(self.block(h))[..., 0]


class Tied(G):
    """One weight on the way in and out, once more by a method and a plain reference."""

    sample_shape = (3,)

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(4, 3)
        self.back = nn.Linear(3, 4, bias=False)
        self.back.weight = self.layer.weight
        self.tied = [self.layer.weight]

    @property
    def transposed(self):
        return self.tied[0].T

    def forward(self, z, y=None):
        h = nn.functional.linear(self.layer(z).tanh(), self.transposed)
        return self.out(self.back(h).tanh())


class Parametrized(D):
    def __init__(self):
        super().__init__()
        parametrizations.spectral_norm(self.layer)
        parametrizations.weight_norm(self.head)


class SpectralOfOld(D):
    def __init__(self):
        super().__init__()
        nn.utils.spectral_norm(self.layer)


class NotCopied(D):
    """Keeps a tensor with a graph from its constructor on."""

    def __init__(self):
        super().__init__()
        self.layer.scaled = 2 * self.layer.weight


class FrozenTrunk(D):
    def __init__(self):
        super().__init__()
        self.layer.requires_grad_(False)


class AllFrozen(D):
    def __init__(self):
        super().__init__()
        self.requires_grad_(False)


class Half(FrozenTrunk):
    """The other half is frozen: a weight that nobody uses is not."""

    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(1, 1)


class Autoencoder(G):
    """A method alone reaches the encoder."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(2, 3)

    def encode(self, x):
        return self.encoder(x)


class SkipsAtRandom(G):
    """A layer that every other pass leaves out."""

    def __init__(self):
        super().__init__()
        self.extra = nn.Linear(4, 4)

    def forward(self, z, y=None):
        h = self.layer(z)
        if not self.training or torch.rand(()) < 0.5:
            h = h + self.extra(h)
        return self.out(h.tanh())


class MinibatchStd(D):
    couples_samples = True

    def features(self, x):
        return self.layer(x).tanh() * x.std()


class CoupledByWord(D):
    couples_samples = "no"


class Grouped(G):
    def parameter_groups(self):
        return [ParameterGroup("layer", list(self.layer.parameters()), rate=0.01)]


class GroupedTwice(G):
    def parameter_groups(self):
        return [ParameterGroup(name, list(self.layer.parameters())) for name in "ab"]


class Wrapped(G):
    """Around a network of torch's that no file can name."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, z, y=None):
        return super().forward(self.inner(z), y)


# State and randomness ----------------------------------------------------------------------


class Counts(D):
    """Counts in training: numbers, tensors and NaN in its extra state, and a buffer."""

    def __init__(self):
        super().__init__()
        self.seen = {"passes": 0, "mean": torch.zeros(2), "last": float("nan")}
        self.seen["mean"] = None

    def forward(self, x, y=None):
        if self.training:
            self.seen["passes"] += 1
        return super().forward(x, y)

    def get_extra_state(self):
        return {**self.seen, "size": torch.ones(2)}

    def set_extra_state(self, state):
        self.seen = {name: state[name] for name in self.seen}


class KeepsObject(Counts):
    def get_extra_state(self):
        return {"who": type(self)}


class Forgets(Counts):
    def set_extra_state(self, state):
        self.seen["passes"] = -1


class OwnSpec(G):
    def spec(self):
        return {"class_path": {OwnSpec}}


class Seeds(G):
    def forward(self, z, y=None):
        if self.training:
            torch.manual_seed(0)
        return super().forward(z, y)


class DrawsInVain(G):
    def forward(self, z, y=None):
        return super().forward(z + 0 * torch.randn_like(z), y)


class NumpyNoise(G):
    def forward(self, z, y=None):
        noise = np.random.rand() if self.training else 0.0
        return super().forward(z + noise, y)


class Remembers(G):
    last = 0.0

    def forward(self, z, y=None):
        x = super().forward(z, y) + self.last
        self.last = float(z.sum() * z[0, 0])
        return x


class NoInput(G):
    def forward(self, z, y=None):
        return [][len(z)]


TEXT = {"class": torch.tensor([0, 1, 2, 0]), "text": torch.randn(4, 6)}

RIGHT = [
    (WithByProducts, {}),
    (TwoHeads, {}),
    (ListOfLogits, {}),
    (OfNumbers, {}),
    (HeadInExtra, {}),
    (Vocoder, {"y": torch.randn(4, 5, 7)}),
    (Vocoder, {"y": lambda size: torch.randn(4, 5, size), "sizes": (6, 9)}),
    (OfAnyLength, {}),
    (OfAnyLength, {"sizes": (7,)}),
    (OfItsFrames, {"y": lambda size: torch.randn(4, 5, size // 2)}),
    (OfCounts, {"sample_range": (0.0, 50.0)}),
    (OfCounts, {"sample_range": "unit"}),
    (InKelvin, {}),
    (OfClassAndText, {"y": TEXT}),
    (OfClassEntry, {}),
    (OfClassEntry, {"y": TEXT}),
    (OfAnySize, {"y": lambda size: torch.randn(4, 1, size, size)}),
    (Unlabeled, {}),
    (OfCodes, {"prior": Codes()}),
    (Recurrent, {}),
    (Subclassed, {}),
    (OfSequences, {}),
    (Tied, {}),
    (Parametrized, {}),
    (SpectralOfOld, {}),
    (FrozenTrunk, {}),
    (AllFrozen, {}),
    (Autoencoder, {"reach": lambda network: network.encode(torch.randn(4, 2))}),
    (SkipsAtRandom, {}),
    (MinibatchStd, {}),
    (Grouped, {}),
    (Counts, {}),
]

WRONG = [
    (Flattened, {}, r"by-products must be scalars or tensors of 4 samples, .* shape \(16\)"),
    (Unnamed, {}, "extra of a generator's output must be a mapping .* got a list of 1"),
    (ShortHead, {}, r"head 1 must be torch.float32 of shape \(4, \.\.\.\), got .*\(2, 1, 3\)"),
    (FeaturesOfOthers, {}, r"features must be of 4 samples, N first, got .* shape \(2, 8\)"),
    (NamesLogits, {}, "InputError: a discriminator must return logits, .* got a dict of logits"),
    (ExtraAsList, {}, "extra of a discriminator's output must be a mapping .* a list of 1"),
    (Shapeless, {}, "must have an attribute sample_shape, a tuple such as .*, got none"),
    (Vocoder, {}, "must compute an output of .*no condition, but failed: TypeError.*with y=..."),
    (Vocoder, {"y": torch.randn(3, 5, 7)}, r"y must hold tensors of 4 samples, .*\(3, 5, 7\)"),
    (Vocoder, {"y": lambda size: 1 / 0}, "y must make a condition of 4 samples for the size 32"),
    (Deaf, {"y": torch.randn(4, 5, 7)}, "must depend on the condition where latent_dim is 0"),
    (
        OfAnySize,
        {"any_size": (9, None), "y": lambda size: torch.randn(4, 1, 9, size)},
        r"must have the attribute sample_shape it was built with, \(1, 8, 8\), got \(1, 9, None\)",
    ),
    (OfOneLength, {}, r"must compute an output of .*\(4, 1, 48\) .* failed: RuntimeError.*sizes="),
    (OfCounts, {}, "must be finite, got NaN or infinity: guard its divisions"),
    (OfCounts, {"sample_range": "kelvin"}, "is checked on samples of a range: InputError: sample"),
    (UpsideDown, {}, "must declare a range of its samples, or None: InputError: sample_range must"),
    (OfClassAndText, {}, "but failed: KeyError: 'text'; a condition of another kind is given"),
    (DeafToClass, {}, "must depend on the labels where num_classes is set, but classes 0 and 1"),
    (EntryOfNothing, {}, "must have a class_entry, .* got 'class' and num_classes=None"),
    (UnlabeledInWords, {}, "must compute an output of .*: IndexError"),
    (UnlabeledByWord, {}, "must have takes_unlabeled, a bool, got 'yes'"),
    (DividesByLabel, {}, "declares takes_unlabeled, but is not finite for labels of -1"),
    (NegativeClasses, {}, "must have an attribute num_classes, None or a positive int, got -1"),
    (CoupledByWord, {}, "must have couples_samples, a bool, got 'no'"),
    (OfCodes, {"prior": RefusesAll()}, "is checked on latents of a prior .* must be even, got 3"),
    (OfCodes, {}, "must compute an output of .*: ValueError: no code"),
    (NotCopied, {}, "must be copied by deepcopy, .*torch.nn.utils.parametrizations"),
    (Half, {}, "must use every trainable parameter, but spare.weight, spare.bias gets no gradient"),
    (Autoencoder, {}, "but encoder.weight, encoder.bias gets no .* show how, reach=lambda"),
    (Autoencoder, {"reach": lambda n: n.decode()}, "must take what `reach` does with it: Attrib"),
    (GroupedTwice, {}, "must have parameter_groups that an optimizer takes: InputError: .*twice"),
    (
        KeepsObject,
        {},
        "must have a state of tensors and plain values, .* got test_conformance_networks.Keeps",
    ),
    (Forgets, {}, "must have the same state again after a round trip through its state_dict"),
    (OwnSpec, {}, "must have a spec that JSON can hold: TypeError"),
    (Seeds, {}, "must leave the seed of torch's global generator alone, but sets it"),
    (DrawsInVain, {}, "must leave the global random state alone in eval mode, but draws"),
    (NumpyNoise, {}, "must take its randomness from torch, .* but draws from numpy.random"),
    (Remembers, {}, "must be a function of its inputs alone in eval mode"),
    (NoInput, {}, "must compute an output of .*, but failed: IndexError: list index out of range"),
]


def kind(component):
    return "generator" if issubclass(component, Generator) else "discriminator"


def named(value):
    return getattr(value, "__name__", "")


@pytest.mark.parametrize(("component", "keywords"), RIGHT, ids=named)
def test_a_network_that_the_contract_allows_conforms(component, keywords):
    check_component(kind(component), component, **keywords)


@pytest.mark.parametrize(("component", "keywords", "text"), WRONG, ids=named)
def test_a_network_that_breaks_the_contract_is_told(component, keywords, text):
    with pytest.raises(ConformanceError, match=f"^{component.__name__}: .*{text}") as caught:
        check_component(kind(component), component, **keywords)
    assert "\n" not in str(caught.value)


def test_a_network_around_a_bare_module():
    ready = Wrapped(nn.Linear(3, 3))
    check_generator(ready, portable=False)
    with pytest.raises(ConformanceError, match="arguments that can be saved, .*inner=... to load"):
        check_generator(ready)


def test_a_ready_object_stays_as_it_was():
    ready = Counts().eval()
    ready.layer.requires_grad_(False)
    before = {name: value.clone() for name, value in ready.named_parameters()}
    check_discriminator(ready)
    assert not ready.training
    assert ready.seen["passes"] == 0
    assert all(torch.equal(before[name], value) for name, value in ready.named_parameters())
    assert [p.requires_grad for p in ready.parameters()] == [False, False, True, True]


def test_a_network_that_was_used_before_can_be_checked():
    ready = SpectralOfOld()
    with torch.no_grad():
        ready(torch.randn(4, 2))
    check_discriminator(ready)


def test_a_class_inside_a_function():
    class Inside(D):
        pass

    with pytest.raises(ConformanceError, match="Inside: must be of a class that can be imported"):
        check_discriminator(Inside())
