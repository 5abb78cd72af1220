import pytest
import torch
from lightning_gan.testing import check_component
SMALL = {"hidden_channels": 4, "levels": 1, "blocks": 1}
Y=torch.rand(4,1,8,8)*2-1
def test_v():
    check_component("generator", "vq_autoencoder", codes=5, code_dim=3, y=Y, sample_shape=(1, 8, 8), **SMALL)
def test_k():
    check_component("generator", "kl_autoencoder", code_channels=2, y=Y, sample_shape=(1, 8, 8), **SMALL)
