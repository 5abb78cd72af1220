"""Distributions of latents, one a file; base.py holds the contract."""
