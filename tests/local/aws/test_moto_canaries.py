"""What plain moto does not do. Each test fails once moto does it, and its message says which code can go then.

moto runs in this process without any of our patches; our endpoint, which is patched, has a process of its own.
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from moto import mock_aws
from moto.backends import list_of_moto_modules
from moto.cloudformation import parsing
from moto.cloudformation.models import CloudFormationBackend, Stack, cloudformation_backends
from moto.dynamodb import models as dynamodb_models
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.models import get_account_id_from
from moto.iam.utils import generate_access_key_id_from_account_id
from moto.moto_api._internal import mock_random
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import Client

from tests.local.aws.conftest import ROLE, function
from workmail_local.access_keys import AccessKeys
from workmail_local.aws.cloudformation.providers import OWN_PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.xdist_group("aws")

QUEUE = {"Type": "AWS::SQS::Queue"}
BROKEN = {
    "Type": "AWS::Lambda::Permission",
    "DependsOn": "Queue",
    "Properties": {"FunctionName": "none", "Action": "lambda:InvokeFunction", "Principal": "x"},
}
ACCOUNT = "123456789012"


class PlainMoto:
    """What a test does with moto."""

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def create(self, resources: dict[str, Any], **template: Any) -> dict[str, Any]:
        body = json.dumps({"Resources": resources, **template})
        self.client("cloudformation").create_stack(StackName="Stack", TemplateBody=body)
        return self.stack()

    def update(self, resources: dict[str, Any]) -> None:
        body = json.dumps({"Resources": resources})
        self.client("cloudformation").update_stack(StackName="Stack", TemplateBody=body)

    def change_set(self, resources: dict[str, Any], **template: Any) -> dict[str, Any]:
        """Create a stack by change set."""
        cloudformation = self.client("cloudformation")
        body = json.dumps({"Resources": resources, **template})
        created = cloudformation.create_change_set(
            StackName="Stack", ChangeSetName="set", ChangeSetType="CREATE", TemplateBody=body
        )
        cloudformation.execute_change_set(ChangeSetName=created["Id"])
        return self.stack()

    def stack(self) -> dict[str, Any]:
        return self.client("cloudformation").describe_stacks(StackName="Stack")["Stacks"][0]

    def ref(self, resources: dict[str, Any], logical_id: str) -> str:
        return self.create(resources, Outputs={"Ref": {"Value": {"Ref": logical_id}}})["Outputs"][0]["OutputValue"]


@pytest.fixture
def moto() -> Iterator[PlainMoto]:
    assert cloudformation_backends.backend is CloudFormationBackend, "moto is patched in this process"
    with mock_aws():
        yield PlainMoto()


# --- workmail_local/aws/moto_patches.py


def test_an_unknown_access_key_is_of_a_constant_account() -> None:
    assert get_account_id_from("AKIALOCALFUNCTION000") == ACCOUNT, "moto knows accounts: _use_accounts_of may go"


def test_an_invoke_configuration_is_the_functions_whatever_is_asked_for(moto: PlainMoto) -> None:
    role = moto.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    awslambda = moto.client("lambda")
    awslambda.create_function(
        FunctionName="f", Runtime="python3.13", Role=role, Handler="x.y", Code={"ZipFile": b"PK\x05\x06" + bytes(18)}
    )
    awslambda.put_function_event_invoke_config(FunctionName="f", Qualifier="live", MaximumRetryAttempts=1)
    for qualifier in ({}, {"Qualifier": "other"}):
        found = awslambda.get_function_event_invoke_config(FunctionName="f", **qualifier)
        assert found["MaximumRetryAttempts"] == 1, "moto tells them apart: _tell_invoke_configurations_apart may go"


def test_a_log_groups_arn_lacks_its_streams(moto: PlainMoto) -> None:
    outputs = {"Arn": {"Value": {"Fn::GetAtt": ["Group", "Arn"]}}}
    (output,) = moto.create({"Group": {"Type": "AWS::Logs::LogGroup"}}, Outputs=outputs)["Outputs"]
    assert not output["OutputValue"].endswith(":*"), "moto adds :*: _name_log_groups_with_their_streams may go"


def test_no_value_stays_in_lists() -> None:
    found = parsing.clean_json([{"Ref": "AWS::NoValue"}], {"AWS::NoValue": None})
    assert found == [None], "moto drops AWS::NoValue from lists: Resolver.resolve need not"


def test_dynamic_references_are_not_resolved() -> None:
    reference = "{{resolve:ssm:/name}}"
    assert parsing.clean_json(reference, {}) == reference, "moto resolves them: Resolver._dynamic_reference may go"


def test_an_attribute_that_a_model_lacks_fails_the_stack(moto: PlainMoto) -> None:
    with pytest.raises(ClientError, match="does not support attribute type NoSuchAttribute"):
        moto.create({"Queue": QUEUE}, Outputs={"Odd": {"Value": {"Fn::GetAtt": ["Queue", "NoSuchAttribute"]}}})


def resource_map(template: dict[str, Any]) -> parsing.ResourceMap:
    return parsing.ResourceMap(
        *("arn", "Stack", {}, {}),
        region_name="us-east-1",
        account_id=ACCOUNT,
        template={"Resources": {}, **template},
        cross_stack_resources={},
    )


def test_an_unknown_reference_in_a_condition_is_a_key_error() -> None:
    unknown = {"Conditions": {"Odd": {"Fn::Equals": [{"Ref": "Nothing"}, "x"]}}}
    with pytest.raises(KeyError, match="Nothing"):  # else Resolver.load_conditions may go
        resource_map(unknown).load_conditions()


def test_an_ssm_parameter_that_does_not_exist_is_an_attribute_error(moto: PlainMoto) -> None:
    with pytest.raises(AttributeError, match="'value'"):  # else Resolver.parse_ssm_parameter may go
        resource_map({}).parse_ssm_parameter("/none", "AWS::SSM::Parameter::Value<String>")


def test_a_bootstrap_role_bootstraps_nothing(moto: PlainMoto) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-deploy-role-{ACCOUNT}-us-east-1"
    moto.client("sts").assume_role(RoleArn=role, RoleSessionName="cdk")
    ssm = moto.client("ssm")
    with pytest.raises(ssm.exceptions.ParameterNotFound):  # else _bootstrap_on_demand may go
        ssm.get_parameter(Name="/cdk-bootstrap/hnb659fds/version")


def test_the_next_key_follows_from_earlier_answers() -> None:
    def next_key() -> str:
        mock_random.seed(7)  # as good as having seen enough of its numbers
        return generate_access_key_id_from_account_id(ACCOUNT, prefix="ASIA")

    assert next_key() == next_key(), "moto's keys cannot be predicted: _give_out_unguessable_keys may go"


def test_pages_of_every_site_may_read_answers() -> None:
    answer = Client(DomainDispatcherApplication(create_backend_app)).get(
        "/", headers={"Origin": "https://evil.example"}
    )
    allowed = answer.headers.get("Access-Control-Allow-Origin")
    assert allowed == "https://evil.example", "moto answers no other origin: _disable_cors may go"


# --- workmail_local/aws/cloudformation


def test_a_failed_creation_leaves_what_it_made(moto: PlainMoto) -> None:
    with suppress(ResponseParserError):
        moto.create({"Queue": QUEUE, "Broken": BROKEN})
    assert moto.stack()["StackStatus"] == "CREATE_IN_PROGRESS", "moto rolls back: see LocalStack.create"
    assert len(moto.client("sqs").list_queues()["QueueUrls"]) == 1, "moto rolls back: see LocalStack.create"


def test_a_failed_update_is_not_rolled_back(moto: PlainMoto) -> None:
    moto.create({"Queue": QUEUE})
    with suppress(ResponseParserError):
        moto.update({"Queue": QUEUE, "New": QUEUE, "Broken": BROKEN})
    assert moto.stack()["StackStatus"] == "CREATE_COMPLETE", "moto rolls back: see LocalStack.update"
    assert len(moto.client("sqs").list_queues()["QueueUrls"]) == 2, "moto rolls back: see LocalStack.update"


def test_a_failed_change_set_leaves_its_stack_in_review(moto: PlainMoto) -> None:
    with suppress(ResponseParserError):
        moto.change_set({"Queue": QUEUE, "Broken": BROKEN})
    status = moto.stack()["StackStatus"]
    assert status == "REVIEW_IN_PROGRESS", "moto rolls back: see LocalCloudFormation.execute_change_set"


def test_a_change_set_makes_no_outputs(moto: PlainMoto) -> None:
    stack = moto.change_set({"Queue": QUEUE}, Outputs={"Url": {"Value": {"Ref": "Queue"}}})
    assert "Outputs" not in stack, "change sets make outputs: see LocalCloudFormation.execute_change_set"


def test_a_change_set_names_no_properties(moto: PlainMoto) -> None:
    moto.create({"Queue": QUEUE})
    changed = json.dumps({"Resources": {"Queue": {**QUEUE, "Properties": {"VisibilityTimeout": 60}}}})
    cloudformation = moto.client("cloudformation")
    created = cloudformation.create_change_set(
        StackName="Stack", ChangeSetName="set", ChangeSetType="UPDATE", TemplateBody=changed
    )
    (change,) = cloudformation.describe_change_set(ChangeSetName=created["Id"])["Changes"]
    assert "Details" not in change["ResourceChange"], "moto names changed properties: LocalChangeSet may go"


def test_deleting_a_change_set_that_does_not_exist_crashes(moto: PlainMoto) -> None:
    with pytest.raises(UnboundLocalError):  # else LocalCloudFormation.delete_change_set may go
        moto.client("cloudformation").delete_change_set(ChangeSetName="none", StackName="Stack")


def test_a_change_set_is_found_in_any_stack(moto: PlainMoto) -> None:
    moto.change_set({"Queue": QUEUE})
    found = moto.client("cloudformation").describe_change_set(ChangeSetName="set", StackName="Other")
    assert found["StackName"] == "Stack"  # else _find_change_sets_of_their_stack may go


def test_rules_are_ignored(moto: PlainMoto) -> None:
    never = {"Never": {"Assertions": [{"Assert": {"Fn::Equals": ["a", "b"]}}]}}
    status = moto.create({"Queue": QUEUE}, Rules=never)["StackStatus"]
    assert status == "CREATE_COMPLETE", "moto evaluates Rules: template_rules.py may go"


@pytest.mark.filterwarnings("ignore:Tried to parse")
def test_a_resource_of_an_unknown_type_has_no_id(moto: PlainMoto) -> None:
    moto.create({"Rule": {"Type": "AWS::SES::ReceiptRule"}})
    (resource,) = moto.client("cloudformation").describe_stack_resources(StackName="Stack")["StackResources"]
    assert "PhysicalResourceId" not in resource, "moto keeps unknown types as data: RememberingProvider may go"


def test_generated_names_are_longer_than_services_take() -> None:
    name = parsing.generate_resource_name("AWS::Lambda::Function", "s" * 60, "l" * 40)
    assert len(name) > 64, "moto cuts generated names: Provider.longest_name may go"


# --- one own provider each


def lacks(resource_type: str) -> Callable[[PlainMoto], bool]:
    return lambda _: resource_type not in parsing.get_model_map()


def cannot(verb: str, resource_type: str) -> Callable[[PlainMoto], bool]:
    method = getattr(parsing.get_model_map()[resource_type], f"{verb}_from_cloudformation_json")
    return lambda _: getattr(method, "__isabstractmethod__", False)


def calls_a_nested_stack_by_its_name(_: PlainMoto) -> bool:
    class Nested(Stack):
        name = "name"

        def __init__(self) -> None:
            """Skip the rest."""

    return Nested.physical_resource_id.fget(Nested.__new__(Nested)) == "name"


def keeps_the_policies_of_an_updated_role(moto: PlainMoto) -> bool:
    def role(policy: str) -> dict[str, Any]:
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
        }
        policies = [{"PolicyName": policy, "PolicyDocument": document}]
        return {"Role": {**ROLE, "Properties": {**ROLE["Properties"], "RoleName": "role", "Policies": policies}}}

    moto.create(role("former"))
    moto.update(role("new"))
    return moto.client("iam").list_role_policies(RoleName="role")["PolicyNames"] == ["former"]


def drops_the_architecture_of_a_function(moto: PlainMoto) -> bool:
    moto.create({"Role": ROLE, "Function": function(Architectures=["arm64"])})
    return moto.client("lambda").list_functions()["Functions"][0]["Architectures"] == ["x86_64"]


def gives_an_object_for_a_layer(moto: PlainMoto) -> bool:
    s3 = moto.client("s3")
    s3.create_bucket(Bucket="assets")
    s3.put_object(Bucket="assets", Key="layer.zip", Body=b"x")
    content = {"Content": {"S3Bucket": "assets", "S3Key": "layer.zip"}}
    return ":layer:" not in moto.ref({"Layer": {"Type": "AWS::Lambda::LayerVersion", "Properties": content}}, "Layer")


def gives_a_name_for_a_version(moto: PlainMoto) -> bool:
    version = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}}
    return not moto.ref({"Role": ROLE, "Function": function(), "Version": version}, "Version").startswith("arn:")


def keeps_a_bucket_with_objects_silently(moto: PlainMoto) -> bool:
    moto.create({"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "full"}}})
    moto.client("s3").put_object(Bucket="full", Key="kept", Body=b"x")
    moto.client("cloudformation").delete_stack(StackName="Stack")
    stacks = moto.client("cloudformation").list_stacks()["StackSummaries"]
    return [stack["StackStatus"] for stack in stacks] == ["DELETE_COMPLETE"]


def loses_the_subscriptions_of_an_updated_topic(moto: PlainMoto) -> bool:
    def topic(name: str) -> dict[str, Any]:
        return {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "topic", "DisplayName": name}}}

    moto.create(topic("former"))
    sns = moto.client("sns")
    sns.subscribe(
        TopicArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:topic",
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:queue",
    )
    moto.update(topic("new"))
    return sns.list_subscriptions()["Subscriptions"] == []


def needs_the_name_of_a_fifo_queue(moto: PlainMoto) -> bool:
    with pytest.raises(ClientError, match=r"must end in \.fifo"):
        moto.create({"Queue": {**QUEUE, "Properties": {"FifoQueue": True}}})
    return True


def needs_the_name_of_a_parameter(moto: PlainMoto) -> bool:
    with pytest.raises(AttributeError):
        moto.create({"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}})
    return True


STILL: dict[str, Callable[[PlainMoto], bool]] = {
    "AWS::CloudFormation::Stack": calls_a_nested_stack_by_its_name,
    "AWS::IAM::ManagedPolicy": cannot("update", "AWS::IAM::ManagedPolicy"),
    "AWS::IAM::Role": keeps_the_policies_of_an_updated_role,
    "AWS::IAM::RolePolicy": lacks("AWS::IAM::RolePolicy"),
    "AWS::Lambda::Alias": lacks("AWS::Lambda::Alias"),
    "AWS::Lambda::EventInvokeConfig": lacks("AWS::Lambda::EventInvokeConfig"),
    "AWS::Lambda::Function": drops_the_architecture_of_a_function,
    "AWS::Lambda::LayerVersion": gives_an_object_for_a_layer,
    "AWS::Lambda::Permission": cannot("delete", "AWS::Lambda::Permission"),
    "AWS::Lambda::Version": gives_a_name_for_a_version,
    "AWS::Logs::MetricFilter": lacks("AWS::Logs::MetricFilter"),
    "AWS::S3::Bucket": keeps_a_bucket_with_objects_silently,
    "AWS::S3::BucketPolicy": lacks("AWS::S3::BucketPolicy"),
    "AWS::SNS::Subscription": lacks("AWS::SNS::Subscription"),
    "AWS::SNS::Topic": loses_the_subscriptions_of_an_updated_topic,
    "AWS::SQS::Queue": needs_the_name_of_a_fifo_queue,
    "AWS::SQS::QueuePolicy": lacks("AWS::SQS::QueuePolicy"),
    "AWS::SSM::Parameter": needs_the_name_of_a_parameter,
    "AWS::SecretsManager::Secret": lacks("AWS::SecretsManager::Secret"),
    "AWS::CDK::Metadata": lacks("AWS::CDK::Metadata"),
    "AWS::CloudFormation::WaitConditionHandle": lacks("AWS::CloudFormation::WaitConditionHandle"),
    "Custom::S3AutoDeleteObjects": lacks("Custom::S3AutoDeleteObjects"),
    "Custom::WorkMailEmailEventLogging": lacks("Custom::WorkMailEmailEventLogging"),
    "Custom::WorkMailOrganization": lacks("Custom::WorkMailOrganization"),
}
"""What moto still does wrong, by the resource type that has a provider of ours for it."""


@pytest.mark.parametrize("resource_type", STILL)
def test_moto_still_needs_our_provider(moto: PlainMoto, resource_type: str) -> None:
    provider = type(OWN_PROVIDERS[resource_type]).__name__
    assert STILL[resource_type](moto), f"{resource_type}: moto does it now, see what of {provider} may go"


def test_every_own_provider_has_a_canary() -> None:
    assert STILL.keys() == OWN_PROVIDERS.keys()


def test_two_conditional_writes_of_an_item_do_not_wait_for_each_other(
    moto: PlainMoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    moto.client("dynamodb").create_table(
        TableName="Table",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    inside = threading.Barrier(2, timeout=10)
    plain = dynamodb_models.get_expected

    def wait_for_the_other(expected: Any) -> Any:
        inside.wait()  # broken if only one write is here at a time: then _write_items_one_at_a_time may go
        return plain(expected)

    monkeypatch.setattr(dynamodb_models, "get_expected", wait_for_the_other)

    def count(_: int) -> None:
        update = {"UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}
        moto.client("dynamodb").update_item(TableName="Table", Key={"id": {"S": "1"}}, **update)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(count, range(2)))


# --- the middlewares of workmail_local/aws/endpoint.py


def test_an_operation_that_moto_lacks_is_an_unhandled_error() -> None:
    target = {"X-Amz-Target": "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"}
    headers = {**target, **AccessKeys.random().authorization("cloudtrail", region="us-east-1")}
    server = Client(DomainDispatcherApplication(create_backend_app))
    with pytest.raises(NotImplementedError):  # else _UnknownOperations may go
        server.post("/", headers=headers, content_type="application/x-amz-json-1.1", data="{}")


def test_workmail_is_no_service_of_moto() -> None:
    assert "workmail" not in list_of_moto_modules()  # else LocalOrganizations may go


def test_conditions_of_a_policy_are_ignored() -> None:
    statement = {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "true"}},
    }
    policy = IAMPolicy({"policy_document": json.dumps({"Version": "2012-10-17", "Statement": statement})})
    permitted = policy.is_action_permitted("s3:GetObject")
    assert permitted is PermissionResult.PERMITTED, "moto evaluates conditions: FunctionAccess may use moto's check"
