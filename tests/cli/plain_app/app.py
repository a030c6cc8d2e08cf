"""What an app without our constructs deploys: a function from an asset, an alias, a queue, a bucket, an alarm."""

from pathlib import Path

from aws_cdk import App, CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class PlainStack(Stack):
    def __init__(self, scope: Construct, id: str) -> None:  # noqa: A002 - CDK's word
        super().__init__(scope, id)
        failed = sqs.Queue(self, "Failed", enforce_ssl=True)
        bucket = s3.Bucket(
            self,
            "Messages",
            enforce_ssl=True,
            versioned=True,
            auto_delete_objects=True,
            removal_policy=RemovalPolicy.DESTROY,
        )
        function = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="app.handler",
            code=lambda_.Code.from_asset(str(Path(__file__).parent / "handler")),
            environment={"GREETING": "hello", "BUCKET": bucket.bucket_name},
            on_failure=destinations.SqsDestination(failed),
            retry_attempts=1,
            timeout=Duration.seconds(10),
        )
        bucket.grant_put(function)
        alias = function.add_alias("live")
        cloudwatch.Alarm(
            self, "Errors", metric=function.metric_errors(), threshold=1, evaluation_periods=1, alarm_name="errors"
        )
        CfnOutput(self, "AliasArn", value=alias.function_arn, export_name="alias-arn")


app = App()
PlainStack(app, "Plain")
app.synth()
