"""What WorkMail's event log shows of the declared rules: which were applied, and which should have been (W3, W4).

One pass over the entries, in memory that does not grow with the log. What an entry does not tell is counted as not
judged, never guessed.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from workmail_flow.address import MAX_ADDRESS_CHARACTERS, address_key, address_problem
from workmail_flow.assumptions import EVERY_DECISION_IS_LOGGED, FALLBACK_IS_NOT_TOLD, logged_within_ms
from workmail_flow.email_events import RULE_TYPE_OF, EmailEvent, EventName, RuleType
from workmail_flow.limits import MAX_RULE_TIMEOUT_MINUTES
from workmail_flow.vocabulary import REPLY_ACTIONS, FlowDirection, RuleAction

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.rule_set import RuleSet

EVENTS_READ: Final = (
    EventName.ORGANIZATION_EMAIL_RECEIVED,
    EventName.OUTGOING_EMAIL_SUBMITTED,
    EventName.RULE_APPLIED,
    EventName.DMARC_POLICY_APPLIED,
)
"""The events that the comparison needs; all others are passed over."""

NOT_TOLD: Final = (
    FALLBACK_IS_NOT_TOLD,
    EVERY_DECISION_IS_LOGGED,
    "the log does not tell when rules changed: mail from before a change is compared with the rules as declared now",
)
"""What holds for every comparison."""

MAX_OPEN_PARTS: Final = 300_000
"""Messages whose entries may still come, with their recipients and actions: about 100 MB of memory at most."""

MAX_PARTS_OF_MESSAGE: Final = 5_000
"""Recipients and actions of one message that are kept: ten times the recipients of F16."""

MAX_KINDS: Final = 1_000
"""Rules that nobody declared, and words for actions, that are told apart."""

MAX_NAME_CHARACTERS: Final = 256
"""Of names in the log; a longer one is cut."""

_SETTLED_MS: Final = logged_within_ms(MAX_RULE_TIMEOUT_MINUTES)


class FindingCode(StrEnum):
    """What the log shows of a rule."""

    NEVER_APPLIED = "never-applied"
    NEVER_SEEN = "never-seen"
    NOT_DECLARED = "not-declared"
    OTHER_DIRECTION = "other-direction"
    IMPOSSIBLE_ACTION = "impossible-action"
    OTHER_RULE_DECIDED = "other-rule-decided"
    NO_RULE_DECIDED = "no-rule-decided"
    NOT_ITS_MAIL = "not-its-mail"


class NotJudged(StrEnum):
    """Why something in the log is not compared; `WHY_NOT_JUDGED` says it in words."""

    NO_MESSAGE_ENTRY = "no-message-entry"
    NO_FROM = "no-from"
    TWO_SENDERS = "two-senders"
    NO_PLAIN_RECIPIENT = "no-plain-recipient"
    ADDED_RECIPIENT = "added-recipient"
    RECIPIENT_NOT_NAMED = "recipient-not-named"
    NEAR_THE_END = "near-the-end"
    DMARC_POLICY = "dmarc-policy"
    UNKNOWN_ACTION = "unknown-action"
    UNREADABLE_ACTIONS = "unreadable-actions"
    UNREADABLE_RULE = "unreadable-rule"
    TOO_MANY_MESSAGES = "too-many-messages"
    TOO_LARGE_MESSAGE = "too-large-message"
    TOO_MANY_NAMES = "too-many-names"


WHY_NOT_JUDGED: Final[Mapping[NotJudged, str]] = {
    NotJudged.NO_MESSAGE_ENTRY: "messages whose own entry is not in what was read, so who wrote to whom is not known",
    NotJudged.NO_FROM: "messages whose entry gives no plain sender address; the envelope sender is not in the log (F7)",
    NotJudged.TWO_SENDERS: "messages whose entries give different senders",
    NotJudged.NO_PLAIN_RECIPIENT: "recipients that are no plain address",
    NotJudged.ADDED_RECIPIENT: "recipients of an action that the message did not have: a function may add them (R6)",
    NotJudged.RECIPIENT_NOT_NAMED: "recipients that no entry names, of messages that their rule was applied to",
    NotJudged.NEAR_THE_END: "recipients without a rule whose rule may still write its entry after what was read (T2)",
    NotJudged.DMARC_POLICY: "recipients without a rule of messages that the DMARC policy was applied to (W3)",
    NotJudged.UNKNOWN_ACTION: "actions whose word is not known (W4)",
    NotJudged.UNREADABLE_ACTIONS: "entries whose ruleActions cannot be read, in whole or in part (W4)",
    NotJudged.UNREADABLE_RULE: "entries that give no rule name, or a rule type that is not known (W4)",
    NotJudged.TOO_MANY_MESSAGES: "messages, as too many others came before all their entries could be read",
    NotJudged.TOO_LARGE_MESSAGE: f"messages with more than {MAX_PARTS_OF_MESSAGE} recipients and actions",
    NotJudged.TOO_MANY_NAMES: f"entries of further rules and words, as more than {MAX_KINDS} are not told apart",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One message that shows a finding; the addresses are those of the log, for who may see them."""

    trace_id: str
    sender: str | None = None
    from_: str | None = None
    recipient: str | None = None


@dataclass(slots=True)
class Sightings:
    """How often something was seen, and when, in milliseconds since 1970."""

    first_ms: int
    last_ms: int
    sample: Sample
    count: int = 0

    def add(self, at_ms: int) -> None:
        """Count one more."""
        self.count += 1
        self.first_ms = min(self.first_ms, at_ms)
        self.last_ms = max(self.last_ms, at_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedFinding:
    """What the log shows of one rule.

    Args:
        code: Which kind.
        rule: The rule's name, declared or as the log spells it.
        direction: Of the declared rule, or of the mail that the rule was applied to.
        message: The finding in words, without addresses and subjects.
        remedy: What to do.
        other: The rule that decided in its place.
        action: The action that it cannot have.
        sightings: None for what was never seen.
    """

    code: FindingCode
    rule: str
    direction: FlowDirection
    message: str
    remedy: str
    other: str | None = None
    action: RuleAction | None = None
    sightings: Sightings | None = None

    @property
    def is_problem(self) -> bool:
        """Whether rules and log disagree; that no mail came for a rule is none."""
        return self.code is not FindingCode.NEVER_SEEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a comparison found.

    Args:
        findings: Problems first, then what was never seen.
        not_judged: How much was not compared, by reason.
        unknown_actions: The words for actions that are not known, as the log spells them, with their number.
        messages: Messages whose own entry was read.
        recipients: Recipients of them that were compared.
        applied: For each declared rule, how many entries show it.
    """

    findings: tuple[ObservedFinding, ...]
    not_judged: Mapping[NotJudged, Sightings]
    unknown_actions: Mapping[str, Sightings]
    messages: int
    recipients: int
    applied: Mapping[tuple[str, FlowDirection], int]


_Key = TypeVar("_Key", bound="Hashable")


class _Tally(Generic[_Key]):
    """Sightings by key, of at most so many keys."""

    def __init__(self, max_keys: int = MAX_KINDS) -> None:
        self._max_keys = max_keys
        self.by_key: dict[_Key, Sightings] = {}

    def add(self, key: _Key, at_ms: int, sample: Sample) -> bool:
        """Count one; False if there are too many keys for a new one."""
        found = self.by_key.get(key)
        if found is None:
            if len(self.by_key) >= self._max_keys:
                return False
            found = self.by_key[key] = Sightings(at_ms, at_ms, sample)
        found.add(at_ms)
        return True


@dataclass(slots=True)
class _Mail:
    """Who wrote to whom, as the message's own entry tells."""

    at_ms: int
    sender: str | None
    from_: str
    recipients: dict[str, str] = field(default_factory=dict)
    two_senders: bool = False

    @property
    def has_plain_sender(self) -> bool:
        return all(address_problem(address) is None for address in (self.from_, self.sender) if address is not None)


@dataclass(slots=True)
class _Applied:
    """One RULE_APPLIED entry."""

    rule: str
    direction: FlowDirection
    recipients: frozenset[str]  # their keys; empty if the entry does not name any


@dataclass(slots=True)
class _Message:
    """The entries of one trace id."""

    last_ms: int
    mail: dict[FlowDirection, _Mail] = field(default_factory=dict)
    applied: list[_Applied] = field(default_factory=list)
    dmarc: bool = False
    parts: int = 1
    is_too_large: bool = False


class RuleObserver:
    """Compares declared rules with the entries of an event log: `add` each, oldest first, then `finish`.

    Args:
        rules: The rules of the organization whose log it is.
        max_open_parts: How many messages, recipients and actions may wait for further entries at a time.
    """

    def __init__(self, rules: RuleSet, *, max_open_parts: int = MAX_OPEN_PARTS) -> None:
        self._rules = rules
        self._max_open_parts = max_open_parts
        self._open_parts = 0
        self._declared: dict[tuple[str, FlowDirection], list[FlowRule]] = {}
        for rule in rules:
            self._declared.setdefault((_cut(rule.name), rule.direction), []).append(rule)
        self._names = {name for name, _ in self._declared}
        self._open: OrderedDict[str, _Message] = OrderedDict()
        self._applied = dict.fromkeys(self._declared, 0)
        self._undeclared: _Tally[tuple[str, FlowDirection]] = _Tally()
        self._impossible: _Tally[tuple[str, FlowDirection, RuleAction]] = _Tally(len(self._declared) * len(RuleAction))
        self._decided: _Tally[tuple[FlowDirection, str | None, str | None]] = _Tally()
        self._words: _Tally[str] = _Tally()
        self._not_judged: _Tally[NotJudged] = _Tally()
        self._messages = self._recipients = 0

    def add(self, event: EmailEvent, at_ms: int) -> None:
        """Take one entry.

        Args:
            event: The entry.
            at_ms: When it was written, in milliseconds since 1970.
        """
        match event.name:
            case EventName.ORGANIZATION_EMAIL_RECEIVED:
                self._add_mail(event, FlowDirection.INBOUND, at_ms)
            case EventName.OUTGOING_EMAIL_SUBMITTED:
                self._add_mail(event, FlowDirection.OUTBOUND, at_ms)
            case EventName.RULE_APPLIED if event.fields.get("ruleType") != RuleType.MAILBOX_RULE:
                self._add_applied(event, at_ms)
            case EventName.DMARC_POLICY_APPLIED:
                self._message(event.trace_id, at_ms).dmarc = True

    def finish(self, read_until_ms: int) -> Observation:
        """Return what was found.

        Args:
            read_until_ms: Up to when all entries were given.
        """
        while self._open:
            self._judge(*self._pop(), read_until_ms)
        return Observation(
            findings=tuple(sorted(self._findings(), key=lambda finding: not finding.is_problem)),
            not_judged={reason: found for reason in NotJudged if (found := self._not_judged.by_key.get(reason))},
            unknown_actions=dict(self._words.by_key),
            messages=self._messages,
            recipients=self._recipients,
            applied=dict(self._applied),
        )

    # Reading

    def _message(self, trace_id: str, at_ms: int) -> _Message:
        """Return the message of a trace id, and judge those of which no further entry is expected."""
        message = self._open.get(trace_id)
        if message is None:
            message = self._open[trace_id] = _Message(at_ms)
            self._open_parts += message.parts
        message.last_ms = max(message.last_ms, at_ms)
        self._open.move_to_end(trace_id)
        while len(self._open) > 1:
            if next(iter(self._open.values())).last_ms < at_ms - _SETTLED_MS:
                self._judge(*self._pop(), at_ms)
            elif self._open_parts > self._max_open_parts:
                given_up, of = self._pop()
                self._skip(NotJudged.TOO_MANY_MESSAGES, of.last_ms, given_up)
            else:
                break
        return message

    def _pop(self) -> tuple[str, _Message]:
        trace_id, message = self._open.popitem(last=False)
        self._open_parts -= message.parts
        return trace_id, message

    def _take(self, message: _Message, parts: int) -> bool:
        """Count what is about to be kept of a message; False if that is too much."""
        if not message.is_too_large and message.parts + parts > MAX_PARTS_OF_MESSAGE:
            message.is_too_large = True
            message.mail.clear()
            message.applied.clear()
            self._open_parts -= message.parts - 1
            message.parts = 1
        if message.is_too_large:
            return False
        message.parts += parts
        self._open_parts += parts
        return True

    def _add_mail(self, event: EmailEvent, direction: FlowDirection, at_ms: int) -> None:
        message = self._message(event.trace_id, at_ms)
        given = event.fields.get("recipients")
        recipients = given if isinstance(given, list) else []
        if not self._take(message, len(recipients)):
            return
        sender, from_ = (_address(event.fields.get(name)) for name in ("sender", "from"))
        mail = message.mail.get(direction)
        if mail is None:
            self._messages += 1
            mail = message.mail[direction] = _Mail(at_ms, sender or None, from_)
        elif (mail.sender, mail.from_) != (sender or None, from_):
            mail.two_senders = True
        for recipient in recipients:
            if isinstance(recipient, str) and address_problem(recipient) is None:
                mail.recipients[address_key(recipient)] = recipient
            else:
                self._skip(NotJudged.NO_PLAIN_RECIPIENT, at_ms, event.trace_id)

    def _add_applied(self, event: EmailEvent, at_ms: int) -> None:
        name = event.fields.get("ruleName")
        direction = _DIRECTION_OF.get(str(event.fields.get("ruleType")))
        if not isinstance(name, str) or direction is None:
            self._skip(NotJudged.UNREADABLE_RULE, at_ms, event.trace_id)
            return
        name = _cut(name)
        actions = event.applied_actions
        given = event.fields.get("ruleActions")
        is_readable = isinstance(given, list) and len(actions) == len(given) > 0
        if not is_readable:
            self._skip(NotJudged.UNREADABLE_ACTIONS, at_ms, event.trace_id)
        sample = Sample(event.trace_id)
        if (name, direction) in self._declared:
            self._applied[name, direction] += 1
            for action, _ in actions:
                self._add_action(name, direction, action, at_ms, sample)
        elif not self._undeclared.add((name, direction), at_ms, sample):
            self._skip(NotJudged.TOO_MANY_NAMES, at_ms, event.trace_id)
        recipients = {address_key(_address(recipient)) for _, those in actions for recipient in those}
        message = self._message(event.trace_id, at_ms)
        if self._take(message, 1 + len(recipients)):
            # An action without recipients, or one that cannot be read, may be for any of them.
            named = recipients if is_readable and all(those for _, those in actions) else ()
            message.applied.append(_Applied(name, direction, frozenset(named)))

    def _add_action(self, name: str, direction: FlowDirection, word: str, at_ms: int, sample: Sample) -> None:
        action = _ACTION_OF.get(_letters(word[:MAX_NAME_CHARACTERS]))
        if action is None:
            self._skip(NotJudged.UNKNOWN_ACTION, at_ms, sample.trace_id)
            self._words.add(_cut(word), at_ms, sample)
        elif all(action not in possible_actions(rule) for rule in self._declared[name, direction]):
            self._impossible.add((name, direction, action), at_ms, sample)

    def _skip(self, reason: NotJudged, at_ms: int, trace_id: str) -> None:
        self._not_judged.add(reason, at_ms, Sample(trace_id))

    # Judging

    def _judge(self, trace_id: str, message: _Message, read_until_ms: int) -> None:
        if message.is_too_large:
            self._skip(NotJudged.TOO_LARGE_MESSAGE, message.last_ms, trace_id)
            return
        for direction in FlowDirection:
            applied = [one for one in message.applied if one.direction is direction]
            mail = message.mail.get(direction)
            if mail is None:
                if applied:
                    self._skip(NotJudged.NO_MESSAGE_ENTRY, message.last_ms, trace_id)
            elif mail.two_senders:
                self._skip(NotJudged.TWO_SENDERS, mail.at_ms, trace_id)
            elif not mail.has_plain_sender:
                self._skip(NotJudged.NO_FROM, mail.at_ms, trace_id)
            else:
                missing_is_dmarc = message.dmarc and direction is FlowDirection.INBOUND
                self._compare(trace_id, mail, direction, applied, read_until_ms, missing_is_dmarc=missing_is_dmarc)

    def _compare(
        self,
        trace_id: str,
        mail: _Mail,
        direction: FlowDirection,
        applied: list[_Applied],
        read_until_ms: int,
        *,
        missing_is_dmarc: bool,
    ) -> None:
        """Compare each recipient's rule with the one that the declared rules give it (F8)."""
        named: dict[str, set[str]] = {}
        # Entries that name no recipient: their rule may have decided for any of them.
        unnamed = {one.rule for one in applied if not one.recipients}
        for one in applied:
            for recipient in one.recipients:
                named.setdefault(recipient, set()).add(one.rule)
        for _ in named.keys() - mail.recipients.keys():
            self._skip(NotJudged.ADDED_RECIPIENT, mail.at_ms, trace_id)
        expected = {
            key: self._rules.decide(direction=direction, sender=mail.sender, from_=mail.from_, recipient=address).rule
            for key, address in mail.recipients.items()
        }
        expected_names = {_cut(rule.name) for rule in expected.values() if rule}
        strangers = unnamed - expected_names
        explained = not strangers
        everywhere = {one.rule for one in applied}
        for key, rule in expected.items():
            name = _cut(rule.name) if rule else None
            sample = Sample(trace_id, mail.sender, mail.from_, mail.recipients[key])
            if actual := named.get(key, set()):
                self._recipients += 1
                for other in sorted(actual - {name}):
                    self._add_decided(direction, name, other, mail.at_ms, sample)
            elif rule is None or name in unnamed:
                self._recipients += 1
            elif name in everywhere:
                self._skip(NotJudged.RECIPIENT_NOT_NAMED, mail.at_ms, trace_id)
            elif strangers:
                self._recipients += 1
                explained = True
                for other in sorted(strangers):
                    self._add_decided(direction, name, other, mail.at_ms, sample)
            elif missing_is_dmarc:
                self._skip(NotJudged.DMARC_POLICY, mail.at_ms, trace_id)
            elif mail.at_ms + logged_within_ms(rule.rule_timeout_minutes) > read_until_ms:
                self._skip(NotJudged.NEAR_THE_END, mail.at_ms, trace_id)
            else:
                self._recipients += 1
                self._add_decided(direction, name, None, mail.at_ms, sample)
        if not explained:
            for other in sorted(strangers):
                self._add_decided(direction, None, other, mail.at_ms, Sample(trace_id, mail.sender, mail.from_))

    def _add_decided(
        self, direction: FlowDirection, rule: str | None, other: str | None, at_ms: int, sample: Sample
    ) -> None:
        # That a rule which nobody declared decides mail without a rule is `NOT_DECLARED` already.
        wanted = rule is not None or (other, direction) in self._declared
        if wanted and not self._decided.add((direction, rule, other), at_ms, sample):
            self._skip(NotJudged.TOO_MANY_NAMES, at_ms, sample.trace_id)

    # Saying

    def _findings(self) -> Iterator[ObservedFinding]:
        yield from self._never_findings()
        yield from self._name_findings()
        for (rule, direction, action), found in self._impossible.by_key.items():
            may = sorted({word for one in self._declared[rule, direction] for word in possible_actions(one)})
            yield ObservedFinding(
                code=FindingCode.IMPOSSIBLE_ACTION,
                rule=rule,
                direction=direction,
                action=action,
                sightings=found,
                message=f"The {direction.lower()} rule {rule!r} did {action}; as declared it can only do "
                f"{', '.join(may)}.",
                remedy="Compare the rule's action, and for Run Lambda its mode and fallback action, with the console.",
            )
        yield from self._decided_findings()

    def _never_findings(self) -> Iterator[ObservedFinding]:
        for (rule, direction), count in self._applied.items():
            if count:
                continue
            missed = [
                found for (way, name, _), found in self._decided.by_key.items() if (way, name) == (direction, rule)
            ]
            if missed:
                recipients = sum(found.count for found in missed)
                first = min(missed, key=lambda found: found.first_ms)
                last_ms = max(found.last_ms for found in missed)
                yield ObservedFinding(
                    code=FindingCode.NEVER_APPLIED,
                    rule=rule,
                    direction=direction,
                    sightings=Sightings(first.first_ms, last_ms, first.sample, recipients),
                    message=f"The {direction.lower()} rule {rule!r} was never applied, though mail came for it.",
                    remedy="Create the rule in the console, or correct its name or patterns there.",
                )
            else:
                yield ObservedFinding(
                    code=FindingCode.NEVER_SEEN,
                    rule=rule,
                    direction=direction,
                    message=f"The {direction.lower()} rule {rule!r} was never applied, and of the mail that could be "
                    "judged none was for it.",
                    remedy="Nothing shows whether the rule exists; send it a message, or read a longer time.",
                )

    def _name_findings(self) -> Iterator[ObservedFinding]:
        near = {_letters(name): name for name in self._names}
        for (rule, direction), found in self._undeclared.by_key.items():
            kind = RULE_TYPE_OF[direction]
            if rule in self._names:
                yield ObservedFinding(
                    code=FindingCode.OTHER_DIRECTION,
                    rule=rule,
                    direction=direction,
                    sightings=found,
                    message=f"The rule {rule!r} was applied as {kind}; it is declared for the other direction.",
                    remedy="Delete the rule in the console and create it among the rules of the declared direction.",
                )
                continue
            declared = near.get(_letters(rule)) if _letters(rule) else None
            yield ObservedFinding(
                code=FindingCode.NOT_DECLARED,
                rule=rule,
                direction=direction,
                other=declared,
                sightings=found,
                message=f"The {direction.lower()} rule {rule!r} ({kind}) was applied and is not declared"
                + (f"; it differs from {declared!r} in case, spaces or punctuation only." if declared else "."),
                remedy="Correct the name in the console, or in the declaration."
                if declared
                else "Declare the rule, or delete it in the console.",
            )

    def _decided_findings(self) -> Iterator[ObservedFinding]:
        for (direction, rule, other), found in self._decided.by_key.items():
            way = direction.lower()
            if rule is None:
                yield ObservedFinding(
                    code=FindingCode.NOT_ITS_MAIL,
                    rule=str(other),
                    direction=direction,
                    sightings=found,
                    message=f"The {way} rule {other!r} decided mail that, as declared, no rule is for.",
                    remedy=f"Compare the patterns of {other!r} with the console.",
                )
            elif other is None:
                yield ObservedFinding(
                    code=FindingCode.NO_RULE_DECIDED,
                    rule=rule,
                    direction=direction,
                    sightings=found,
                    message=f"The {way} rule {rule!r} should have decided, and no entry shows that a rule did.",
                    remedy=f"Compare the patterns of {rule!r} with the console, and when it was created there.",
                )
            else:
                yield ObservedFinding(
                    code=FindingCode.OTHER_RULE_DECIDED,
                    rule=rule,
                    direction=direction,
                    other=other,
                    sightings=found,
                    message=f"The {way} rule {rule!r} should have decided, and {other!r} did.",
                    remedy="Compare the patterns and actions of both rules with the console.",
                )


def possible_actions(rule: FlowRule) -> frozenset[RuleAction]:
    """Return the actions that the log may show for a rule: its own, and for Run Lambda what may follow (R2, T2, T4)."""
    if rule.action is not RuleAction.RUN_LAMBDA:
        return frozenset({rule.action})
    if not rule.synchronous:
        return frozenset({RuleAction.RUN_LAMBDA, RuleAction.DEFAULT})
    replies = {RuleAction(reply) for reply in REPLY_ACTIONS[rule.direction]}
    return frozenset(replies | {RuleAction.RUN_LAMBDA} | ({rule.fallback} if rule.fallback else set()))


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _address(value: object) -> str:
    """Return an address of an entry; one that is too long stays so."""
    return value[: MAX_ADDRESS_CHARACTERS + 1] if isinstance(value, str) else ""


def _cut(text: str) -> str:
    return text if len(text) <= MAX_NAME_CHARACTERS else text[:MAX_NAME_CHARACTERS] + "…"


_ACTION_OF: Final = {_letters(action): action for action in RuleAction}
_DIRECTION_OF: Final = {kind.value: direction for direction, kind in RULE_TYPE_OF.items()}
