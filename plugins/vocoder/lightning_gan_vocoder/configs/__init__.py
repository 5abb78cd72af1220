"""Experiments of vocoders."""
