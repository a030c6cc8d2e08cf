"""The placeholders that a step's text may have, as its author writes them: `{sender}`."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

PLACEHOLDERS: Final = ("sender", "sender_domain", "subject", "date")
"""What stands between the braces."""

PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")
"""Anything that looks like a placeholder. Braces around anything else, such as CSS, are text."""
