"""Members of a group that exchange mail inside the organization only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack

from aws_cdk.aws_iam import PolicyStatement

from workmail_constructs.steps.decision import Bounce, Drop
from workmail_constructs.steps.plain_addresses import address_problems, require_own_copies
from workmail_constructs.steps.step import OnFailure, Step, StepOptions
from workmail_flow.address import address_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import Duration

    from workmail_constructs.steps.binding import StepBinding

MAX_AGE_S: Final = 300
"""By default a change of the group counts after five minutes."""

_DEFAULT: Final = Bounce("This mailbox exchanges mail inside its organization only.")


class RestrictMailboxes(Step):
    """Refuses mail between the members of a group and everybody outside of the organization, in both directions."""

    function = "workmail_rules.restrict_mailboxes:run"
    default_on_failure = OnFailure.FAIL
    guards = True

    def __init__(
        self,
        group: str,
        *,
        then: Bounce | Drop = _DEFAULT,
        report_to: Sequence[str] = (),
        max_age: Duration | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        """Name the group.

        Args:
            group: The address of a group. Its members, those of the groups in it, and the groups themselves are
                restricted, by their addresses and aliases.
            then: What happens to refused mail: `Bounce(text)` or `Drop()`.
            report_to: Addresses that get a copy of refused mail, as Bcc; inbound only the organization's own (R6).
            max_age: How long an answer of the directory is used; 5 minutes by default.
            **options: What all steps have; see `Step`. By default a directory that cannot be read fails the invocation;
                `on_failure="GO_ON"` lets the mail pass then.

        Raises:
            ValueError: An argument is not as described; every problem is named.
            TypeError: One string where a list of addresses is needed.
        """
        super().__init__(**options)
        self._max_age_s = MAX_AGE_S if max_age is None else int(max_age.to_seconds())
        problems = [
            *address_problems([group], argument="group"),
            *address_problems(report_to, argument="report_to"),
        ]
        if not isinstance(then, Bounce | Drop):
            problems.append(f"then: found {then!r}, with which the message still comes; give Bounce or Drop")
        if self._max_age_s < 1:
            problems.append(f"max_age: found {self._max_age_s} seconds; give 1 or more")
        if problems:
            raise ValueError("\n".join(["RestrictMailboxes:", *(f"  {problem}" for problem in problems)]))
        self._group = address_key(group)
        self._report_to = tuple(report_to)
        self._then = then

    @property
    def decides(self) -> bool:
        """The step decides about delivery."""
        return True

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Let the function read the organization's directory.

        Raises:
            ValueError: An inbound rule whose reports would leave the organization (R6).
        """
        organization = binding.organization
        require_own_copies(self._report_to, binding, argument="report_to")
        actions = ["workmail:DescribeEntity", "workmail:ListAliases", "workmail:ListGroupMembers"]
        if not organization.domains:
            actions.append("workmail:ListMailDomains")
        binding.grant([PolicyStatement(actions=actions, resources=[organization.organization_arn])])
        return {
            "organization_id": organization.organization_id,
            "group": self._group,
            "domains": organization.domain_keys,
            "max_age_s": self._max_age_s,
            "report_to": self._report_to,
            **self._then.configuration(),
        }
