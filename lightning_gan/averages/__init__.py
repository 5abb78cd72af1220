"""Averages of the generator over training, one a file; base.py holds the contract."""
