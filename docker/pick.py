"""Print a part of a lock file: the packages that are named, or with ``--without`` all but those."""

import re
import sys

lock, *names = sys.argv[1:]
without = "--without" in names
taken = False
for line in open(lock, encoding="utf-8"):  # noqa: PTH123, SIM115 - runs on a bare Python and ends with it
    name = re.match(r"([a-z0-9._-]+)==", line)
    if name:
        taken = (name[1] in names) != without
    if taken and not line.lstrip().startswith("#"):
        sys.stdout.write(line)
