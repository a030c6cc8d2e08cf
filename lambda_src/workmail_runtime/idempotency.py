"""Run a handler once per event, however often WorkMail tries again: for side effects that must not repeat (E7).

Edits do not need this: the editor does not make an edit that is there already.
"""

from __future__ import annotations

import logging
import os
from functools import cache, wraps

from workmail_runtime.content_errors import SettingsError
from workmail_runtime.event import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from aws_lambda_powertools.utilities.idempotency import BasePersistenceLayer

    from workmail_runtime.handlers import LambdaHandler
    from workmail_runtime.lambda_context import LambdaContext

_logger = logging.getLogger("workmail_runtime")

TABLE_VARIABLE: Final = "WORKMAIL_IDEMPOTENCY_TABLE"
"""The environment variable that names the DynamoDB table; its partition key is `id`, its time to live `expiration`."""

REMEMBERED_S: Final = 24 * 60 * 60
"""How long an answer is kept: longer than any rule timeout (F13) and than Lambda's own retries."""


def once_per_invocation(
    *, table: str | None = None, store: BasePersistenceLayer | None = None
) -> Callable[[LambdaHandler], LambdaHandler]:
    """Let a handler run once for each `invocationId`; a retry gets the first run's answer (E7).

    Put it above `@synchronous` or `@asynchronous`. It uses the idempotency of AWS Lambda Powertools: put
    `aws-lambda-powertools` into the handler's requirements. The table keeps the answer, recipients
    included, for 24 hours. A run that fails is forgotten, so that the retry runs. A retry that comes while a run is
    still going on fails, and is tried again.

    An event of an older edition has no `invocationId` (E2): the handler runs unprotected, and a warning is logged.

    Args:
        table: The DynamoDB table's name; by default what WORKMAIL_IDEMPOTENCY_TABLE names.
        store: Another persistence layer of Powertools, in place of a table.

    The handler raises `SettingsError` if it has neither a table nor a store.
    """

    def decorate(handler: LambdaHandler) -> LambdaHandler:
        @cache
        def protected() -> Callable[[Any, Any], Any]:
            # Powertools and its boto3 client are loaded by the first event, not by the import.
            from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent

            config = IdempotencyConfig(
                event_key_jmespath="invocationId",
                raise_on_no_idempotency_key=True,
                expires_after_seconds=REMEMBERED_S,
            )
            return idempotent(persistence_store=store or _table(table), config=config)(handler)

        @wraps(handler)
        def once(event: object, context: LambdaContext | None = None) -> Any:
            parsed = Event.parse(event, context)
            if parsed.invocation_id is None:
                _logger.warning("the event has no invocationId (E2): a retry would run the handler again")
                return handler(event, context)
            return protected()(event, context)

        return once

    return decorate


def _table(name: str | None) -> BasePersistenceLayer:
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer

    name = name or os.environ.get(TABLE_VARIABLE)
    if not name:
        message = f"no table is named to remember invocations in: set {TABLE_VARIABLE}, or name one in the decorator"
        raise SettingsError(message)
    return DynamoDBPersistenceLayer(table_name=name)
