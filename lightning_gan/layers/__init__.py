"""Blocks that networks share; no policy."""
