"""What is done with a loaded generator: pictures and files of samples, ways, inputs put through it.

Everything here takes what :func:`~lightning_gan.load_generator` returns.
"""
