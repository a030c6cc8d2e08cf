"""`python -m bench [NAME ...]`: run the measurements and print one table."""

from __future__ import annotations

import importlib
import pkgutil
import sys

from rich.console import Console
from rich.table import Table

import bench


def main() -> int:
    """Run the named measurements, or all of them, and print each ratio beside its goal."""
    known = sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if not module.name.startswith("_"))
    names = sys.argv[1:] or known
    if unknown := sorted(set(names) - set(known)):
        print(f"no such measurement: {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    table = Table("measured", "ours", "alternative", "unit", "ratio", "goal", "met", "note", title="bench")
    for name in names:
        print(f"==> {name}", file=sys.stderr, flush=True)
        for measure in importlib.import_module(f"bench.{name}").run():
            table.add_row(
                measure.name,
                f"{measure.ours:,.3f}",
                f"{measure.theirs:,.3f}",
                measure.unit,
                f"{measure.ratio:.3f}",
                "" if measure.goal is None else f"≤ {measure.goal:g}",
                {None: "", True: "yes", False: "NO"}[measure.met],
                measure.note,
            )
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
