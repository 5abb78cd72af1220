"""One HTML page about a run, which needs no network."""
