"""Write the generated pages: `python -m tests.constructs.pages`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# As in the tests, CDK validates only the checked app, in a process of its own.
os.environ["CDK_VALIDATION"] = "false"

from tests.constructs.checked_app import synthesize
from tests.constructs.pages import DOCS, cdk_nag, permissions

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        (DOCS / cdk_nag.NAME).write_text(cdk_nag.page(synthesize(Path(folder) / "cdk.out")), encoding="utf-8")
    (DOCS / permissions.NAME).write_text(permissions.page(), encoding="utf-8")
