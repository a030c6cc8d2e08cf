"""The import table: which part may lean on which, and what each may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    "lambda_src/workmail_custom_resources": {"boto3", "botocore"},
    "lambda_src/workmail_flow": set(),
    "lambda_src/workmail_runtime": {"workmail_flow", "botocore", "aws_lambda_powertools"},
    "lambda_src/workmail_rules": {"workmail_flow", "workmail_runtime", "puremagic"},
    "workmail_local": {
        "workmail_flow",
        *("aiohttp", "aiosmtpd", "awslambdaric", "boto3", "botocore", "moto", "pytest", "rich", "werkzeug"),
    },
}

# What must still be absent from sys.modules after each import or command.
LIGHT = {
    "import workmail_flow": HEAVY | {"typer"},
    "import workmail_runtime": HEAVY | {"typer"},
    "import workmail_rules.run_steps": HEAVY | {"typer"},
    "import workmail_constructs": HEAVY | {"typer"},
    "from workmail_constructs.testing import EVENT_EDITIONS, inbound_event, outbound_event": HEAVY
    | {"typer", "pytest", "syrupy", "constructs"},
    "import workmail_constructs.testing.pytest_plugin": HEAVY | {"typer", "syrupy", "constructs"},
    "import workmail_local.testing": HEAVY | {"typer"},
    "import sys; sys.argv = ['workmail-flow', '--help']; from workmail_constructs.cli import main; main()": HEAVY
    - {"rich"},
}

# Modules that import each other, each circle with the reason why it stays. Imports inside functions and for type
# checkers count: a reader has to follow those too.
CIRCLES: dict[frozenset[str], str] = {
    frozenset(
        f"workmail_constructs.{name}" for name in ("email_flow_rules", "organization", "stack_record")
    ): "types only: the record of a stack keeps what email_flow_rules declares in it",
}


def _imports(path: Path) -> set[str]:
    """Every name that a file imports, absolute, at its top or inside a function: `package.module.name` of a `from`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _import_graph() -> dict[str, set[str]]:
    """Each module of ours, with those it imports; `from package import module` imports the module."""
    files = {
        ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): file
        for root in (ROOT / "lambda_src", ROOT)
        for package in (
            "workmail_custom_resources",
            "workmail_flow",
            "workmail_rules",
            "workmail_runtime",
            "workmail_constructs",
            "workmail_local",
        )
        for file in (root / package).rglob("*.py")
    }
    return {
        module: {name if name in files else name.rpartition(".")[0] for name in _imports(file)} & files.keys()
        for module, file in files.items()
    }


def _circles(graph: Mapping[str, set[str]]) -> set[frozenset[str]]:
    """The strongly connected components of more than one module."""
    reached = {module: _reached(graph, module) for module in graph}
    together = {frozenset(other for other in reached[module] if module in reached[other]) for module in graph}
    return {circle for circle in together if len(circle) > 1}


def _reached(graph: Mapping[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph[waiting.pop()] - reached
        reached |= new
        waiting += new
    return reached


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


def test_a_circle_is_found() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set[str](), "e": {"a", "e"}}
    assert _circles(graph) == {frozenset("bc")}


def test_no_modules_import_each_other() -> None:
    graph = _import_graph()
    # One of each package, and edges of each kind: plain, in a function, for type checkers.
    assert "workmail_flow.rule_set" in graph["workmail_flow.lint"]
    assert "workmail_runtime.content" in graph["workmail_runtime.event"]
    assert "workmail_constructs.run_lambda_rule" in graph["workmail_constructs"]
    assert "workmail_flow.judge_reply" in graph["workmail_local.email_flow.engine"]
    assert _circles(graph) == set(CIRCLES)


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
