"""The science of the study: tables and arrays in, tables and arrays out."""

from eifer.video import estimate

__all__ = ["estimate"]
