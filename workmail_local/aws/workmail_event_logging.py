"""WorkMail's three operations that turn an organization's email event logging on, off, and show it (W2)."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any, Final

from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from werkzeug.wrappers import Response

from workmail_flow.arns import EVENT_LOGGING_PRINCIPAL
from workmail_flow.assumptions import NOT_LOGGING_IS_NOT_FOUND
from workmail_flow.limits import LOG_GROUP_ARN_PATTERN, ORGANIZATION_ID_PATTERN, ROLE_ARN_PATTERN
from workmail_local.aws.refusal import refusal
from workmail_local.aws.request_guard import credential_of
from workmail_local.email_monitoring import EmailMonitoring, MonitoringConfiguration
from workmail_local.iam.evaluate import evaluate
from workmail_local.iam.questions import identity_context
from workmail_local.state_file import StateFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from workmail_local.aws.function_identities import FunctionIdentities, FunctionIdentity

_SERVICE: Final = "WorkMailService."


class WorkMailEventLogging:
    """WSGI middleware, behind `FunctionAccess`.

    Args:
        application: What answers all other requests.
        identities: Knows the account of a request, and the function that sends it.
        state: Folder with the configurations, which the local WorkMail reads.
    """

    def __init__(
        self, application: Callable[..., Iterable[bytes]], identities: FunctionIdentities, state: Path
    ) -> None:
        self._application = application
        self._identities = identities
        self._monitoring = EmailMonitoring(state)
        self._one_at_a_time = threading.Lock()
        self._answers = {
            "DeleteEmailMonitoringConfiguration": self._delete,
            "DescribeEmailMonitoringConfiguration": self._describe,
            "PutEmailMonitoringConfiguration": self._put,
        }

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer, or pass the request on."""
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        answer = self._answers.get(target.removeprefix(_SERVICE)) if target.startswith(_SERVICE) else None
        if answer is None:
            return self._application(environ, start_response)
        credential = credential_of(environ)
        caller = self._identities.of_key(credential.key_id)
        account = self._identities.account_of_key(credential.key_id)
        try:
            asked = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
            _require("OrganizationId", asked["OrganizationId"], ORGANIZATION_ID_PATTERN)
            with self._one_at_a_time:
                found = answer(asked, caller, account=account, region=credential.region)
            response = Response(json.dumps(found), status=200, content_type="application/x-amz-json-1.1")
        except _RefusedError as error:
            response = _refused(environ, str(error), error.code)
        except (StateFileError, ValueError, KeyError, TypeError) as error:
            response = _refused(environ, str(error), "InvalidParameterException")
        return response(environ, start_response)

    def _put(
        self, asked: dict[str, Any], caller: FunctionIdentity | None, *, account: str, region: str
    ) -> dict[str, Any]:
        log_group, role = asked["LogGroupArn"], asked.get("RoleArn")
        _require("LogGroupArn", log_group, LOG_GROUP_ARN_PATTERN)
        *_, region_of_group, account_of_group, _, name, _ = log_group.split(":")
        if (region_of_group, account_of_group) != (region, account):
            raise ValueError(f"LogGroupArn: found {log_group}; allowed is a log group in {region} of account {account}")
        if name not in logs_backends[account][region].groups:
            raise _RefusedError("ResourceNotFoundException", f"The log group {name} does not exist.")
        if role is not None:
            _require("RoleArn", role, ROLE_ARN_PATTERN)
            if caller is not None:
                self._require_right_to_pass(role, caller, region)
            _require_trust(role, account)
        configuration = MonitoringConfiguration(log_group, role)
        self._monitoring.put(asked["OrganizationId"], configuration, account=account, region=region)
        return {}

    def _describe(self, asked: dict[str, Any], _: object, *, account: str, region: str) -> dict[str, Any]:
        found = self._monitoring.find(asked["OrganizationId"], account=account, region=region)
        if found is None:
            raise _RefusedError("ResourceNotFoundException", NOT_LOGGING_IS_NOT_FOUND)
        return {"LogGroupArn": found.log_group_arn, **({"RoleArn": found.role_arn} if found.role_arn else {})}

    def _delete(self, asked: dict[str, Any], _: object, *, account: str, region: str) -> dict[str, Any]:
        self._monitoring.delete(asked["OrganizationId"], account=account, region=region)
        return {}

    def _require_right_to_pass(self, role: str, caller: FunctionIdentity, region: str) -> None:
        access = evaluate(
            self._identities.role_statements(caller.role_arn),
            action="iam:PassRole",
            resource=role,
            context={
                **identity_context(caller.role_arn, region, role),
                "iam:PassedToService": EVENT_LOGGING_PRINCIPAL,
            },
        )
        if not access.allowed:
            raise _RefusedError(
                "AccessDeniedException",
                f"User: {caller.role_arn} is not authorized to perform: iam:PassRole on resource: {role}: "
                f"{access.reason}",
            )


class _RefusedError(Exception):
    """WorkMail refuses a request with this code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _refused(environ: dict[str, Any], message: str, code: str) -> Response:
    return refusal(environ, message, json_code=code, xml_code=code, status=400)


def _require(name: str, value: Any, pattern: str) -> None:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise ValueError(f"{name}: found {value!r}; it has to match {pattern}")


def _require_trust(role_arn: str, account: str) -> None:
    """Require a role that trusts WorkMail: it could not write with another one."""
    role = next((each for each in iam_backends[account]["aws"].roles.values() if each.arn == role_arn), None)
    if role is None:
        raise ValueError(f"RoleArn: found {role_arn}, which does not exist")
    document = role.assume_role_policy_document
    statements = (json.loads(document) if isinstance(document, str) else document)["Statement"]
    access = evaluate(
        [{"Resource": "*", **each} for each in statements],
        action="sts:AssumeRole",
        resource=role_arn,
        principal=EVENT_LOGGING_PRINCIPAL,
    )
    if not access.allowed:
        raise ValueError(f"RoleArn: found {role_arn}, which {EVENT_LOGGING_PRINCIPAL} cannot assume: {access.reason}")
