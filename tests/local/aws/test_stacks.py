"""Each of our departures from stock moto 5.2, by what a stack shows from outside."""

from __future__ import annotations

import json

import pytest
import urllib3
from botocore.exceptions import ClientError

from tests.local.aws.conftest import ROLE, LocalAws, function

pytestmark = pytest.mark.xdist_group("aws")

QUEUE = {"Type": "AWS::SQS::Queue"}
BROKEN = {
    "Type": "AWS::Lambda::Alias",
    "Properties": {"FunctionName": "none", "FunctionVersion": "1", "Name": "x"},
}


def test_a_type_moto_does_not_know_is_kept_as_data_with_ref_and_getatt(aws: LocalAws) -> None:
    table = {"Type": "AWS::DynamoDB::GlobalTable", "Properties": {"BillingMode": "PAY_PER_REQUEST"}}
    environment = {"NAME": {"Ref": "Table"}, "ARN": {"Fn::GetAtt": ["Table", "Arn"]}}
    aws.create("DataOnly", {"Role": ROLE, "Table": table, "Function": function(Environment={"Variables": environment})})
    deployed = aws.deployment("DataOnly")
    assert deployed.data_only == ("Table (AWS::DynamoDB::GlobalTable)",)
    (only,) = deployed.functions.values()
    assert only.environment["NAME"] == aws.resources("DataOnly")["Table"]
    assert only.environment["ARN"] == f"arn:aws:dynamodb:us-east-1:123456789012:{only.environment['NAME']}"


def test_a_made_up_attribute_is_named_too(aws: LocalAws) -> None:
    aws.create("MadeUp", {"Queue": QUEUE}, Outputs={"Odd": {"Value": {"Fn::GetAtt": ["Queue", "NoSuchAttribute"]}}})
    assert aws.deployment("MadeUp").data_only == ("Queue.NoSuchAttribute (attribute of AWS::SQS::Queue)",)


def test_rules_stop_a_stack_before_any_resource_is_made(aws: LocalAws) -> None:
    rules = {
        "WorkMailRegion": {
            "Assertions": [
                {
                    "Assert": {"Fn::Contains": [["us-west-2", "eu-west-1"], {"Ref": "AWS::Region"}]},
                    "AssertDescription": "WorkMail is in us-west-2 and eu-west-1 only",
                }
            ]
        }
    }
    with pytest.raises(ClientError, match="Rule WorkMailRegion failed: WorkMail is in us-west-2 and eu-west-1 only"):
        aws.create("Ruled", {"Queue": QUEUE}, Rules=rules)
    with pytest.raises(ClientError, match="does not exist"):
        aws.stack("Ruled")
    template = json.dumps({"Resources": {"Queue": QUEUE}, "Rules": rules})
    with pytest.raises(ClientError, match="Rule WorkMailRegion failed"):
        aws.client("cloudformation").create_change_set(
            StackName="Ruled", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=template
        )
    oregon = aws.client("cloudformation", region="us-west-2")
    oregon.create_stack(StackName="Ruled", TemplateBody=template)
    assert oregon.describe_stacks(StackName="Ruled")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"


def test_a_failed_creation_leaves_nothing_and_says_why(aws: LocalAws) -> None:
    stack = aws.create("FailsAtOnce", {"Queue": QUEUE, "Broken": BROKEN | {"DependsOn": "Queue"}})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Function not found" in stack["StackStatusReason"]
    assert aws.resources("FailsAtOnce") == {}
    events = aws.events("FailsAtOnce")
    assert ("Queue", "DELETE_COMPLETE", None) in events
    assert any(event[:2] == ("Broken", "CREATE_FAILED") and "Function not found" in str(event[2]) for event in events)
    queues = aws.client("sqs").list_queues(QueueNamePrefix="FailsAtOnce").get("QueueUrls", [])
    assert queues == []


def test_a_failed_update_leaves_the_stack_as_it_was(aws: LocalAws) -> None:
    before = {
        "Role": ROLE,
        "Function": function(Environment={"Variables": {"N": "1"}}),
        "Layer": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "named-1"}},
    }
    aws.create("FailsLater", before)
    resources, deployed = aws.resources("FailsLater"), aws.deployment("FailsLater")
    stack = aws.update(
        "FailsLater",
        {
            "Role": ROLE,
            "Function": function(Environment={"Variables": {"N": "2"}}),
            "Layer": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "named-2"}},
            "New": QUEUE,
            "Broken": BROKEN | {"DependsOn": ["New", "Function", "Layer"]},
        },
    )
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "Function not found" in stack["StackStatusReason"]
    assert aws.resources("FailsLater") == resources
    assert aws.deployment("FailsLater").functions == deployed.functions
    queues = aws.client("sqs").list_queues(QueueNamePrefix="named-")["QueueUrls"]
    assert [url.rpartition("/")[2] for url in queues] == ["named-1"]
    assert aws.update("FailsLater", {**before, "New": QUEUE})["StackStatus"] == "UPDATE_COMPLETE"


def test_an_update_keeps_names_and_reaches_whatever_refers_to_a_replaced_resource(aws: LocalAws) -> None:
    def resources(queue: str, greeting: str) -> dict[str, object]:
        variables = {"QUEUE": {"Ref": "Queue"}, "GREETING": greeting}
        return {
            "Role": ROLE,
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": queue}},
            "Function": function(Environment={"Variables": variables}, MemorySize=256),
        }

    aws.create("Refers", resources("refers-1", "hello"))
    before = aws.resources("Refers")
    aws.update("Refers", resources("refers-2", "hello"))
    after = aws.resources("Refers")
    assert after["Function"] == before["Function"]
    (only,) = aws.deployment("Refers").functions.values()
    assert only.environment == {"QUEUE": after["Queue"], "GREETING": "hello"}
    assert only.environment["QUEUE"].endswith("/refers-2")
    queues = aws.client("sqs").list_queues(QueueNamePrefix="refers-")["QueueUrls"]
    assert [url.rpartition("/")[2] for url in queues] == ["refers-2"]


def test_services_a_rules_function_uses_can_be_updated(aws: LocalAws) -> None:
    def resources(size: int) -> dict[str, object]:
        definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True, "Result": size}}}
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        role = {**ROLE["Properties"], "Policies": [{"PolicyName": f"P{size}", "PolicyDocument": document}]}
        return {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {**role, "Description": str(size)}},
            "Managed": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"PolicyDocument": document, "Description": str(size), "Roles": [{"Ref": "Role"}]},
            },
            "Inline": {
                "Type": "AWS::IAM::Policy",
                "Properties": {"PolicyName": "Inline", "PolicyDocument": document, "Roles": [{"Ref": "Role"}]},
            },
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                    "DefinitionString": json.dumps(definition),
                },
            },
            "Schedule": {
                "Type": "AWS::Events::Rule",
                "Properties": {"ScheduleExpression": f"rate({size} hours)", "State": "ENABLED"},
            },
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                    "BillingMode": "PAY_PER_REQUEST",
                    "Tags": [{"Key": "size", "Value": str(size)}],
                },
            },
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": str(size)}},
            "Stream": {
                "Type": "AWS::Kinesis::Stream",
                "Properties": {"ShardCount": 1, "RetentionPeriodHours": 24 * size},
            },
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": size}},
            "Key": {"Type": "AWS::KMS::Key", "Properties": {"Description": str(size), "KeyPolicy": document}},
            "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": str(size)}},
            "Generated": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {"GenerateSecretString": {"PasswordLength": 20}, "Description": str(size)},
            },
            "Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": str(size)}},
            "Bucket": {
                "Type": "AWS::S3::Bucket",
                "Properties": {"Tags": [{"Key": "size", "Value": str(size)}]},
            },
            "Subscription": {
                "Type": "AWS::SNS::Subscription",
                "Properties": {
                    "TopicArn": {"Ref": "Topic"},
                    "Protocol": "sqs",
                    "Endpoint": "arn:aws:sqs:us-east-1:123456789012:q",
                },
            },
        }

    stack = aws.create("Services", resources(3))
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack["StackStatusReason"]
    before = aws.resources("Services")
    dynamodb = aws.client("dynamodb")
    dynamodb.put_item(TableName=before["Table"], Item={"id": {"S": "kept"}})
    generated = aws.client("secretsmanager").get_secret_value(SecretId=before["Generated"])["SecretString"]
    assert len(generated) == 20
    stack = aws.update("Services", resources(5))
    assert stack["StackStatus"] == "UPDATE_COMPLETE", stack["StackStatusReason"]
    after = aws.resources("Services")
    assert {name for name in after if after[name] != before[name]} <= {"Subscription"}
    assert dynamodb.scan(TableName=before["Table"])["Count"] == 1
    stream = aws.client("kinesis").describe_stream(StreamName=before["Stream"])["StreamDescription"]
    assert stream["RetentionPeriodHours"] == 24 * 5
    secrets = aws.client("secretsmanager")
    assert secrets.get_secret_value(SecretId=before["Secret"])["SecretString"] == "5"
    assert secrets.get_secret_value(SecretId=before["Generated"])["SecretString"] == generated
    assert aws.client("ssm").get_parameter(Name=before["Parameter"])["Parameter"]["Value"] == "5"
    described = aws.client("stepfunctions").describe_state_machine(stateMachineArn=before["Machine"])
    assert json.loads(described["definition"])["States"]["A"]["Result"] == 5
    inline = aws.client("iam").list_role_policies(RoleName=before["Role"])["PolicyNames"]
    assert "Inline" in inline
    assert aws.deployment("Services").data_only == ()
    aws.delete("Services")
    with pytest.raises(ClientError, match="does not exist"):
        aws.stack("Services")


def test_an_update_that_changes_nothing_is_refused_as_aws_refuses_it(aws: LocalAws) -> None:
    aws.create("Same", {"Queue": QUEUE})
    with pytest.raises(ClientError, match="No updates are to be performed"):
        aws.update("Same", {"Queue": QUEUE})
    change_set = aws.client("cloudformation").create_change_set(
        StackName="Same",
        ChangeSetName="same",
        TemplateBody=json.dumps({"Resources": {"Queue": QUEUE}}),
        ChangeSetType="UPDATE",
    )
    found = aws.client("cloudformation").describe_change_set(ChangeSetName=change_set["Id"], StackName="Same")
    assert (found["Status"], "didn't contain changes" in found["StatusReason"]) == ("FAILED", True)


def test_change_sets_create_and_update_with_outputs_and_exports(aws: LocalAws) -> None:
    cloudformation = aws.client("cloudformation")

    def execute(kind: str, properties: dict[str, object]) -> dict[str, object]:
        template = {
            "Parameters": {
                "Version": {
                    "Type": "AWS::SSM::Parameter::Value<String>",
                    "Default": "/cdk-bootstrap/hnb659fds/version",
                }
            },
            "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": properties}},
            "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}, "Export": {"Name": "changed-arn"}}},
        }
        # The CDK CLI deletes a former change set first, there or not, and asks for the previous value.
        cloudformation.delete_change_set(StackName="Changed", ChangeSetName="cdk-deploy-change-set")
        created = cloudformation.create_change_set(
            StackName="Changed",
            ChangeSetName="cdk-deploy-change-set",
            ChangeSetType=kind,
            TemplateBody=json.dumps(template),
            Parameters=[] if kind == "CREATE" else [{"ParameterKey": "Version", "UsePreviousValue": True}],
        )
        described = cloudformation.describe_change_set(ChangeSetName=created["Id"], StackName="Changed")
        cloudformation.execute_change_set(ChangeSetName=created["Id"], StackName="Changed")
        return described

    described = execute("CREATE", {})
    assert described["Changes"][0]["ResourceChange"]["Action"] == "Add"
    stack = aws.stack("Changed")
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert [(output["OutputKey"], output["ExportName"]) for output in stack["Outputs"]] == [("Arn", "changed-arn")]
    assert "changed-arn" in {export["Name"] for export in cloudformation.list_exports()["Exports"]}
    changed = execute("UPDATE", {"VisibilityTimeout": 60})["Changes"][0]["ResourceChange"]
    assert changed["Action"] == "Modify"
    assert [detail["Target"]["Name"] for detail in changed["Details"]] == ["VisibilityTimeout"]
    assert aws.stack("Changed")["StackStatus"] == "UPDATE_COMPLETE"
    url = aws.resources("Changed")["Queue"]
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert attributes["Attributes"] == {"VisibilityTimeout": "60"}


def test_a_failed_change_set_is_no_success(aws: LocalAws) -> None:
    cloudformation = aws.client("cloudformation")
    template = json.dumps({"Resources": {"Queue": QUEUE, "Broken": BROKEN}})
    created = cloudformation.create_change_set(
        StackName="FailedSet", ChangeSetName="set", ChangeSetType="CREATE", TemplateBody=template
    )
    cloudformation.execute_change_set(ChangeSetName=created["Id"])
    assert aws.stack("FailedSet")["StackStatus"] == "ROLLBACK_COMPLETE"
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_change_set(ChangeSetName="no-such-set", StackName="FailedSet")


def test_change_sets_of_one_name_belong_to_their_stacks(aws: LocalAws) -> None:
    cloudformation = aws.client("cloudformation")
    for stack in ("FirstOfTwo", "SecondOfTwo"):
        cloudformation.create_change_set(
            StackName=stack,
            ChangeSetName="cdk-deploy-change-set",
            ChangeSetType="CREATE",
            TemplateBody=json.dumps({"Resources": {"Queue": QUEUE}}),
        )
    first = cloudformation.describe_change_set(StackName="FirstOfTwo", ChangeSetName="cdk-deploy-change-set")
    assert first["StackName"] == "FirstOfTwo"
    cloudformation.execute_change_set(StackName="FirstOfTwo", ChangeSetName="cdk-deploy-change-set")
    cloudformation.delete_change_set(StackName="FirstOfTwo", ChangeSetName="cdk-deploy-change-set")
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_change_set(StackName="FirstOfTwo", ChangeSetName="cdk-deploy-change-set")
    second = cloudformation.describe_change_set(StackName="SecondOfTwo", ChangeSetName="cdk-deploy-change-set")
    assert (second["StackName"], second["ExecutionStatus"]) == ("SecondOfTwo", "AVAILABLE")
    listed = {stack["StackName"]: stack["StackStatus"] for stack in cloudformation.list_stacks()["StackSummaries"]}
    assert listed.items() >= {"FirstOfTwo": "CREATE_COMPLETE", "SecondOfTwo": "REVIEW_IN_PROGRESS"}.items()


def test_an_export_in_use_cannot_go(aws: LocalAws) -> None:
    exports = {"Outputs": {"Url": {"Value": {"Ref": "Queue"}, "Export": {"Name": "exported-url"}}}}
    parameter = {
        "Type": "AWS::SSM::Parameter",
        "Properties": {"Type": "String", "Value": {"Fn::ImportValue": "exported-url"}},
    }
    aws.create("Exports", {"Queue": QUEUE}, **exports)
    aws.create("Imports", {"Parameter": parameter})
    name = aws.resources("Imports")["Parameter"]
    value = aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    assert value == aws.resources("Exports")["Queue"]
    with pytest.raises(ClientError, match="Export exported-url cannot be deleted as it is in use by Imports"):
        aws.delete("Exports")
    assert "in use by Imports" in aws.update("Exports", {"Queue": QUEUE})["StackStatusReason"]
    aws.delete("Imports")
    aws.delete("Exports")
    with pytest.raises(ClientError, match="does not exist"):
        aws.stack("Exports")


def test_conditions_and_no_value(aws: LocalAws) -> None:
    aws.create(
        "Conditional",
        {
            "Made": {
                "Type": "AWS::SQS::Queue",
                "Properties": {"Tags": [{"Fn::If": ["Never", {"Key": "a", "Value": "b"}, {"Ref": "AWS::NoValue"}]}]},
            },
            "Left": QUEUE | {"Condition": "Never"},
        },
        Conditions={"Never": {"Fn::Equals": [{"Ref": "AWS::Region"}, "mars-1"]}},
        Outputs={"Gone": {"Condition": "Never", "Value": {"Ref": "Left"}}},
    )
    assert set(aws.resources("Conditional")) == {"Made"}
    assert "Outputs" not in aws.stack("Conditional")


@pytest.mark.parametrize(
    ("resources", "reason"),
    [
        (
            {"A": QUEUE | {"DependsOn": "B"}, "B": QUEUE | {"DependsOn": "A"}},
            "Circular dependency between resources: [A, B]",
        ),
        (
            {"A": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Nothing"}}}},
            "Unresolved resource dependencies [Nothing] in the template",
        ),
        (
            {"A": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::GetAtt": ["Nothing", "Arn"]}}}},
            "instance of Fn::GetAtt references undefined resource Nothing",
        ),
    ],
)
def test_a_template_that_cannot_be_deployed_says_why(aws: LocalAws, resources: dict[str, object], reason: str) -> None:
    stack = aws.create("Impossible", resources)
    aws.delete("Impossible")
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in stack["StackStatusReason"]


def test_a_bucket_with_objects_stays_and_so_does_its_stack(aws: LocalAws) -> None:
    aws.create("Full", {"Bucket": {"Type": "AWS::S3::Bucket"}})
    bucket = aws.resources("Full")["Bucket"]
    aws.client("s3").put_object(Bucket=bucket, Key="kept", Body=b"x")
    aws.delete("Full")
    stack = aws.stack("Full")
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert "not empty" in stack["StackStatusReason"]
    with pytest.raises(ClientError, match="is in DELETE_FAILED state and can not be updated"):
        aws.update("Full", {"Bucket": {"Type": "AWS::S3::Bucket"}})
    aws.client("s3").delete_object(Bucket=bucket, Key="kept")
    aws.delete("Full")
    with pytest.raises(ClientError, match="does not exist"):
        aws.stack("Full")


def test_objects_are_deleted_by_cdks_custom_resource_and_versions_are_kept(aws: LocalAws) -> None:
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"VersioningConfiguration": {"Status": "Enabled"}}}
    emptied = {
        "Type": "Custom::S3AutoDeleteObjects",
        "Properties": {"ServiceToken": "unused", "BucketName": {"Ref": "Bucket"}},
    }
    aws.create("Emptied", {"Bucket": bucket, "Emptied": emptied})
    name = aws.resources("Emptied")["Bucket"]
    assert aws.client("s3").put_object(Bucket=name, Key="k", Body=b"1")["VersionId"]
    aws.delete("Emptied")
    with pytest.raises(ClientError, match="does not exist"):
        aws.stack("Emptied")


def test_retained_resources_outlive_their_stack(aws: LocalAws) -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "retained"}, "DeletionPolicy": "Retain"}
    aws.create("Retains", {"Queue": queue})
    aws.delete("Retains")
    assert aws.client("sqs").get_queue_url(QueueName="retained")["QueueUrl"]


def test_a_resource_is_deleted_before_what_an_update_made_it_depend_on(aws: LocalAws) -> None:
    queue = {"Type": "AWS::SQS::Queue"}
    stack_id = aws.create("Depends", {"Old": queue})["StackId"]
    aws.update("Depends", {"Old": {**queue, "DependsOn": "New"}, "New": queue})
    aws.delete("Depends")

    events = aws.events(stack_id)
    deleted = [name for name, status, _ in events if status == "DELETE_COMPLETE" and name in ("Old", "New")]
    assert deleted == ["Old", "New"]


def test_a_stack_in_an_account_of_its_own(aws: LocalAws) -> None:
    role = "arn:aws:iam::999999999999:role/cdk-hnb659fds-deploy-role-999999999999-eu-west-1"
    credentials = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="cdk")["Credentials"]
    key = credentials["AccessKeyId"]
    assert aws.client("sts", access_key=key).get_caller_identity()["Account"] == "999999999999"
    parameter = aws.client("ssm", region="eu-west-1", access_key=key).get_parameter(
        Name="/cdk-bootstrap/hnb659fds/version"
    )
    assert int(parameter["Parameter"]["Value"]) >= 6
    template = json.dumps({"Resources": {"Role": ROLE, "Function": function()}})
    aws.client("cloudformation", region="eu-west-1", access_key=key).create_stack(
        StackName="Elsewhere", TemplateBody=template
    )
    deployed = aws.deployment("Elsewhere")
    assert (deployed.account, deployed.region) == ("999999999999", "eu-west-1")
    # The function's own calls act in its account too.
    (arn,) = deployed.functions
    assert aws.client("sts", access_key=aws.keys.of_function(arn)).get_caller_identity()["Account"] == "999999999999"


def test_an_unsigned_request_acts_in_the_account_that_it_names(aws: LocalAws) -> None:
    headers = aws.keys.authorization("sqs", region="us-east-1", account="999999999999")
    form = {"Action": "CreateQueue", "QueueName": "unsigned", "Version": "2012-11-05"}
    with urllib3.PoolManager() as http:
        made = http.request_encode_body("POST", aws.url, form, headers, encode_multipart=False)
    assert (made.status, b"/999999999999/unsigned<" in made.data) == (200, True)


def test_cdk_bootstrap_may_run_too(aws: LocalAws) -> None:
    name = "/cdk-bootstrap/hnb659fds/version"
    bucket = "cdk-hnb659fds-assets-123456789012-us-east-1"
    stack = aws.create(
        "CDKToolkit",
        {
            "StagingBucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket}},
            "Version": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Type": "String", "Name": name, "Value": "99"},
            },
        },
    )
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack["StackStatusReason"]
    assert aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] == "99"


def test_what_moto_cannot_do_is_refused_at_once(aws: LocalAws) -> None:
    with pytest.raises(ClientError, match=r"UnknownOperation.*The local AWS \(moto\) cannot do this"):
        aws.client("cloudtrail").lookup_events()
