"""Experiments of the package, as YAML."""
