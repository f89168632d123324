"""The package's version, for the files that it writes and for `pyproject.toml`."""

__version__ = "0.1.0"
