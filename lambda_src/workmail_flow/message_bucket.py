"""How a function learns which bucket WorkMail reads updated messages from (C5)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MESSAGE_BUCKET_VARIABLE: Final = "WORKMAIL_MESSAGE_BUCKET"
"""The environment variable that names the bucket."""
