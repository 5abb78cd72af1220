"""Training packages: all of a training in safetensors and JSON, for others to go on from."""
