"""The import table: which part may lean on which, and what each may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "aws_cdk",
    "boto3",
    "botocore",
    "moto",
    "aiohttp",
    "aiosmtpd",
    "awslambdaric",
    "rich",
    "yaml",
    "jsii",
}

# What a part may import of us and of others, anywhere in its files.
TABLE: dict[str, set[str]] = {
    "lambda_src/workmail_flow": set(),
    # urllib3 is what botocore sends with, and its errors come through.
    "lambda_src/workmail_runtime": {"workmail_flow", "botocore", "urllib3", "aws_lambda_powertools"},
    "workmail_local": {
        "workmail_flow",
        *("aiohttp", "aiosmtpd", "awslambdaric", "boto3", "botocore", "moto", "pytest", "rich", "werkzeug"),
    },
}

# What must still be absent from sys.modules after each import or command.
LIGHT = {
    "import workmail_flow": HEAVY | {"typer"},
    "import workmail_runtime": HEAVY | {"typer"},
    "import workmail_constructs": HEAVY | {"typer"},
    "import workmail_local.testing": HEAVY | {"typer"},
    "import sys; sys.argv = ['workmail-flow', '--help']; from workmail_constructs.cli import main; main()": HEAVY
    - {"rich"},
}


def _imports(path: Path) -> set[str]:
    """Every absolute module name that a file imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def _allowed(module: str, part: str, table: set[str]) -> bool:
    own = part.removeprefix("lambda_src/").replace("/", ".")
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or module == own or module.startswith(f"{own}."):
        return True
    return any(module == name or module.startswith(f"{name}.") for name in table)


@pytest.mark.parametrize("part", TABLE)
def test_a_part_imports_only_what_the_table_gives_it(part: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)}: {module}"
        for path in (ROOT / part).rglob("*.py")
        for module in _imports(path)
        if not _allowed(module, part, TABLE[part])
    }
    assert wrong == set()


@pytest.mark.parametrize("statement", LIGHT)
def test_a_light_import_loads_nothing_heavy(statement: str) -> None:
    script = (
        "import sys, atexit\n"
        f"heavy = {sorted(LIGHT[statement])!r}\n"
        "atexit.register(lambda: print('LOADED', [name for name in heavy if name in sys.modules]))\n"
        f"{statement}\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED []"
