"""Callbacks for any GANModule: sample grids, loss curves, the summary of a run."""
