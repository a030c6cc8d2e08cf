"""Which parts of a message a reader sees as its text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workmail_runtime.edit.refusal import EditRefusal, EditRefusedError

if TYPE_CHECKING:
    from workmail_runtime.edit.mime_part import MimePart

_SMIME_TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
# Mail programs act on these by where they find them; a part beside one of them hides it.
_FIXED_TYPES = frozenset({"text/calendar", "message/partial", "message/external-body", "message/delivery-status",
                          "message/disposition-notification"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bodies:
    """Where a banner and a footer go: text parts to write into, and other parts to put a new text beside."""

    top: tuple[MimePart, ...]
    bottom: tuple[MimePart, ...]


def find_bodies(root: MimePart) -> Bodies:
    """Find the parts that a banner and a footer belong to.

    Of a multipart/alternative that is every alternative; of multipart/related its root; of multipart/report its first
    part, which is for people. In multipart/mixed the first child with a text is the top. The bottom is the last
    alternative (or signed part) wherever it stands, because some programs show a list's footer behind it as a file;
    without one, the last text. Named files and attachments are no body.

    Raises:
        EditRefusedError: The body is encrypted or wrapped in its signature, or there is none and a new part would
            break what the message is for.
    """
    top = _bodies(root, last=False)
    if top:
        return Bodies(tuple(top), tuple(_bodies(root, last=True)))
    require_room_beside(root)
    return Bodies((root,), (root,))


def require_room_beside(root: MimePart) -> None:
    """Make sure that a new part may stand beside what the message holds.

    Raises:
        EditRefusedError: The message is encrypted, wrapped in its signature, or acted on for its structure.
    """
    _require_readable(root)
    fixed = next((part for part in root.walk() if part.content_type in _FIXED_TYPES and not part.is_attachment), None)
    if fixed is not None and fixed.parent in {None, root} and root.content_type != "multipart/mixed":
        raise EditRefusedError(
            EditRefusal.FIXED_STRUCTURE,
            f"the message is there for {fixed.name} ({fixed.content_type}), which programs do not find beside"
            " a new part",
        )


def _bodies(part: MimePart, *, last: bool) -> list[MimePart]:
    _require_readable(part)
    match part.content_type:
        case "multipart/signed":
            return [part]
        case "multipart/alternative":
            return [body for child in part.children for body in _bodies(child, last=last)]
        case "multipart/related":
            return _bodies(_related_root(part), last=last)
        case "multipart/report":
            return _bodies(part.children[0], last=last)
        case _ if part.is_multipart:
            return _bodies_of_mixed(part, last=last)
        case _:
            return [part] if part.is_text else []


def _bodies_of_mixed(part: MimePart, *, last: bool) -> list[MimePart]:
    found: list[tuple[MimePart, list[MimePart]]] = []
    refused: EditRefusedError | None = None
    for child in part.children:
        try:
            bodies = _bodies(child, last=last)
        except EditRefusedError as error:
            refused = refused or error
            continue
        if bodies and not (child.is_text and child.filename):
            found.append((child, bodies))
    if not found:
        if refused:
            raise refused
        return []
    if not last:
        return found[0][1]  # what a sender puts before the alternative must not push the banner down
    best = [bodies for child, bodies in found if child.is_multipart] or [bodies for _, bodies in found]
    return best[-1]


def _related_root(part: MimePart) -> MimePart:
    wanted = part.parameters.get("start", "").strip("<> ")
    named = [child for child in part.children if wanted and child.content_id == wanted]
    return (named or part.children)[0]


def _require_readable(part: MimePart) -> None:
    if part.content_type == "multipart/encrypted":
        raise EditRefusedError(EditRefusal.ENCRYPTED, f"{part.name} is {part.content_type}")
    if (part.content_type in _SMIME_TYPES and part.disposition != "attachment") or (
        part.content_type in _SMIME_TYPES and part.parent is None
    ):
        kind = part.parameters.get("smime-type", "").lower()
        if kind == "certs-only":
            return
        reason = EditRefusal.SIGNED if kind in {"signed-data", "compressed-data"} else EditRefusal.ENCRYPTED
        raise EditRefusedError(reason, f"{part.name} is {part.content_type} ({kind or 'of no declared smime-type'})")
