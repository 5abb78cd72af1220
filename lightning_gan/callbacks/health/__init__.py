"""Training gone wrong: what is measured, the rules that judge it, the monitor that tells."""
