"""What is wrong with an app, told at synth: all problems together, each at the path of its construct."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Annotations

if TYPE_CHECKING:
    from constructs import IConstruct

ACKNOWLEDGE_PREFIX: Final = "workmail-constructs:"
"""Before a warning's id, the name by which `Annotations.of(scope).acknowledge_warning(…)` accepts it."""


def add_problem(scope: IConstruct, id: str, *, found: str, allowed: str, remedy: str) -> None:  # noqa: A002 - CDK's word
    """Report an error: the app is synthesized to its end, so that every problem is told, and then is not deployed.

    Args:
        scope: The construct concerned; CDK shows its path.
        id: What kind of problem it is, in PascalCase.
        found: What there is.
        allowed: What may be, with the fact that says so.
        remedy: What to do.
    """
    Annotations.of(scope).add_error(f"{_text(found, allowed, remedy)} [{id}]")


def add_warning(scope: IConstruct, id: str, *, found: str, allowed: str, remedy: str) -> None:  # noqa: A002 - CDK's word
    """Report what cannot be settled before the deployment; the arguments are those of `add_problem`."""
    Annotations.of(scope).add_warning_v2(ACKNOWLEDGE_PREFIX + id, _text(found, allowed, remedy))


def _text(found: str, allowed: str, remedy: str) -> str:
    return f"found {found}; allowed: {allowed}; {remedy}"
