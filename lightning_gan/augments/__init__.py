"""Augmentations before the discriminator, one a file; base.py holds the contract."""
