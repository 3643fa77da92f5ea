"""Speed and memory, printed as ratios within one run: what ``make bench`` runs."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import memory_unmixing
import speed_command
import speed_fcls
import speed_idnet
from environment import describe_environment

SECTIONS = (speed_fcls, speed_idnet, memory_unmixing, speed_command)


def main() -> None:
    """Print the environment and every section, as a page of Markdown."""
    print("# Speed and memory\n\nCommand: `python benchmarks/speed.py`\n\n```")
    print("\n".join(describe_environment()))
    for section in SECTIONS:
        print(flush=True)
        section.main()
    print("```")


if __name__ == "__main__":
    main()
