"""Resident memory of a process, as the kernel tells it."""

from __future__ import annotations

import os
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and its descendants now; 0 where there is no /proc, or no such process."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as statm:
            total = int(statm.read().split()[1]) * _PAGE
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as children:
            return total + sum(resident_bytes(int(child)) for child in children.read().split())
    except (OSError, IndexError):
        return 0


def peak_resident_bytes(pid: int) -> int:
    """The most resident memory the process itself ever had; 0 where there is no /proc, or no such process."""
    try:
        with open(f"/proc/{pid}/status", "rb") as status:
            for line in status:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
