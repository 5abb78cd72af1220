"""Training steps as CUDA graphs: captured once for each kind of batch, then replayed."""
