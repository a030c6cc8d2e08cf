"""Snapshots of templates with syrupy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workmail_constructs.testing.comparable_templates import comparable_template

try:
    from syrupy.extensions.json import JSONSnapshotExtension
except ImportError as error:
    raise ImportError(
        "template snapshots need syrupy, which is not installed: pip install 'workmail-constructs[testing]'"
    ) from error

if TYPE_CHECKING:
    from syrupy.types import PropertyFilter, PropertyMatcher, SerializableData, SerializedData


class TemplateSnapshotExtension(JSONSnapshotExtension):
    """Keeps `comparable_template` of what it is compared with, in a JSON file per snapshot, for a person to review."""

    def serialize(
        self,
        data: SerializableData,
        *,
        exclude: PropertyFilter | None = None,
        include: PropertyFilter | None = None,
        matcher: PropertyMatcher | None = None,
    ) -> SerializedData:
        """Return the JSON of a stack, of an `aws_cdk.assertions.Template`, or of a template's dict."""
        return super().serialize(comparable_template(data), exclude=exclude, include=include, matcher=matcher)
