"""A decision by what a header says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Unpack

from workmail_constructs.content_access import ContentAccess
from workmail_constructs.steps.deciding_step import DecidingStep
from workmail_constructs.steps.decision import BypassSpamCheck, Decision, Junk, configured, decisions
from workmail_constructs.steps.regular_expression import checked_expression
from workmail_flow.updated_content import FIELD_NAME_PATTERN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workmail_constructs.steps.binding import StepBinding
    from workmail_constructs.steps.step import StepOptions

_FIELD_NAME: Final = re.compile(FIELD_NAME_PATTERN)
_AUTHENTICATION_RESULTS: Final = "authentication-results"
_AUTHSERV_ID: Final = re.compile(r"[^\s;\"()]+")


class FilterByHeader(DecidingStep):
    """Decides by what a header says, for example that an upstream gateway found spam."""

    function = "workmail_rules.filter_by_header:run"

    def __init__(
        self,
        header: str,
        pattern: str,
        *,
        matched: Decision | None = Junk(),  # noqa: B008 - frozen
        otherwise: Decision | None = BypassSpamCheck(),  # noqa: B008 - frozen
        missing: Decision | None = None,
        authserv_id: str | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        """Take the header and what to look for.

        Args:
            header: The header's name, in any case of letters.
            pattern: A regular expression, searched in each field of that name, decoded and unfolded.
            matched: What to decide where a field matches; None decides nothing.
            otherwise: What to decide where none does; None decides nothing.
            missing: What to decide where the message has no such header; by default the same as `otherwise`.
            authserv_id: For Authentication-Results: the server whose word counts (RFC 8601). Anybody can write the
                header; of this server's fields the topmost counts.
            **options: What all steps have; see `Step`.

        Raises:
            ValueError: The header's name or the pattern is not valid, the pattern may take too long, or `authserv_id`
                is missing, or is given with another header.
            TypeError: A decision is something else.
        """
        super().__init__(**options)
        if not _FIELD_NAME.fullmatch(header):
            raise ValueError(
                f"header: found {header!r}, which is no name of a header; "
                "printable ASCII without space and colon is allowed"
            )
        is_authentication = header.lower() == _AUTHENTICATION_RESULTS
        if is_authentication and not (authserv_id and _AUTHSERV_ID.fullmatch(authserv_id)):
            raise ValueError(
                f"authserv_id: found {authserv_id!r} for Authentication-Results, which anybody can write; give the "
                "server whose word counts, as it names itself before the first semicolon"
            )
        if authserv_id is not None and not is_authentication:
            raise ValueError(f"authserv_id: found beside {header}; only Authentication-Results has one")
        self._decisions = decisions(matched=matched, otherwise=otherwise, missing=missing or otherwise)
        self._configuration = {
            "header": header,
            "pattern": checked_expression(pattern, argument="pattern"),
            "authserv_id": authserv_id,
        }

    @property
    def content_access(self) -> ContentAccess:
        """The step reads headers."""
        return ContentAccess.READ

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Return the pattern and the decisions."""
        return {**self._configuration, **configured(self._decisions)}
