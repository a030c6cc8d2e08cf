"""Lambda's Invoke, as far as the local AWS answers it by itself; the local WorkMail's part is in `email_flow`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.aws.conftest import ROLE, function
from workmail_local.aws.function_invocations import invoked_function
from workmail_local.state_file import READY_FILE

if TYPE_CHECKING:
    from tests.local.aws.conftest import LocalAws

pytestmark = pytest.mark.xdist_group("aws")

PLACE = "us-east-1:123456789012"
ARN = f"arn:aws:lambda:{PLACE}:function:rule"


@pytest.mark.parametrize(
    ("named", "query", "arn"),
    [
        ("rule", "", ARN),
        ("rule:live", "", f"{ARN}:live"),
        ("rule", "Qualifier=live", f"{ARN}:live"),
        ("rule", "Qualifier=%24LATEST", ARN),
        ("rule:$LATEST", "", ARN),
        ("123456789012:function:rule", "Qualifier=7", f"{ARN}:7"),
        (ARN.replace(":", "%3A"), "", ARN),
        (f"{ARN}:live", "Qualifier=live", f"{ARN}:live"),
    ],
)
def test_a_function_is_named_in_each_of_lambdas_ways(named: str, query: str, arn: str) -> None:
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/2015-03-31/functions/{named}/invocations",
        "QUERY_STRING": query,
    }
    assert invoked_function(environ, region="us-east-1", account="123456789012") == arn


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/2015-03-31/functions/rule/invocations"), ("POST", "/2015-03-31/functions"), ("POST", "/")],
)
def test_any_other_request_invokes_none(method: str, path: str) -> None:
    assert invoked_function({"REQUEST_METHOD": method, "PATH_INFO": path}, region="us-east-1", account="1") is None


def refused(aws: LocalAws, payload: bytes = b"{}", **options: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        aws.client("lambda").invoke(FunctionName="rule", Payload=payload, **({"InvocationType": "Event"} | options))
    found = error.value.response
    return found["Error"]["Code"], found["Error"]["Message"]


@pytest.mark.parametrize("ready", [None, "", "[]", '{"api": "http://127.0.0.1:9", "token": "x"}'])
def test_without_a_local_workmail_nothing_runs(aws: LocalAws, ready: str | None) -> None:
    file = aws.state / READY_FILE
    if ready is not None:
        file.write_text(ready)
    code, message = refused(aws)
    file.unlink(missing_ok=True)
    assert code == "ServiceException"
    assert "the local AWS runs functions through the local WorkMail, which does not answer" in message


def test_what_lambda_refuses_is_refused(aws: LocalAws) -> None:
    assert refused(aws, b"{")[0] == "InvalidRequestContentException"
    assert refused(aws, b"[" * 100_000)[0] == "InvalidRequestContentException"
    assert refused(aws, b'"' + b"x" * 1024 * 1024 + b'"')[0] == "RequestTooLargeException"
    code, message = refused(aws, InvocationType="RequestResponse")
    assert code == "InvalidRequestContentException"
    assert "InvocationType RequestResponse: the local AWS takes Event and DryRun" in message


def test_a_function_invokes_what_its_role_allows_and_no_more(aws: LocalAws) -> None:
    allowed = "arn:aws:lambda:us-east-1:123456789012:function:allowed"
    statement = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": allowed}
    policy = {"PolicyName": "Own", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
    role = {**ROLE, "Properties": ROLE["Properties"] | {"Policies": [policy]}}
    aws.create("Invoking", {"Role": role, "Function": function()})
    (arn,) = aws.deployment("Invoking").functions
    own = aws.client("lambda", access_key=aws.keys.of_function(arn))
    codes = {}
    for name in ("allowed", "allowed:live", "other"):
        with pytest.raises(ClientError) as error:
            own.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({}))
        codes[name] = error.value.response["Error"]["Code"]
    aws.delete("Invoking")
    # The first one gets past the policies, to a local WorkMail that does not run.
    assert codes == {
        "allowed": "ServiceException",
        "allowed:live": "AccessDeniedException",
        "other": "AccessDeniedException",
    }
