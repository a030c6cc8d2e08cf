"""The right of a step to read a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk.aws_iam import PolicyStatement

if TYPE_CHECKING:
    from workmail_constructs.interfaces import AnySecret
    from workmail_constructs.stack_record import StackRecord


def secret_right(secret: AnySecret, record: StackRecord) -> list[PolicyStatement]:
    """Return the statements that let a role of the stack read a secret, and no more.

    Args:
        secret: In the stack's account and Region.
        record: Of the stack.
    """
    # Secrets Manager ends the name in an ARN with six characters, which an ARN by name leaves out.
    arn = secret.secret_full_arn or f"{secret.secret_arn}-??????"
    statements = [PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[arn])]
    key = secret.encryption_key
    if key is not None:
        conditions = {
            "StringEquals": {"kms:ViaService": f"secretsmanager.{record.region}.amazonaws.com"},
            "StringLike": {"kms:EncryptionContext:SecretARN": arn},
        }
        statements.append(PolicyStatement(actions=["kms:Decrypt"], resources=[key.key_arn], conditions=conditions))
    return statements
