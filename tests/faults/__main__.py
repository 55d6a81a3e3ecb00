"""`python -m tests.faults` has moved to `python -m faults`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.exit("python -m tests.faults: it has moved. Next: python -m faults, or make faults")
