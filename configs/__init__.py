"""Hydra groups and experiments; installed as the package lightning_gan.configs."""
