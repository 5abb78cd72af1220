"""Data sets and experiments for the command."""
