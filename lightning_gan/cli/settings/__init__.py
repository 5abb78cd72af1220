"""Settings: composed by Hydra or read as options, checked against what takes them, written."""
