"""The forms in which a test has a template, and its JSON."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeAlias

from aws_cdk import Stack
from aws_cdk.assertions import Template

AnyTemplate: TypeAlias = Stack | Template | Mapping[str, Any]


def template_json(template: AnyTemplate) -> dict[str, Any]:
    """Return a template as CloudFormation gets it; a copy, free to change. A stack is synthesized with its app.

    Raises:
        TypeError: `template` is something else.
    """
    if isinstance(template, Stack):
        template = Template.from_stack(template)
    if isinstance(template, Template):
        return dict(template.to_json())
    if isinstance(template, Mapping):
        return copy.deepcopy(dict(template))
    raise TypeError(
        f"template: found a {type(template).__name__}; allowed are a Stack, an aws_cdk.assertions.Template, and the "
        "dict of a template"
    )
