"""A template without what changes although its resources do not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from workmail_constructs.testing.template_json import template_json
from workmail_flow.lookup_resource import LOOKUP_TYPE

if TYPE_CHECKING:
    from workmail_constructs.testing.template_json import AnyTemplate

_HASH: Final = "[0-9a-f]{64}"
# What CDK writes hashes into, each with what stands for it. A user's own hash, which stands alone, is kept.
_VOLATILE: Final = (
    # A file asset: the S3Key of code, a nested stack's TemplateURL, a deployment's source.
    (re.compile(rf"(?<![0-9A-Za-z]){_HASH}(?=\.[a-z0-9]+$)"), "ASSET"),
    # An image asset.
    (re.compile(rf"(?<=container-assets-)(.*:){_HASH}$"), r"\1ASSET"),
    # References to the parameters of an asset, in stacks of the legacy synthesizer.
    (re.compile(rf"AssetParameters{_HASH}(S3Bucket|S3VersionKey|ArtifactHash)[0-9A-F]{{8}}"), r"AssetParameters\1"),
    # The current version of a function, and the name of its export, which ends with a hash of its own.
    (re.compile(r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}(?:([A-Za-z]*?)[0-9A-F]{8}(?![0-9A-Za-z]))?"), r"\1\2"),
)
_ASSET_PARAMETER: Final = re.compile(rf"AssetParameters{_HASH}.+")
_FROM_CDK: Final = {
    "Conditions": ("CDKMetadataAvailable",),
    "Parameters": ("BootstrapVersion",),
    "Resources": ("CDKMetadata",),
    "Rules": ("CheckBootstrapVersion",),
}
_METADATA_FROM_CDK: Final = ("aws:asset:", "aws:cdk:")


def comparable_template(template: AnyTemplate) -> dict[str, Any]:
    """Return a template for a snapshot, which changes only when its resources do.

    Hashes of assets become `ASSET`, so neither the code of a function nor a new release of this package changes it; nor
    does the code of the function that finds organizations, which is in the template itself. The logical id of a
    function's current version loses its hash, also where another stack imports it. Left out are what CDK adds to each
    stack (its metadata, the parameter and the rule for the bootstrap version, the parameters of assets) and the
    metadata of resources that begins with `aws:asset:` or `aws:cdk:`.

    Args:
        template: A stack, its `aws_cdk.assertions.Template`, or a template's dict, which is not changed.

    Raises:
        TypeError: `template` is something else.
    """
    made = template_json(template)
    for section, names in _FROM_CDK.items():
        for name in names:
            made.get(section, {}).pop(name, None)
    for name in [name for name in made.get("Parameters", {}) if _ASSET_PARAMETER.fullmatch(name)]:
        del made["Parameters"][name]
    resources = made.get("Resources", {})
    for resource in resources.values():
        if resource["Type"] == LOOKUP_TYPE:
            provider = resources.get(resource["Properties"]["ServiceToken"]["Fn::GetAtt"][0])
            provider["Properties"]["Code"]["ZipFile"] = "ASSET"
        metadata = resource.get("Metadata", {})
        for name in [name for name in metadata if name.startswith(_METADATA_FROM_CDK)]:
            del metadata[name]
        if not metadata:
            resource.pop("Metadata", None)
    steady: dict[str, Any] = _steady({section: content for section, content in made.items() if content != {}})
    return steady


def _steady(node: Any) -> Any:
    match node:
        case dict():
            return {_steady(name): _steady(value) for name, value in node.items()}
        case list():
            return [_steady(item) for item in node]
        case str():
            for volatile, stand_in in _VOLATILE:
                node = volatile.sub(stand_in, node)
    return node
