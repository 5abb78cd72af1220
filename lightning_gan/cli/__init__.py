"""The command: the only room that reads configuration.

``arguments`` reads the command line. ``settings`` makes one nested dict of it, in either grammar,
and checks each value against the class that takes it; ``trainer`` builds the objects and gives them
to the Trainer, once or in a sweep. ``plugins`` is what is done with installed components, and
``commands`` has a file for every other word. ``explain`` is the help.
"""
