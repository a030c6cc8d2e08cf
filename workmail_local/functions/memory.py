"""Resident memory of a process, from /proc."""

from __future__ import annotations

import os
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and its descendants; 0 without /proc or without such a process."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as statm:
            total = int(statm.read().split()[1]) * _PAGE
        return total + sum(map(resident_bytes, children_of(pid)))
    except (OSError, IndexError):
        return 0


def peak_resident_bytes(pid: int) -> int:
    """Return the largest resident memory a process has had so far; 0 without /proc or without such a process."""
    try:
        with open(f"/proc/{pid}/status", "rb") as status:
            for line in status:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def children_of(pid: int) -> list[int]:
    """Return the children of a process; none without /proc or without such a process."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as children:
            return [int(child) for child in children.read().split()]
    except OSError:
        return []
