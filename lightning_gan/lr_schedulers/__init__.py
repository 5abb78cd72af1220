"""Learning-rate schedulers that torch lacks, one a file; they count steps of their optimizer."""
