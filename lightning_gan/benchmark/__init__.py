"""Training of a module timed against hand-written loops over the same networks."""
