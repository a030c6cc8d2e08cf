"""Every change to moto itself, each with the behaviour of moto 5.2 that makes it necessary.

For each patch, a test in `tests/local/aws/test_moto_canaries.py` runs moto without it and fails once the patch can go.
"""

from __future__ import annotations

import secrets
import threading
from base64 import b32encode
from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from moto.awslambda.exceptions import UnknownEventConfig
from moto.awslambda.models import LambdaBackend
from moto.awslambda.responses import LambdaResponse
from moto.cloudformation import parsing
from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult
from moto.dynamodb.models import DynamoDBBackend
from moto.iam import models as iam
from moto.logs.models import LogGroup
from moto.moto_server import werkzeug_app
from moto.sts.models import STSBackend

from workmail_flow.arns import UNPUBLISHED
from workmail_local.aws.bootstrap import bootstrap_for_role
from workmail_local.aws.cloudformation.local_cloudformation import LocalCloudFormation, local_cloudformation
from workmail_local.aws.cloudformation.resolver import Resolver

if TYPE_CHECKING:
    from collections.abc import Callable


def apply(*, account_of_key: Callable[[str], str]) -> None:
    """Patch moto, once per process and before its server takes its first request.

    Args:
        account_of_key: Gives the account that requests signed with an access key act in.
    """
    _use_accounts_of(account_of_key)
    _use_local_cloudformation()
    _find_change_sets_of_their_stack()
    _use_resolver()
    _bootstrap_on_demand()
    _give_out_unguessable_keys()
    _write_items_one_at_a_time()
    _tell_invoke_configurations_apart()
    _name_log_groups_with_their_streams()
    _disable_cors()


def _use_accounts_of(account_of_key: Callable[[str], str]) -> None:
    """In moto, every access key that its IAM did not make belongs to account 123456789012, a constant."""
    iam.get_account_id_from = account_of_key  # type: ignore[assignment]


def _use_local_cloudformation() -> None:
    """Stacks of moto do not roll back; `workmail_local.aws.cloudformation` lists the rest."""
    cloudformation_backends.backend = LocalCloudFormation


def _find_change_sets_of_their_stack() -> None:
    """In moto, a change set's name is looked for in every stack; the CDK CLI gives those of all stacks one name."""
    for operation in ("delete_change_set", "describe_change_set", "execute_change_set"):
        setattr(CloudFormationResponse, operation, _with_arn(getattr(CloudFormationResponse, operation)))


def _with_arn(operation: Callable[[CloudFormationResponse], Any]) -> Callable[[CloudFormationResponse], Any]:
    @wraps(operation)
    def of_its_stack(self: CloudFormationResponse) -> Any:
        backend = local_cloudformation(self.current_account, self.region)
        self.params["ChangeSetName"] = backend.change_set_arn(
            self.params["ChangeSetName"], self.params.get("StackName", "")
        )
        return operation(self)

    return of_its_stack


def _use_resolver() -> None:
    """The recursion of moto's `clean_json` calls itself for the parts of a node, not `Resolver.resolve`."""
    moto_clean_json = parsing.clean_json

    @wraps(moto_clean_json)
    def clean_json(resource_json: Any, resources_map: Any) -> Any:
        if isinstance(resources_map, Resolver):
            return resources_map.resolve(resource_json)
        return moto_clean_json(resource_json, resources_map)

    parsing.clean_json = clean_json


def _bootstrap_on_demand() -> None:
    """In moto, a bootstrap role can be assumed in an account and Region that were never bootstrapped.

    The CDK CLI assumes these roles before it does anything else, also to get into the account that a stack names.
    """
    assume_role = STSBackend.assume_role

    @wraps(assume_role)
    def assume_bootstrapped_role(self: STSBackend, *args: Any, **kwargs: Any) -> Any:
        bootstrap_for_role(str(kwargs.get("role_arn", "")))
        return assume_role(self, *args, **kwargs)

    STSBackend.assume_role = assume_bootstrapped_role  # type: ignore[method-assign]


def _give_out_unguessable_keys() -> None:
    """The ids of moto's access keys differ in 39 bits, and come from a generator that other answers give away."""

    def unguessable(account_id: str, prefix: str, total_length: int = 20) -> str:
        return prefix + b32encode(secrets.token_bytes(total_length)).decode()[: total_length - len(prefix)]

    iam.generate_access_key_id_from_account_id = unguessable  # type: ignore[attr-defined]


def _write_items_one_at_a_time() -> None:
    """In moto, a conditional write looks at an item and changes it while another request does so too.

    What counts with conditions would count wrong as soon as two functions run at once.
    """
    lock = threading.RLock()
    for name in ("put_item", "update_item", "delete_item", "transact_write_items"):
        setattr(DynamoDBBackend, name, _with_lock(getattr(DynamoDBBackend, name), lock))


def _with_lock(write: Callable[..., Any], lock: threading.RLock) -> Callable[..., Any]:
    @wraps(write)
    def locked(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return write(*args, **kwargs)

    return locked


def _tell_invoke_configurations_apart() -> None:
    """In moto, whatever version or alias is asked for, a function's first invoke configuration is the answer."""
    get = LambdaResponse.get_function_event_invoke_config

    @wraps(get)
    def get_of_qualifier(self: LambdaResponse) -> Any:
        name = unquote(self.path.rsplit("/", 2)[1])
        function = self.backend.get_function(name)
        arn = function.function_arn
        qualifier = self._get_param("Qualifier") or UNPUBLISHED
        wanted = {f"{arn}:{qualifier}"} | ({arn} if qualifier == UNPUBLISHED else set())  # moto's own have no qualifier
        for config in function.event_invoke_config:
            if config.arn in wanted:
                return ActionResult(config.response())
        raise UnknownEventConfig(f"{arn}:{qualifier}")

    def list_all(self: LambdaBackend, function_name: str) -> dict[str, Any]:
        configs = self.get_function(function_name).event_invoke_config
        return {"FunctionEventInvokeConfigs": [config.response() for config in configs]}

    LambdaResponse.get_function_event_invoke_config = get_of_qualifier  # type: ignore[method-assign]
    LambdaBackend.list_function_event_invoke_configs = list_all  # type: ignore[method-assign]


def _name_log_groups_with_their_streams() -> None:
    """In moto, `Fn::GetAtt` of a log group's ARN lacks the `:*` at its end: a policy would not cover its streams."""
    attribute = LogGroup.get_cfn_attribute

    @wraps(attribute)
    def with_streams(self: LogGroup, attribute_name: str) -> str:
        value = attribute(self, attribute_name)
        return f"{value}:*" if attribute_name == "Arn" else value

    LogGroup.get_cfn_attribute = with_streams  # type: ignore[method-assign]


def _disable_cors() -> None:
    """The servers of moto let every page of every site read their answers (CORS)."""
    werkzeug_app.DISABLE_GLOBAL_CORS = True  # type: ignore[attr-defined]
