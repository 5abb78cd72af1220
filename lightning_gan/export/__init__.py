"""A generator taken out of training: as a folder, in formats that others run, from wherever it is.

``folder`` writes weights and description, ``load`` reads them and whatever else holds a generator,
``publish`` makes the folder that is given to others.
"""

from lightning_gan.export.folder import describe_generator, export_generator, read_description
from lightning_gan.export.load import load_generator
from lightning_gan.export.loaded import LoadedGenerator

__all__ = [
    "LoadedGenerator",
    "describe_generator",
    "export_generator",
    "load_generator",
    "read_description",
]
