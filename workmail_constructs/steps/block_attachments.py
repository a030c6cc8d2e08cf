"""Attachments that are not let through."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Unpack

from workmail_constructs.content_access import ContentAccess
from workmail_constructs.steps.deciding_step import DecidingStep
from workmail_constructs.steps.decision import Bounce, Decision, Deliver, configured, decisions
from workmail_constructs.steps.step import OnFailure, StepOptions
from workmail_flow.updated_content import UNSUPPORTED_EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import Size

    from workmail_constructs.steps.binding import StepBinding

PROGRAMS: Final = tuple(
    f".{extension}"
    for extension in sorted(
        UNSUPPORTED_EXTENSIONS
        | {"appx", "appxbundle", "dll", "img", "iso", "jar", "jnlp", "msix", "ocx", "one", "scpt", "udl", "vhd", "vhdx"}
    )
)
"""Extensions of files that run, or open what runs: those that Amazon SES does not send, and containers of them."""

PUREMAGIC: Final = "puremagic==1.30"
"""What recognizes a file by how it begins; packed only for this step."""

_EXTENSION: Final = re.compile(r"\.[^\s/\\:;?*\"<>|\x00-\x1f]{1,50}")
_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/([A-Za-z0-9!#$&^_.+-]+|\*)")
_FILENAME: Final = re.compile(r"[^\x00-\x1f\x7f/\\]{1,200}")


@dataclass(frozen=True, slots=True)
class ReplaceByNote:
    """Put a text file in the place of each blocked attachment. Other recipients of the conversation get it too.

    Args:
        text: What it says.
        filename: Its name.
        otherwise: What to decide where an attachment cannot be replaced: it is signed, or the message is malformed.

    Raises:
        ValueError: The text is empty, or `filename` cannot be a file name.
    """

    text: str
    filename: str = "removed.txt"
    otherwise: Decision = Bounce("The message has an attachment that is not accepted.")  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("ReplaceByNote: found an empty text; say what was removed and why")
        if not self.filename.strip() or not _FILENAME.fullmatch(self.filename):
            raise ValueError(f"ReplaceByNote: found the filename {self.filename!r}; give a name without folders")


class BlockAttachments(DecidingStep):
    """Blocks attachments by name, by declared and actual type and by size, also inside zip archives."""

    function = "workmail_rules.block_attachments:run"
    default_on_failure = OnFailure.FAIL
    guards = True

    def __init__(
        self,
        *,
        extensions: Sequence[str] = (),
        types: Sequence[str] = (),
        max_size: Size | None = None,
        then: Decision | ReplaceByNote,
        unreadable: Decision | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        """Take what is blocked, and what then happens.

        Args:
            extensions: Ends of file names with their dot, for example `PROGRAMS` or `[".exe", ".tar.gz"]`. A file that
                begins as one of them does is blocked as well, whatever its name is.
            types: Media types, declared or actual; `video/*` for all of a kind.
            max_size: The largest attachment, decoded.
            then: What to decide about the message, or `ReplaceByNote`.
            unreadable: What to decide where something cannot be looked into: an encrypted archive, a malformed message.
                By default the same as `then`, or the note's `otherwise`; `Deliver()` lets it go on.
            **options: What all steps have; see `Step`.

        Raises:
            ValueError: Nothing is blocked, or an extension or media type is not valid.
            TypeError: One string is given for a list, or something else for a decision.
        """
        super().__init__(**options)
        for argument, given in (("extensions", extensions), ("types", types)):
            if isinstance(given, str):
                raise TypeError(f"{argument}: found the string {given!r}; give a list: [{given!r}]")
        problems = [
            *(
                f"extensions: found {each!r}; an extension begins with a dot, for example .exe"
                for each in extensions
                if not _EXTENSION.fullmatch(each)
            ),
            *(
                f"types: found {each!r}; a media type is like application/pdf or video/*"
                for each in types
                if not _TYPE.fullmatch(each)
            ),
        ]
        if not extensions and not types and max_size is None:
            problems.append("extensions, types, max_size: found none of them; say what is blocked")
        if problems:
            raise ValueError("\n".join(problems))
        if then is None:
            raise TypeError("then: found None; give a decision or ReplaceByNote(text)")
        self._note: dict[str, str] | None = None
        decision: Decision | None = None
        otherwise: Decision | None = None
        if isinstance(then, ReplaceByNote):
            self._note = {"filename": then.filename, "text": then.text}
            otherwise = then.otherwise
        else:
            decision = then
        self._decisions = decisions(then=decision, otherwise=otherwise, unreadable=unreadable or decision or otherwise)
        self._criteria = {
            "extensions": sorted({each.lower() for each in extensions}),
            "types": sorted({each.lower() for each in types}),
            "max_bytes": None if max_size is None else max_size.to_bytes(),
        }

    @property
    def content_access(self) -> ContentAccess:
        """The step reads the message, and edits it to replace attachments."""
        return ContentAccess.READ if self._note is None else ContentAccess.UPDATE

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Return what is blocked and what happens; pack the library that recognizes files."""
        binding.require(PUREMAGIC)
        given = dict(self._decisions)
        if isinstance(given["unreadable"], Deliver):
            given["unreadable"] = None  # it goes on as it is: what an earlier step decided stays
        return {**self._criteria, "note": self._note, **configured(given)}
