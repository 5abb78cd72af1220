"""Experiments of super resolution."""
