"""What users write with types runs too; the type checkers read it in `make lint`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import App

from tests.constructs.typed_app import Mail

if TYPE_CHECKING:
    from pathlib import Path


def test_what_users_write_synthesizes(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    Mail(app)
    app.synth()

    assert (tmp_path / "Mail.template.json").is_file()
