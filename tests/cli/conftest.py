"""The commands' tests share the loopback AWS of the local WorkMail's."""

from tests.local.aws.conftest import aws

__all__ = ["aws"]
