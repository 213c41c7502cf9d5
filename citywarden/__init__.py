"""Citywarden: the server for a city's things and its fleet."""

__version__ = "0.1.0"
