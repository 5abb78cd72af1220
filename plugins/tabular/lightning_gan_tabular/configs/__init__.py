"""The experiment and the data of this package."""
