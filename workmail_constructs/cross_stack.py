"""References between stacks that no deployment could follow, found before anything is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import IResolvable, Reference, Stage, Tokenization

from workmail_constructs.stack_record import StackRecord, is_known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from constructs import IConstruct

    from workmail_constructs.message_bucket import MessageBucketOptions
    from workmail_constructs.organization import WorkMailOrganization


def reference_problems(
    here: StackRecord,
    of_function: StackRecord,
    *,
    organization: WorkMailOrganization,
    bucket_options: MessageBucketOptions,
) -> Iterator[str]:
    """Yield why a rule in one stack cannot have a function of another one, or a bucket or key of a third.

    The rule's stack refers to the function. So nothing that the function refers to (bucket, key, organization) may need
    the rule's stack.

    Args:
        here: The record of the rule's stack.
        of_function: The record of the function's stack.
        organization: The rule's organization.
        bucket_options: How the rule asks for its bucket.
    """
    if of_function is not here and Stage.of(of_function.stack) is not Stage.of(here.stack):
        yield (
            f"function: found a function of stack {_path(of_function)}, in another stage than the rule's stack "
            f"{_path(here)}; stages cannot refer to each other: import the function into the rule's stack "
            "(Function.from_function_attributes), or make both in one stage"
        )
        return
    referring = [("function", of_function)]
    bucket, key = bucket_options.bucket, bucket_options.key
    for argument, construct, name in (
        ("message_bucket", bucket, bucket.bucket_name if bucket else ""),
        ("message_key", key, key.key_arn if key else ""),
    ):
        if construct is None or is_known(name):
            continue
        needed = StackRecord.of(construct)
        referring.append((argument, needed))
        if _is_circle(needed, referring=of_function, users=(here,)):
            yield (
                f"{argument}: found {construct.node.path} in stack {_path(needed)}, which would need the function's "
                f"stack {_path(of_function)} and be needed by it; make it in {_path(of_function)}, or in a stack that "
                "refers to neither"
            )
    knowing = _stack_of_token(organization.organization_id)
    for argument, stack in referring if knowing else ():
        if knowing and _is_circle(knowing, referring=stack, users=(here, of_function)):
            yield (
                f"organization: found an id that only stack {_path(knowing)} knows, and a {argument} in stack "
                f"{_path(stack)}, which would need that stack and be needed by it; make the organization in "
                f"{_path(stack)}, or give its id as text"
            )


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
