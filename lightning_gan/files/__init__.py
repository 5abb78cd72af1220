"""What a run leaves and what is read of strangers: names, whole files, bounds, fingerprints."""
