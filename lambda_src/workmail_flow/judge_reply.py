"""What WorkMail does with a synchronous function's reply, for the runtime and the local WorkMail alike."""

from __future__ import annotations

from workmail_flow.address import address_key, address_problem, domain_key
from workmail_flow.assumptions import (
    ACTION_OF_OTHER_DIRECTION_FAILS,
    ADDED_OUTSIDER_FAILS,
    CONFLICTING_ACTIONS_FAIL,
    unique_action,
)
from workmail_flow.limits import MAX_OUTBOUND_REPLY_RECIPIENTS, MAX_REPLY_ACTIONS, MAX_REPLY_BYTES
from workmail_flow.record import Record
from workmail_flow.vocabulary import REPLY_ACTIONS, FlowDirection, ReplyAction, RuleAction

# Not typing.TYPE_CHECKING: a handler loads this module before it answers, and `typing` would be a good part of that.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Final


MAX_LISTED: Final = 50
"""How many errors, and how many findings, a verdict lists; a last one counts the rest."""


class Finding(Record):
    """An error or a remark about a reply.

    Args:
        code: A stable name for this kind of finding, for example `string-boolean`.
        path: Where in the reply, for example `$.actions[0].allRecipients`.
        message: What was found and what is allowed. Holds no address, so it may be logged.
    """

    code: str
    path: str
    message: str


class Decision(Record):
    """What happens to one recipient of a message.

    Args:
        recipient: The address, as the event spells it; if the reply added it, as the reply does.
        action: The reply's action, or the rule's fallback action.
        bounce_message: The text of a bounce, if the reply gave one (R3).
        reason: Which part of the reply decided, and by which fact. Holds no address.
        added: Whether the reply added the recipient, as Bcc (R6).
    """

    recipient: str
    action: ReplyAction | RuleAction
    bounce_message: str | None
    reason: str
    added: bool


class Verdict(Record):
    """The judgement of one reply.

    Args:
        decisions: One for each recipient of the message, in its order, then one for each added recipient. Empty if the
            invocation failed.
        errors: Why the invocation failed (R8); empty if the reply is valid.
        findings: What the reply's author should fix, though it does not fail the invocation.
    """

    decisions: tuple[Decision, ...]
    errors: tuple[Finding, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the reply is valid; if not, the invocation has failed and is retried (R8, T2)."""
        return not self.errors


def judge_reply(
    reply: object,
    *,
    direction: FlowDirection,
    recipients: Sequence[str],
    fallback: RuleAction = RuleAction.DEFAULT,
    organization_domains: Collection[str] | None = None,
    size: int | None = None,
) -> Verdict:
    """Judge a synchronous function's reply for one message (R1-R9, R11, R12). Never raises on any `reply`.

    Args:
        reply: The decoded JSON value that the function returned.
        direction: The direction of the rule.
        recipients: The recipients of the message: those of the SMTP conversation (E4), not only the ones the event had
            room for (E6).
        fallback: The rule's fallback action (F13), for recipients that no action covers (R5, R7).
        organization_domains: The organization's domains, to check added recipients against (R6). If None, there
            is no check, but a finding for each added recipient whose domain no other recipient has.
        size: The reply's size in bytes as it was sent, if known (R8).
    """
    return _Judge(direction, recipients, fallback, organization_domains).judge(reply, size)


def size_fault(size: int) -> Finding | None:
    """Return the error of a reply of `size` bytes if that is too large (R8)."""
    if size <= MAX_REPLY_BYTES:
        return None
    message = f"the reply is {size:,} bytes; at most {MAX_REPLY_BYTES:,} are allowed (R8)"
    return Finding("reply-too-large", "$", message)


class _Entry(Record):
    """One entry of the reply's `actions` that could be read."""

    index: int
    action: ReplyAction
    bounce_message: str | None
    recipients: tuple[str, ...]
    all_recipients: bool

    @property
    def path(self) -> str:
        return f"$.actions[{self.index}]"

    @property
    def effect(self) -> tuple[str, str | None]:
        return unique_action(self.action, self.bounce_message)


class _Findings:
    """Findings of one kind: the first ones whole, the rest as a count, since a hostile reply may hold thousands."""

    def __init__(self) -> None:
        self.first: list[Finding] = []
        self.more = 0

    def add(self, code: str, path: str, message: str) -> None:
        if len(self.first) < MAX_LISTED:
            self.first.append(Finding(code, path, message))
        else:
            self.more += 1

    def listed(self) -> tuple[Finding, ...]:
        if not self.more:
            return tuple(self.first)
        return *self.first, Finding("not-listed", "$", f"{self.more:,} more are not listed; fix these first")


class _Judge:
    def __init__(
        self,
        direction: FlowDirection,
        recipients: Sequence[str],
        fallback: RuleAction,
        organization_domains: Collection[str] | None,
    ) -> None:
        self.direction = direction
        self.fallback = fallback
        self.recipients: dict[str, str] = {}
        for recipient in recipients:
            self.recipients.setdefault(address_key(recipient), recipient)
        self.organization_domains = organization_domains
        self.errors = _Findings()
        self.findings = _Findings()

    def judge(self, reply: object, size: int | None) -> Verdict:
        if size is not None and (fault := size_fault(size)):
            self.errors.add(fault.code, fault.path, fault.message)
        entries = self._read(reply)
        named, rest = self._who_gets_what(entries)
        self._check_added(named)
        decisions = () if self.errors.first else tuple(self._decide(entries, named, rest))
        return Verdict(decisions, self.errors.listed(), self.findings.listed())

    # Reading: R1, R2, R3, R12

    def _read(self, reply: object) -> list[_Entry]:
        if not isinstance(reply, dict):
            self.errors.add(
                "not-an-object", "$", f'the reply is {_kind(reply)}; it must be an object like {{"actions": […]}} (R1)'
            )
            return []
        self._report_unknown(reply, "$", ("actions",))
        actions = reply.get("actions")
        if not isinstance(actions, list | tuple):
            found = _kind(actions) if "actions" in reply else "missing"
            self.errors.add("no-actions", "$.actions", f"`actions` is {found}; it must be a list (R1)")
            return []
        read = (self._read_entry(index, entry) for index, entry in enumerate(actions))
        return [entry for entry in read if entry]

    def _read_entry(self, index: int, entry: object) -> _Entry | None:
        path = f"$.actions[{index}]"
        if not isinstance(entry, dict):
            self.errors.add(
                "wrong-type",
                path,
                f'an action is {_kind(entry)}; it must be an object like {{"action": {{"type": …}}}} (R1)',
            )
            return None
        self._report_unknown(entry, path, ("action", "recipients", "allRecipients"))
        recipients = self._read_recipients(entry.get("recipients"), f"{path}.recipients")
        all_recipients = self._read_all_recipients(entry.get("allRecipients"), f"{path}.allRecipients")
        action = entry.get("action")
        if not isinstance(action, dict):
            found = _kind(action) if "action" in entry else "missing"
            self.errors.add(
                "wrong-type",
                f"{path}.action",
                f'`action` is {found}; it must be an object like {{"type": "DEFAULT"}} (R1)',
            )
            return None
        self._report_unknown(action, f"{path}.action", ("type", "parameters"))
        kind = self._read_type(action, f"{path}.action.type")
        bounce_message = self._read_parameters(action.get("parameters"), f"{path}.action.parameters", kind)
        if kind is None:
            return None
        if not recipients and not all_recipients:
            self.findings.add(
                "names-nobody", path, "the action has neither `recipients` nor `allRecipients`: it does nothing (R4)"
            )
        return _Entry(index, kind, bounce_message, recipients, all_recipients)

    def _read_type(self, action: dict[object, object], path: str) -> ReplyAction | None:
        allowed = REPLY_ACTIONS[self.direction]
        names = ", ".join(allowed)
        kind = action.get("type")
        if not isinstance(kind, str):
            self.errors.add(
                "wrong-type",
                path,
                f"`type` is {_kind(kind) if 'type' in action else 'missing'}; it must be one of {names} (R2)",
            )
        elif kind in allowed:
            return ReplyAction(kind)
        elif kind in tuple(ReplyAction):
            self.errors.add(
                "action-not-in-direction",
                path,
                f"{kind} is not {_DIRECTION[self.direction]}; allowed are {names} (R2): "
                f"{ACTION_OF_OTHER_DIRECTION_FAILS}",
            )
        else:
            self.errors.add("unknown-action", path, f"{_quote(kind)} is not an action; allowed are {names} (R2)")
        return None

    def _read_parameters(self, parameters: object, path: str, kind: ReplyAction | None) -> str | None:
        if parameters is None:
            return None
        if not isinstance(parameters, dict):
            self.errors.add(
                "wrong-type",
                path,
                f'`parameters` is {_kind(parameters)}; it must be an object like {{"bounceMessage": …}} (R3)',
            )
            return None
        if kind is not ReplyAction.BOUNCE:
            if parameters and kind:
                self.findings.add(
                    "parameters-ignored", path, f"`parameters` belong to BOUNCE only and do nothing for {kind} (R3)"
                )
            return None
        self._report_unknown(parameters, path, ("bounceMessage",))
        message = parameters.get("bounceMessage")
        if message is None or isinstance(message, str):
            return message
        self.errors.add(
            "wrong-type", f"{path}.bounceMessage", f"`bounceMessage` is {_kind(message)}; it must be a string (R3)"
        )
        return None

    def _read_recipients(self, recipients: object, path: str) -> tuple[str, ...]:
        if recipients is None:
            return ()
        if not isinstance(recipients, list | tuple):
            self.errors.add(
                "wrong-type", path, f"`recipients` is {_kind(recipients)}; it must be a list of addresses (R1)"
            )
            return ()
        read = []
        for index, recipient in enumerate(recipients):
            if not isinstance(recipient, str):
                self.errors.add(
                    "wrong-type", f"{path}[{index}]", f"a recipient is {_kind(recipient)}; it must be an address (R1)"
                )
            elif problem := address_problem(recipient):
                self.errors.add(
                    "not-an-address",
                    f"{path}[{index}]",
                    f"a recipient must be an address like mailbox@example.com, but {problem} (R1)",
                )
            else:
                read.append(recipient)
        return tuple(read)

    def _read_all_recipients(self, value: object, path: str) -> bool:
        if value is None or isinstance(value, bool):
            return bool(value)
        if isinstance(value, str) and value.lower() in ("true", "false"):
            self.findings.add(
                "string-boolean",
                path,
                f"`allRecipients` is the string {value!r}, understood as a boolean; "
                f"return {value.lower()} without quotes (R12)",
            )
            return value.lower() == "true"
        self.errors.add("wrong-type", path, f"`allRecipients` is {_kind(value)}; it must be true or false (R1)")
        return False

    def _report_unknown(self, found: dict[object, object], path: str, known: Sequence[str]) -> None:
        for name in found:
            if name not in known:
                self.findings.add(
                    "unknown-field",
                    path,
                    f"{_quote(name)} is not a field of a reply and does nothing; known here: {', '.join(known)} (R1)",
                )

    # Who gets what: R4, R6, R9, R11

    def _who_gets_what(self, entries: list[_Entry]) -> tuple[dict[str, tuple[_Entry, str]], _Entry | None]:
        """Return the entry and spelling that name each address, by its key, and the entry that takes all the rest."""
        named: dict[str, tuple[_Entry, str]] = {}
        rest: _Entry | None = None
        for entry in entries:
            for index, recipient in enumerate(entry.recipients):
                first, _ = named.setdefault(address_key(recipient), (entry, recipient))
                if first.effect != entry.effect:
                    self.errors.add(
                        "conflicting-actions",
                        f"{entry.path}.recipients[{index}]",
                        f"{first.path} names this address too, with another action: {CONFLICTING_ACTIONS_FAIL}",
                    )
            if entry.all_recipients:
                rest = rest or entry
                if rest.effect != entry.effect:
                    self.errors.add(
                        "conflicting-actions",
                        f"{entry.path}.allRecipients",
                        f"{rest.path} takes all recipients too, with another action: {CONFLICTING_ACTIONS_FAIL}",
                    )
        return named, rest

    def _check_added(self, named: dict[str, tuple[_Entry, str]]) -> None:
        added = {key: entry for key, (entry, _) in named.items() if key not in self.recipients}
        if self.direction is FlowDirection.OUTBOUND:
            total = len(self.recipients) + len(added)
            if total > MAX_OUTBOUND_REPLY_RECIPIENTS and named:
                self.errors.add(
                    "too-many-recipients",
                    "$.actions",
                    f"with the added ones there are {total} recipients; an outbound reply may have "
                    f"{MAX_OUTBOUND_REPLY_RECIPIENTS} (R9)",
                )
            return
        if not added:
            return
        known = self.organization_domains
        own = {_domain(key) for key in self.recipients} if known is None else {domain_key(domain) for domain in known}
        for key, entry in added.items():
            if _domain(key) in own:
                continue
            path = f"{entry.path}.recipients"
            if known is None:
                self.findings.add(
                    "organization-unknown",
                    path,
                    "a recipient is added whose domain no other recipient has; it must be one of the organization (R6)",
                )
            else:
                self.errors.add(
                    "added-outsider",
                    path,
                    f"a recipient is added whose domain is not the organization's: {ADDED_OUTSIDER_FAILS}",
                )

    # Deciding: R4, R5, R6, R7

    def _decide(
        self, entries: list[_Entry], named: dict[str, tuple[_Entry, str]], rest: _Entry | None
    ) -> Iterable[Decision]:
        effects = list(dict.fromkeys(entry.effect for entry in entries))
        past = set(effects[MAX_REPLY_ACTIONS:])
        if past:
            first = next(entry for entry in entries if entry.effect in past)
            self.findings.add(
                "past-the-tenth",
                first.path,
                f"the reply has {len(effects)} unique actions; those past the tenth get the fallback action (R7)",
            )
        for key, recipient in self.recipients.items():
            entry = named[key][0] if key in named else rest
            if entry is None:
                yield Decision(
                    recipient, self.fallback, None, "no action covers the recipient: fallback action (R5)", False
                )
            else:
                why = (
                    f"{entry.path} names the recipient (R1)"
                    if key in named
                    else f"{entry.path} takes all recipients that no other action names (R4)"
                )
                yield self._decision(recipient, entry, past, why, added=False)
        for key, (entry, recipient) in named.items():
            if key not in self.recipients:
                if entry.action in (ReplyAction.DROP, ReplyAction.BOUNCE):
                    self.findings.add(
                        "added-undelivered",
                        f"{entry.path}.recipients",
                        f"a recipient that the message does not have is added and then gets {entry.action} (R6)",
                    )
                yield self._decision(
                    recipient, entry, past, f"{entry.path} adds the recipient, as Bcc (R6)", added=True
                )

    def _decision(
        self, recipient: str, entry: _Entry, past: set[tuple[str, str | None]], why: str, *, added: bool
    ) -> Decision:
        if entry.effect in past:
            return Decision(
                recipient, self.fallback, None, f"{why}, but its action is past the tenth: fallback action (R7)", added
            )
        return Decision(recipient, entry.action, entry.bounce_message, why, added)


_DIRECTION = {FlowDirection.INBOUND: "an inbound action", FlowDirection.OUTBOUND: "an outbound action"}


def _domain(key: str) -> str:
    return key.rpartition("@")[2]


def _quote(word: object) -> str:
    """Show a word only if it can be no address."""
    return repr(word) if isinstance(word, str) and word.isidentifier() and len(word) <= 40 else "this word"


def _kind(value: object) -> str:
    """Name a JSON value's type, never its content: it may be an address."""
    names = {
        type(None): "null",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), f"a Python {type(value).__name__}")
