"""References between stacks that CDK cannot write or no deployment could follow, found before anything is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_cdk import IResolvable, Reference, Tokenization

from workmail_constructs.stack_record import StackRecord, is_known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from constructs import IConstruct

    from workmail_constructs.interfaces import AnyFunction
    from workmail_constructs.message_bucket import MessageBucketOptions
    from workmail_constructs.organization import WorkMailOrganization
    from workmail_constructs.rule_function import FunctionOptions


# What may be brought from another stack, and the attribute that refers to it.
_REFERENCES: Final = {
    "function": "function_arn",
    "message_bucket": "bucket_name",
    "message_key": "key_arn",
    "role": "role_arn",
    "environment_encryption": "key_arn",
    "layers": "layer_version_arn",
    "log_encryption_key": "key_arn",
    "security_groups": "security_group_id",
    "vpc": "vpc_id",
}


def reference_problems(
    here: StackRecord,
    of_function: StackRecord,
    *,
    organization: WorkMailOrganization,
    bucket_options: MessageBucketOptions,
    function: AnyFunction | None,
    options: FunctionOptions,
) -> Iterator[str]:
    """Yield why a rule in one stack cannot have what other stacks make: function, bucket, key, role, network.

    Stages cannot refer to each other, nor stacks of two environments. The rule's stack refers to the function. So
    nothing that the function refers to (bucket, key, organization) may need the rule's stack.

    Args:
        here: The record of the rule's stack.
        of_function: The record of the function's stack.
        organization: The rule's organization.
        bucket_options: How the rule asks for its bucket.
        function: The existing function, version or alias.
        options: How the rule makes its function.
    """
    brought = {
        "function": function,
        "message_bucket": bucket_options.bucket,
        "message_key": bucket_options.key,
        **options,
    }
    unreachable = list(_unreachable(here, brought))
    knowing = _stack_of_token(organization.organization_id)
    if knowing is not None and knowing.stage is not here.stage:
        unreachable.append(
            f"organization: found an id that only stack {_path(knowing)} knows, in another stage than the rule's stack "
            f"{_path(here)}; stages cannot refer to each other: make an organization in each stage"
        )
    if unreachable:
        yield from unreachable
        return
    referring = [("function", of_function)]
    for argument, construct in (("message_bucket", bucket_options.bucket), ("message_key", bucket_options.key)):
        if construct is None or is_known(getattr(construct, _REFERENCES[argument])):
            continue
        needed = StackRecord.of(construct)
        referring.append((argument, needed))
        if _is_circle(needed, referring=of_function, users=(here,)):
            yield (
                f"{argument}: found {construct.node.path} in stack {_path(needed)}, which would need the function's "
                f"stack {_path(of_function)} and be needed by it; make it in {_path(of_function)}, or in a stack that "
                "refers to neither"
            )
    for argument, stack in referring if knowing else ():
        if knowing and _is_circle(knowing, referring=stack, users=(here, of_function)):
            yield (
                f"organization: found an id that only stack {_path(knowing)} knows, and a {argument} in stack "
                f"{_path(stack)}, which would need that stack and be needed by it; make the organization in "
                f"{_path(stack)}, or give its id as text"
            )


def _unreachable(here: StackRecord, brought: Mapping[str, Any]) -> Iterator[str]:
    """Yield what CDK cannot refer to from the rule's stack: what another stage or environment makes."""
    for argument, attribute in _REFERENCES.items():
        value = brought.get(argument) or []
        for construct in value if isinstance(value, list | tuple) else [value]:
            there = StackRecord.of(construct)
            if there.top_level is here.top_level or is_known(name := getattr(construct, attribute)):
                continue
            found = f"{argument}: found {construct.node.path} in stack {_path(there)}"
            if there.stage is not here.stage:
                yield (
                    f"{found}, in another stage than the rule's stack {_path(here)}; stages cannot refer to each "
                    "other: import it into the rule's stack (from_…), or make both in one stage"
                )
            elif _is_elsewhere(there, here, is_regional=argument != "role", name=name):
                yield (
                    f"{found}, which is {_environment(there)}; the rule's stack {_path(here)} is "
                    f"{_environment(here)}, so the rule cannot have it: give both stacks the same env"
                )


def _is_elsewhere(there: StackRecord, here: StackRecord, *, is_regional: bool, name: str) -> bool:
    """Whether a stack cannot refer to something of another environment; CDK can if it has a name of its own."""
    places = [[text if is_known(text) else None for text in (each.region, each.account)] for each in (there, here)]
    if places[0] == places[1]:
        return False
    regions = {region for region, _ in places}
    if is_regional and len(regions - {None}) == 2:
        return True
    try:
        here.stack.resolve(name)
    except RuntimeError:  # CDK's own words name neither the rule nor its argument
        return True
    return False


def _environment(record: StackRecord) -> str:
    region, account = (text if is_known(text) else None for text in (record.region, record.account))
    return f"for Region {region or 'of the deployment'} and account {account or 'of the deployment'}"


def _is_circle(needed: StackRecord, *, referring: StackRecord, users: tuple[StackRecord, ...]) -> bool:
    """Whether `referring` cannot refer to `needed`, since `users`, which are in it, refer to `referring`.

    A stack around `referring` may pass it a value; other stacks depend on each other as a whole.
    """
    around = needed if needed.top_level is referring.top_level else needed.top_level
    return not referring.is_within(around) and any(user.is_within(around) for user in users)


def _stack_of_token(text: str) -> StackRecord | None:
    """Return the stack that a token refers into; None for text, and for a token that is the same in every stack."""
    if is_known(text):
        return None
    targets = (_target(token) for token in Tokenization.reverse_string(text).tokens)
    return next((StackRecord.of(target) for target in targets if target is not None), None)


def _target(token: IResolvable) -> IConstruct | None:
    return token.target if isinstance(token, Reference) else None


def _path(record: StackRecord) -> str:
    return record.stack.node.path
