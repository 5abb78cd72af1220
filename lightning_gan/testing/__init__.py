"""Conformance checks for every kind of component, for the tests of plugin authors.

    from lightning_gan.testing import check_component

    def test_my_loss():
        check_component("loss", "my-package:my_loss")

Each check builds what it needs: tiny networks, random samples, a made-up course of training, in
batches of 4. Whatever a component needs besides is a keyword: a condition, networks, a prior,
shapes. None trains, all leave the component and the global random states as they found them, and
whatever goes wrong is said in one sentence.
"""

from lightning_gan.testing.alternation import check_alternation
from lightning_gan.testing.augment import check_augment
from lightning_gan.testing.average import check_average
from lightning_gan.testing.balance import check_balance
from lightning_gan.testing.component import check_component
from lightning_gan.testing.discriminator import check_discriminator
from lightning_gan.testing.expectations import ConformanceError
from lightning_gan.testing.generator import check_generator
from lightning_gan.testing.loss import check_loss
from lightning_gan.testing.prior import check_prior
from lightning_gan.testing.regularizer import check_regularizer
from lightning_gan.testing.schedule import check_schedule

__all__ = [
    "ConformanceError",
    "check_alternation",
    "check_augment",
    "check_average",
    "check_balance",
    "check_component",
    "check_discriminator",
    "check_generator",
    "check_loss",
    "check_prior",
    "check_regularizer",
    "check_schedule",
]
