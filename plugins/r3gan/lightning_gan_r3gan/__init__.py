"""Recipes of R3GAN (Huang et al. 2024): experiments made of components of lightning-gan."""
