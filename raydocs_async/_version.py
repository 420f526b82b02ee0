"""The version, in the package too: reading the metadata costs as much as importing cattrs."""

__version__ = "0.1.0"
