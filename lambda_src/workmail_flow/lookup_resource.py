"""The custom resource that finds an organization by its alias when a stack is deployed; `Ref` gives the id."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

LOOKUP_TYPE: Final = "Custom::WorkMailOrganization"

LOOKUP_ALIAS: Final = "Alias"
"""The property that names the alias (L8)."""
