"""The checks that every plugin author gets for free."""

from lightning_gan.testing import check_component


def test_minimal_loss():
    check_component("loss", "minimal")
