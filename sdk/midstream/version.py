"""The version of this package; the format has its own, in the bitstream."""

__all__ = ["__version__"]

__version__ = "0.1.0"
