"""Config groups that join those of lightning-gan."""
