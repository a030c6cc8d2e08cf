"""What is read from code about its imports, without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.constructs.handler_folders import write
from workmail_constructs.imported_modules import imported_names, needed_modules

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b, c as d", {"a.b", "c"}),
        ("from a.b import c as d, e", {"a.b", "a.b.c", "a.b.e"}),
        ("from . import c", {"top.low", "top.low.c"}),
        ("from .b import c", {"top.low.b", "top.low.b.c"}),
        ("from ..b import c", {"top.b", "top.b.c"}),
        ("class A:\n  def f(self):\n    with x:\n      import a", {"a"}),
        ("try:\n  import a\nexcept ImportError:\n  import b\nelse:\n  import c\nfinally:\n  import d", set("abcd")),
        ("match x:\n  case 1:\n    import a", {"a"}),
        ("if TYPE_CHECKING:\n  import a\nelse:\n  import b", {"b"}),
        ("import typing\nif typing.TYPE_CHECKING:\n  import a", {"typing"}),
        ("if x:\n  import a", {"a"}),
    ],
)
def test_imports_are_read_wherever_they_run(source: str, names: set[str]) -> None:
    assert imported_names(source.encode(), package="top.low") == names


def test_modules_that_import_each_other_are_found_with_their_packages(tmp_path: Path) -> None:
    files = {
        "__init__.py": "",
        "one.py": "from top.low import two",
        "low/__init__.py": "import top.init",
        "low/two.py": "from top.one import x",
        "init.py": "",
        "other.py": "",
        "low/other.py": "",
    }
    write(tmp_path, files)

    found = {
        file.relative_to(tmp_path).as_posix() for file in needed_modules(tmp_path, "top", {"top.one", "else.where"})
    }
    assert found == {"__init__.py", "one.py", "low/__init__.py", "low/two.py", "init.py"}
