"""The errors of calls to AWS for a message's content; loaded only by the modules that raise them."""

from __future__ import annotations

from workmail_runtime.errors import WorkMailRuntimeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class SettingsError(WorkMailRuntimeError):
    """A setting is missing or not valid, so that AWS cannot be called; nothing was called."""


class ServiceUnreachableError(WorkMailRuntimeError):
    """A service gave no usable answer in any try; WorkMail's retry may succeed (T2)."""


class ServiceError(WorkMailRuntimeError):
    """A service refused a call.

    Attributes:
        code: The service's name for it, for example `MessageFrozen`.
        service_message: What the service said; may hold addresses, which the error's own text leaves out.
        status: The HTTP status.
        request_id: What AWS support asks for; None if the service gave none.
        answer: All that the service said, as JSON; may hold what is in a table.
    """

    advice = ""
    """What to do about it, where the code is enough to know."""

    def __init__(
        self,
        code: str,
        service_message: str,
        *,
        status: int,
        request_id: str | None,
        answer: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = code
        self.service_message = service_message
        self.status = status
        self.request_id = request_id
        self.answer = answer or {}
        said = " ".join("(address)" if "@" in word else word for word in service_message.split())
        parts = (f"{code} ({status})", said, self.advice, f"request {request_id}" if request_id else "")
        super().__init__("; ".join(part for part in parts if part))


class MessageNotFoundError(ServiceError):
    """There is no such message, or it is more than 24 hours old (C2)."""

    advice = "a message in transit is readable for 24 hours (C2)"


class AccessDeniedError(ServiceError):
    """The function's role does not allow the call."""

    advice = "grant the function's role the call; RunLambdaRule does with content_access"


class InvalidContentLocationError(ServiceError):
    """WorkMail may not read the bucket (C5)."""

    advice = (
        "the bucket must be in the function's account and Region, and its policy must let WorkMail read it (C5); "
        "RunLambdaRule does so with content_access=ContentAccess.UPDATE"
    )


class UpdateRefusedError(WorkMailRuntimeError):
    """The message cannot be updated, whatever the function does; it stays as it came."""


class MessageFrozenError(UpdateRefusedError, ServiceError):
    """The message is not eligible for update; usually it was redirected (C7)."""


class MessageRejectedError(UpdateRefusedError, ServiceError):
    """WorkMail does not accept the new content (C8); much inbound mail is not acceptable as it arrives (C9)."""


class ContentUnavailableError(WorkMailRuntimeError):
    """The content cannot be fetched or put; known before any call. The text says why and what to do."""
