"""Every registered component passes the conformance checks; broken ones fail them, in words."""

import copy
import json
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from lightning_gan.alternations.base import Alternation
from lightning_gan.augments.base import Augment
from lightning_gan.components import registry
from lightning_gan.components.spec import build
from lightning_gan.discriminators.base import Discriminator
from lightning_gan.discriminators.mlp import MLPDiscriminator
from lightning_gan.errors import InputError, PluginError
from lightning_gan.generators.base import Generator
from lightning_gan.generators.mlp import MLPGenerator
from lightning_gan.losses.base import AdversarialLoss
from lightning_gan.losses.non_saturating import NonSaturatingLoss
from lightning_gan.priors.base import Prior
from lightning_gan.regularizers.base import Regularizer
from lightning_gan.regularizers.r1 import R1Regularizer
from lightning_gan.testing import (
    ConformanceError,
    check_component,
    check_discriminator,
    check_generator,
    check_regularizer,
)
from lightning_gan.testing.kit import Kit
from lightning_gan.types import DiscriminatorOutput, Player

OURS = [entry for kind in registry.KINDS for entry in registry.entries(kind) if entry.ours]


@pytest.mark.parametrize(
    "entry",
    [entry for entry in OURS if registry.KINDS[entry.kind].home is None],
    ids=lambda entry: f"{entry.kind}-{entry.name}",
)
def test_registered_component_conforms(entry, tmp_path):
    Kit([entry.distribution], tmp_path).run(entry, "contract")


def test_every_kind_has_a_component_of_ours_but_optimizers():
    assert {entry.kind for entry in OURS} == registry.KINDS.keys() - {"optimizer"}


class TinyGenerator(Generator):
    """A generator that conforms, for others to spoil."""

    latent_dim, sample_shape = 3, (2,)

    def __init__(self, num_classes: int | None = None):
        super().__init__()
        self.num_classes = num_classes
        self.layer = nn.Linear(3, 2)
        self.classes = nn.Embedding(num_classes, 2) if num_classes else None

    def forward(self, z, y=None):
        x = self.layer(z)
        return x + self.classes(y) if self.classes is not None else x


class TinyDiscriminator(Discriminator):
    """A discriminator that conforms, for others to spoil."""

    sample_shape = (2,)

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 4)
        self.head = nn.Linear(4, 1)

    def forward(self, x, y=None):
        return self.head(self.layer(x).tanh())


class WrongShape(TinyGenerator):
    def forward(self, z, y=None):
        return super().forward(z, y)[:, :1]


class HalfPrecision(TinyGenerator):
    def forward(self, z, y=None):
        return super().forward(z, y).half()


class AlwaysSingle(TinyGenerator):
    def forward(self, z, y=None):
        return super().forward(z, y).float()


class Infinite(TinyGenerator):
    def forward(self, z, y=None):
        return super().forward(z, y) / 0


class NoLatentDim(TinyGenerator):
    latent_dim = None


class ShapeAsList(TinyGenerator):
    sample_shape = [2]


class WrongClasses(TinyGenerator):
    def __init__(self, num_classes: int = 5):
        super().__init__(num_classes=num_classes)
        self.num_classes = 4


class NoisyInEval(TinyGenerator):
    def forward(self, z, y=None):
        return super().forward(z, y) + torch.randn_like(z[:, :1])


class MixesSamples(TinyGenerator):
    def forward(self, z, y=None):
        x = super().forward(z, y)
        return x - x.mean(0)


class Counting(TinyGenerator):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, z, y=None):
        self.calls += 1
        return super().forward(z, y)


SECRET = []


class ModuleState(TinyGenerator):
    """Multiplies by a number that each object draws from the module's state, unseen by its spec."""

    def __init__(self):
        super().__init__()
        SECRET.append(len(SECRET))
        self.factor = 1.0 + SECRET[-1]

    def forward(self, z, y=None):
        return self.factor * super().forward(z, y)


class PlainTensor(TinyGenerator):
    def __init__(self):
        super().__init__()
        self.offset = [torch.ones(2)]

    def forward(self, z, y=None):
        return super().forward(z, y) + self.offset[0]


GLOBAL_OFFSET = torch.ones(2)


class FixedDevice(TinyGenerator):
    def forward(self, z, y=None):
        return super().forward(z, y) + GLOBAL_OFFSET


class ResultOnCPU(TinyGenerator):
    def forward(self, z, y=None):
        x = super().forward(z, y)
        return x if x.device.type == "cpu" else torch.zeros(x.shape)


class IgnoresLabels(TinyGenerator):
    def __init__(self, num_classes: int = 3):
        super().__init__(num_classes=num_classes)

    def forward(self, z, y=None):
        return self.layer(z) + 0 * self.classes(y)


class NeedsNoLabels(TinyGenerator):
    def forward(self, z, y=None):
        return super().forward(z, y) + (0 if y is None else 1)


class UnusedParameter(TinyGenerator):
    def __init__(self):
        super().__init__()
        self.spare = nn.Parameter(torch.zeros(1))


class DetachedInput(TinyGenerator):
    def forward(self, z, y=None):
        return super().forward(z.detach(), y) + 0 * z[:, :2]


class Lambda(TinyGenerator):
    def __init__(self, activation=lambda x: x):
        super().__init__()
        self.activation = activation


class PositionalArguments(TinyGenerator):
    def __init__(self, *sizes):
        super().__init__()


class MisplacedState(TinyGenerator):
    """Comes back with a buffer of another size than it was saved with."""

    def __init__(self):
        super().__init__()
        SECRET.append(len(SECRET))
        self.register_buffer("odd", torch.zeros(len(SECRET)))


class CouplesQuietly(TinyDiscriminator):
    def forward(self, x, y=None):
        logits = super().forward(x, y)
        return logits - logits.mean()


class ClassLogitsOfWrongWidth(TinyDiscriminator):
    num_classes = 3

    def forward(self, x, y=None):
        logits = super().forward(x, y)
        return DiscriminatorOutput(logits, logits.expand(-1, 2))


class ReducedLogits(TinyDiscriminator):
    def forward(self, x, y=None):
        return super().forward(x, y).mean()


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return 2 * gradient


class DifferentiableOnce(TinyDiscriminator):
    def forward(self, x, y=None):
        return super().forward(Once.apply(x), y)


class SquashedOnce(Augment):
    def forward(self, x):
        return Once.apply(x)


class Detached(Augment):
    def forward(self, x):
        return x.detach()


class NoiseOnCPU(Augment):
    def forward(self, x):
        return x + torch.randn(x.shape, dtype=x.dtype)


class WeightsOnCPU(NonSaturatingLoss):
    def generator(self, fake_logits, real_logits=None):
        return super().generator(fake_logits) * torch.ones(fake_logits.shape)


class PriorOnCPU(Prior):
    def sample(self, n, latent_dim, *, generator, device):
        return torch.randn(n, latent_dim, generator=generator)


class MeanLoss(NonSaturatingLoss):
    def discriminator(self, real_logits, fake_logits):
        return super().discriminator(real_logits, fake_logits).mean()


class OverflowingLoss(AdversarialLoss):
    def discriminator(self, real_logits, fake_logits):
        return (-real_logits).exp().pow(16) + fake_logits.exp().pow(16)

    def generator(self, fake_logits, real_logits=None):
        return (-fake_logits).exp().pow(16)


class SwappedLoss(NonSaturatingLoss):
    def discriminator(self, real_logits, fake_logits):
        return super().discriminator(fake_logits, real_logits)


class FooledLoss(NonSaturatingLoss):
    def generator(self, fake_logits, real_logits=None):
        return super().generator(-fake_logits)


class FakesRise(NonSaturatingLoss):
    def discriminator(self, real_logits, fake_logits):
        return super().discriminator(real_logits, -fake_logits)


class IgnoresReal(NonSaturatingLoss):
    needs_real_logits_for_generator = True


class QuietlyRelativistic(NonSaturatingLoss):
    def discriminator(self, real_logits, fake_logits):
        gap = real_logits - fake_logits.mean()
        return super().discriminator(gap, fake_logits - real_logits.mean())


class LossWithParameters(NonSaturatingLoss):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))


class Undeclared(R1Regularizer):
    differentiates = frozenset()


class DeclaresTooMuch(R1Regularizer):
    differentiates = frozenset({"real", "latents"})


class DetachedTerm(R1Regularizer):
    def discriminator(self, step):
        return super().discriminator(step).detach()


class ShortTerm(R1Regularizer):
    def discriminator(self, step):
        return super().discriminator(step)[:2]


class DoesNothing(Regularizer):
    pass


class ZeroInterval(R1Regularizer):
    def __init__(self):
        super().__init__()
        self.interval = 0


class Freezes(R1Regularizer):
    def after_update(self, player, network):
        network.requires_grad_(False)


class TrustsFeedback(R1Regularizer):
    observes = True

    def observe(self, feedback):
        self.weight = float(feedback.real_logits)


class ForgetsNothing(Augment):
    """Keeps what it observed in a buffer of growing size, which no fresh object can load."""

    observes = True

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(0))

    def observe(self, feedback):
        self.seen = torch.cat([self.seen, torch.zeros(1)])


class ListOfPhases(Alternation):
    def phases(self, progress):
        return [Player.DISCRIMINATOR, Player.GENERATOR]


class NeverGenerates(Alternation):
    def phases(self, progress):
        return (Player.DISCRIMINATOR,)


class CountsCalls(Alternation):
    calls = 0

    def phases(self, progress):
        self.calls += 1
        return (Player.GENERATOR,) if self.calls % 2 else (Player.DISCRIMINATOR,)


class ChangesProgress(Alternation):
    def phases(self, progress):
        object.__setattr__(progress, "batches", progress.batches + 1)
        return (Player.DISCRIMINATOR, Player.GENERATOR)


class Crop(Augment):
    def forward(self, x):
        return x[..., 1:]


class InPlace(Augment):
    def forward(self, x):
        return x.mul_(0.5) if not x.requires_grad else x * 0.5


class WidePrior(Prior):
    def sample(self, n, latent_dim, *, generator, device):
        return torch.randn(n, latent_dim, generator=generator, device=device).double()


class DeafPrior(Prior):
    def sample(self, n, latent_dim, *, generator, device):
        return torch.randn(n, latent_dim, device=device)


class UnseededPrior(Prior):
    def sample(self, n, latent_dim, *, generator, device):
        fresh = torch.Generator()
        fresh.seed()
        return torch.randn(n, latent_dim, generator=fresh, device=device)


class ConstantPrior(Prior):
    def sample(self, n, latent_dim, *, generator, device):
        generator = generator or torch.Generator().manual_seed(0)
        return torch.randn(n, latent_dim, generator=generator, device=device)


BROKEN = [
    ("generator", MLPDiscriminator, "must derive from Generator"),
    (
        "generator",
        WrongShape,
        r"its result must be torch.float32 of shape \(4, 2\), got .*\(4, 1\)",
    ),
    ("generator", HalfPrecision, "its result must be torch.float32 of shape .*, got torch.float16"),
    ("generator", AlwaysSingle, "must compute in its own dtype, got torch.float32"),
    ("generator", Infinite, "its result must be finite"),
    ("generator", NoLatentDim, "must have an attribute latent_dim, an int of 0 or more, got None"),
    ("generator", ShapeAsList, r"must have an attribute sample_shape, a tuple of ints, got \[2\]"),
    ("generator", WrongClasses, "must have the attribute num_classes it was built with, 5, got 4"),
    ("generator", NoisyInEval, "must be a function of its inputs alone in eval mode"),
    ("generator", MixesSamples, "must judge or make each sample independently of the batch"),
    ("generator", Counting, "must not change its state in eval mode"),
    ("generator", ModuleState, "must depend on its arguments and its state_dict alone"),
    ("generator", PlainTensor, "must keep tensors in buffers or parameters.* offset is a plain"),
    ("generator", FixedDevice, "must work on any device it is moved to: .*device"),
    ("generator", ResultOnCPU, "must compute on its inputs' device, got a result on cpu"),
    ("generator", IgnoresLabels, "must depend on the labels where num_classes is set"),
    ("generator", NeedsNoLabels, "must ignore labels where num_classes is None"),
    (
        "generator",
        UnusedParameter,
        "must use every trainable parameter, but spare gets no gradient",
    ),
    ("generator", DetachedInput, "must pass gradients to its input"),
    ("generator", PositionalArguments, "must take named constructor arguments, but has sizes"),
    ("generator", MisplacedState, "must be copied by deepcopy, and rebuilt from spec and state"),
    ("discriminator", CouplesQuietly, "must judge or make each sample independently"),
    ("discriminator", ClassLogitsOfWrongWidth, r"of shape \(4, 3\), got .* \(4, 2\)"),
    ("discriminator", ReducedLogits, r"of shape \(4, \.\.\.\), got torch.float32 of shape \(\)"),
    (
        "discriminator",
        DifferentiableOnce,
        "must be differentiable twice, but the second gradient is zero",
    ),
    ("loss", MeanLoss, r"the discriminator's half must be torch.float32 of shape \(4, \.\.\.\)"),
    ("loss", OverflowingLoss, "half must be finite"),
    ("loss", SwappedLoss, "the discriminator's half must fall when logits of reals rise"),
    ("loss", FakesRise, "the discriminator's half must fall when logits of fakes fall"),
    ("loss", FooledLoss, "the generator's half must fall when logits of fakes rise"),
    ("loss", IgnoresReal, "declares needs_real_logits_for_generator, but the generator's half"),
    ("loss", QuietlyRelativistic, "must declare couples_samples: the discriminator's half"),
    (
        "loss",
        LossWithParameters,
        "must have no parameters that nobody trains, but has scale: set trained_by",
    ),
    ("regularizer", Undeclared, r"failed, with gradients for the inputs \[\] that"),
    (
        "regularizer",
        DeclaresTooMuch,
        r"may differentiate 'real', 'fake' and 'points', got \['latents', 'real",
    ),
    ("regularizer", DetachedTerm, "must be differentiable with respect to the discriminator's"),
    ("regularizer", ShortTerm, r"the discriminator's term must be .* of shape \(4, \.\.\.\)"),
    ("regularizer", DoesNothing, "must define discriminator, generator or after_update"),
    ("regularizer", ZeroInterval, "must have an interval, an int of 1 or more, got 0"),
    ("regularizer", Freezes, "after_update must leave the parameters finite and trainable"),
    ("regularizer", TrustsFeedback, "observe must accept statistics that are None, .*NoneType"),
    ("augment", ForgetsNothing, "must be copied by deepcopy, and rebuilt from spec and state_dict"),
    ("alternation", ListOfPhases, r"phases must return a tuple of Player, got \["),
    ("alternation", NeverGenerates, "must let the generator step within 50 batches"),
    ("alternation", CountsCalls, "phases must give the same answer when asked twice"),
    ("alternation", ChangesProgress, "phases must not change the progress it reads"),
    ("augment", Crop, r"must be torch.float32 of shape \(4, 3, 32, 32\), got .*\(4, 3, 32, 31\)"),
    ("augment", InPlace, "must not change its input in place"),
    ("loss", WeightsOnCPU, "must work on any device it is moved to: .*device"),
    ("augment", NoiseOnCPU, "must work on any device it is moved to: .*device"),
    ("prior", PriorOnCPU, "must compute on its inputs' device, got a result on cpu"),
    ("augment", Detached, "must be differentiable twice: .*element 0 of tensors does not require"),
    ("augment", SquashedOnce, "must be differentiable twice, but the second gradient is zero"),
    ("prior", WidePrior, r"must be torch.float32 of shape \(4, 8\), got torch.float64"),
    ("prior", DeafPrior, "must leave the global random state alone when it is given a generator"),
    ("prior", UnseededPrior, "must draw the same latents from equally seeded generators"),
    ("prior", ConstantPrior, "must draw new latents from the global random state"),
]


@pytest.mark.parametrize(
    ("kind", "component", "text"), BROKEN, ids=lambda v: getattr(v, "__name__", None)
)
def test_broken_component_is_told_what_is_wrong(kind, component, text):
    with pytest.raises(ConformanceError, match=f"^{component.__name__}: .*{text}"):
        check_component(kind, component)


def test_the_spoiled_components_were_whole():
    check_generator(TinyGenerator())
    check_generator(TinyGenerator(num_classes=3))
    check_discriminator(TinyDiscriminator())


class Patient(Alternation):
    """Trains the discriminator while its loss is high, as loss-threshold alternations do."""

    observes = True
    measures = frozenset({Player.DISCRIMINATOR})

    def __init__(self):
        super().__init__()
        self.register_buffer("high", torch.tensor(True))

    def phases(self, progress):
        return (Player.DISCRIMINATOR,) if self.high else (Player.GENERATOR,)

    def observe(self, feedback):
        self.high.copy_(feedback.discriminator_loss > 0.5)


def test_an_observer_is_shown_what_it_measures():
    check_component("alternation", Patient)


def test_arguments_that_cannot_be_saved():
    with pytest.raises(ConformanceError, match="Lambda: must be built from arguments that can be"):
        check_generator(Lambda(activation=lambda x: x + 1))


class ImageToImage(TinyGenerator):
    """Takes a sample for a label."""

    def forward(self, z, y=None):
        return self.layer(z) + y


def test_labels_of_another_kind_are_handed_on():
    check_generator(ImageToImage(), y=torch.randn(4, 2))


def test_regularizer_on_given_networks():
    networks = MLPGenerator((2,), hidden=(4,)), MLPDiscriminator((2,), hidden=(4,))
    check_regularizer(R1Regularizer(), networks=networks)
    linear = MLPGenerator((2,), hidden=()), MLPDiscriminator((2,), hidden=(), dropout=0.0)
    with pytest.raises(ConformanceError, match="DetachedTerm: the discriminator's term"):
        check_regularizer(DetachedTerm(), networks=linear)


def test_checks_leave_the_global_random_state_alone():
    state = torch.get_rng_state()
    check_component("generator", "mlp", sample_shape=(2,), hidden=(4,))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("kind", ["generator", "discriminator"])
def test_a_name_is_enough_where_only_sample_shape_is_required(kind):
    check_component(kind, "mlp")


BUILT = []


class Sized(MLPGenerator):
    def __init__(self, sample_shape):
        super().__init__(sample_shape, hidden=(4,))
        BUILT.append(self.sample_shape)


class SizedByDefault(MLPGenerator):
    def __init__(self, sample_shape=(3,)):
        super().__init__(sample_shape, hidden=(4,))
        BUILT.append(self.sample_shape)


class SizedByPosition(MLPGenerator):
    def __init__(self, *sample_shape):
        super().__init__(sample_shape or (3,), hidden=(4,))


@pytest.mark.parametrize(
    ("component", "arguments", "shape"),
    [
        (Sized, {}, (1, 8, 8)),
        (Sized, {"sample_shape": (2,)}, (2,)),
        (SizedByDefault, {}, (3,)),
    ],
)
def test_sample_shape_is_filled_where_it_is_required_and_missing(component, arguments, shape):
    BUILT.clear()
    check_component("generator", component, **arguments)
    assert set(BUILT) == {shape}


def test_arguments_without_names_are_not_filled():
    text = "SizedByPosition: must take named constructor arguments, but has sample_shape"
    with pytest.raises(ConformanceError, match=text):
        check_component("generator", SizedByPosition)


def test_unknown_kind_and_name():
    with pytest.raises(PluginError, match="unknown kind of component 'los', did you mean 'loss'"):
        check_component("los", "minimax")
    with pytest.raises(PluginError, match="unknown loss 'minmax', did you mean 'minimax'"):
        check_component("loss", "minmax")


def test_errors_of_a_constructor_pass_through():
    with pytest.raises(InputError, match=r"real_target must lie in \[0, 1\], got 2"):
        check_component("loss", "non_saturating", real_target=2)


@dataclass(eq=False)
class Fields(Regularizer):
    """A component that is a dataclass."""

    strength: float = 2.0
    margin: float = 0.5

    def __post_init__(self):
        super().__init__(weight=self.strength)

    def discriminator(self, step):
        return (step.real_output.total() - self.margin).square()


def test_a_dataclass_keeps_its_arguments():
    fields = Fields(3.0, margin=0.25)
    assert fields.arguments() == {"strength": 3.0, "margin": 0.25}
    assert copy.deepcopy(fields).arguments() == fields.arguments()
    twin = build(json.loads(json.dumps(fields.spec())), trust=True)
    assert (twin.strength, twin.margin, twin.weight) == (3.0, 0.25, 3.0)
    check_component("regularizer", fields)


def test_arguments_that_changed_afterwards_are_no_arguments():
    fields = Fields()
    fields.margin = 1.0
    text = "Fields: must get its arguments back when it is rebuilt, but margin was 1.0 and is 0.5"
    with pytest.raises(ConformanceError, match=text):
        check_component("regularizer", fields)
