"""Recolor: a typed look in, the settings of three editing tools out."""

__version__ = "0.1.0"
