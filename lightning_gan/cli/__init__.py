"""The command: the only room that reads configuration.

``arguments`` reads the command line; ``compose`` (Hydra grammar) and ``options`` (LightningCLI
grammar) make one nested dict of it; ``resolve`` checks every setting against its class;
``building`` makes the objects and ``written`` the text of the whole configuration; ``run`` gives
them to the Trainer. ``explain``, ``listing`` and ``sweep`` are what the names say.
"""
