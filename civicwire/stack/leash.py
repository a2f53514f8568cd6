"""Become another program that dies with its parent.

Run as ``python -IS leash.py <parent pid> <program> <argument>...``. The kernel then kills the program as soon as the
process that started it is gone, however that went, so a killed supervisor leaves no orphan. The request survives
``exec``. Only Linux has it; elsewhere the program runs without the leash and the next start finds it by the stack file.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From ``linux/prctl.h``."""


def main() -> None:
    """Put on the leash, then become the program."""
    parent, program, *arguments = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # it died before the leash was on
            sys.exit(1)
    os.execv(program, [program, *arguments])  # noqa: S606  no shell is the point


if __name__ == "__main__":
    main()
