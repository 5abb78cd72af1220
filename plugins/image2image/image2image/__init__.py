"""Images made of images: pix2pix for pairs, CycleGAN without pairs; a plugin of lightning-gan."""
