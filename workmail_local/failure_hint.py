"""What a handler's author probably did, where the error alone does not say it."""

from __future__ import annotations

import re
from typing import Final

_TOO_MANY_ARGUMENTS: Final = re.compile(r"(\w+)\(\) takes 1 positional argument but 2 were given")
_NO_MODULE: Final = re.compile(r"No module named '([\w.]+)'")


def failure_hint(*, error_type: str | None, error: str | None, reply: bytes | None, synchronous: bool) -> str | None:
    """Return what to look at, or None.

    Args:
        error_type: Of the failed invocation, as Lambda names it; None if it replied.
        error: Its text.
        reply: What the function returned; None if it failed.
        synchronous: Whether the rule waits for a reply.
    """
    if synchronous and reply == b"null":
        return (
            "the handler returned nothing, and a synchronous rule needs a reply: return event.reply with its actions; "
            "if the handler is decorated with @asynchronous, use @synchronous, or run the rule asynchronously (R10)"
        )
    if error_type == "TypeError" and (found := _TOO_MANY_ARGUMENTS.search(error or "")):
        return (
            f"Lambda calls a handler with the event and a context, and {found[1]} takes one argument: decorate it with "
            f"@{'synchronous' if synchronous else 'asynchronous'} of workmail_runtime, or let it take (event, context)"
        )
    if error_type == "Runtime.ImportModuleError" and (found := _NO_MODULE.search(error or "")):
        module = found[1].partition(".")[0]
        return (
            f"the function's code has no module {module}: name its package in the requirements.txt (or pyproject.toml) "
            "of the handler's folder; if the module is yours and lies elsewhere, give it with include"
        )
    return None
