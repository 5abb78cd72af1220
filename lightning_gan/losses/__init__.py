"""Adversarial losses, one a file; base.py holds the contract."""
