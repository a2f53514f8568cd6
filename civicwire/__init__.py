"""civicwire: the command line, settings, the embedded local stack and the sandbox portal."""

__version__ = "0.1.0"
