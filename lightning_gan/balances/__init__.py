"""Factors of the terms of an objective, found from their gradients; base.py holds the contract."""
