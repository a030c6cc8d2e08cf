"""The layout: which part imports which, drawn for contributors in docs/contributing.md and held here.

`python tests/unit/test_layout.py` prints the picture as the code has it now.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "contributing.md"

# From top to bottom: a part imports parts below it only.
LAYERS = (
    ("workmail_constructs.cli", "workmail_constructs.testing"),
    ("workmail_constructs", "workmail_local.testing"),
    ("workmail_local.server", "workmail_local.trial"),
    ("workmail_local.email_flow", "workmail_local.message_flow"),
    ("workmail_local.mail",),
    ("workmail_local.store",),
    ("workmail_local.aws",),
    ("workmail_local.functions",),
    ("workmail_local.iam",),
    ("workmail_local",),
    ("workmail_rules",),
    ("workmail_runtime.edit", "workmail_runtime"),
    ("workmail_custom_resources",),
    ("workmail_flow",),
)
PARTS = {part: depth for depth, layer in enumerate(LAYERS) for part in layer}

# Two parts of one layer that import each other's modules: each half is loaded only when it is used.
TOGETHER = {frozenset({"workmail_runtime", "workmail_runtime.edit"})}


def part_of(module: str) -> str | None:
    """The part a module belongs to: the longest name in `PARTS` that it begins with."""
    found = [part for part in PARTS if module == part or module.startswith(f"{part}.")]
    return max(found, key=len, default=None)


def imports() -> set[tuple[str, str]]:
    """Every pair of parts of which the first imports the second, for its types or at run time."""
    found = set()
    for folder in ("workmail_constructs", "workmail_local", "lambda_src"):
        for path in (ROOT / folder).rglob("*.py"):
            importer = ".".join(path.relative_to(ROOT).with_suffix("").parts).removeprefix("lambda_src.")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                found |= {(part_of(importer), part_of(name)) for name in names}
    return {(importer, imported) for importer, imported in found if importer and imported and importer != imported}


def picture() -> str:
    """The parts and their imports as a Mermaid chart; an import that follows from two others is left out."""
    pairs = imports()
    reached = set(pairs)
    for _ in LAYERS:
        reached |= {(one, three) for one, two in reached for also_two, three in pairs if two == also_two}
    shown = sorted(
        (one, two) for one, two in pairs if not any((one, via) in pairs and (via, two) in reached for via in PARTS)
    )
    nodes = [f'    {_node(part)}["{part.replace(".", ".<br/>")}"]' for part in PARTS]
    return "\n".join(["flowchart TD", *nodes, *(f"    {_node(one)} --> {_node(two)}" for one, two in shown)])


def _node(part: str) -> str:
    return part.removeprefix("workmail_").replace(".", "_")


def test_every_module_belongs_to_a_part() -> None:
    folders = [ROOT / "workmail_constructs", ROOT / "workmail_local", *(ROOT / "lambda_src").glob("workmail_*")]
    packages = {path.parent for folder in folders for path in folder.rglob("*.py")}
    names = {".".join(path.relative_to(ROOT).parts).removeprefix("lambda_src.") for path in packages}
    assert {name for name in names if part_of(name) is None} == set()


def test_no_import_runs_back_up() -> None:
    level = {(one, two) for one, two in imports() if PARTS[one] == PARTS[two] and frozenset({one, two}) not in TOGETHER}
    upwards = {(one, two) for one, two in imports() if PARTS[one] > PARTS[two]}
    assert (level, upwards) == (set(), set())


def test_the_contributors_page_draws_the_layout_as_it_is() -> None:
    assert f"```mermaid\n{picture()}\n```" in PAGE.read_text(encoding="utf-8")


def test_the_page_names_files_that_exist() -> None:
    named = set(re.findall(r"`((?:workmail|tests)[a-z_/]*\.py)`", PAGE.read_text(encoding="utf-8")))
    assert len(named) > 20
    assert {name for name in named if not any((root / name).is_file() for root in (ROOT, ROOT / "lambda_src"))} == set()


if __name__ == "__main__":
    print(picture())
