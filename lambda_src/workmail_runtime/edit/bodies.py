"""Which parts of a message a reader sees first and last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workmail_runtime.edit.mime_part import HTML_TYPES
from workmail_runtime.edit.refusal import EditRefusal, EditRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workmail_runtime.edit.mime_part import MimePart

_SMIME_TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
# Mail programs act on these by where they find them; a part beside one of them hides it.
_FIXED_TYPES = frozenset({"text/calendar", "message/partial", "message/external-body", "message/delivery-status",
                          "message/disposition-notification"})  # fmt: skip
_WRITABLE_TYPES = HTML_TYPES | {"text/plain"}


@dataclass(frozen=True, slots=True)
class Bodies:
    """Where a banner and a footer go: text parts to write into, and other parts to put a new text beside."""

    top: dict[MimePart, None]
    bottom: dict[MimePart, None]


def find_bodies(root: MimePart) -> Bodies:
    """Find the parts that a banner and a footer belong to.

    Programs choose in different ways what of a message they show, and a sender knows that. So a banner goes

    - into every alternative, and beside one that is no text;
    - into every text of a multipart/related, whichever of them is taken for its root;
    - in every other multipart into the first text of each kind, plain and HTML, because some programs show one kind
      only, and above everything else that is shown before the first.

    A footer goes into the last alternative (or behind the last signed part) wherever it stands, because some programs
    show a list's footer behind it as a file; without one, into the last text. Named texts and attachments are no body.

    Raises:
        EditRefusedError: The body is encrypted or wrapped in its signature, or there is none and a new part would
            break what the message is for.
    """
    top = _bodies(root, _bodies_at_top)
    if top:
        return Bodies(dict.fromkeys(top), dict.fromkeys(_bodies(root, _bodies_at_bottom)))
    require_room_beside(root)
    return Bodies({root: None}, {root: None})


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


def _bodies(part: MimePart, choose: Callable[[MimePart], list[MimePart]]) -> list[MimePart]:
    _require_readable(part)
    match part.content_type:
        case "multipart/signed":
            return [part]
        case "multipart/alternative":
            return _bodies_of_alternatives(part, choose)
        case "multipart/related":
            return _bodies_of_related(part, choose)
        case _ if part.is_multipart:
            return choose(part)
        case _:
            return [part] if is_body_text(part) else []


def is_body_text(part: MimePart) -> bool:
    """Whether programs show a part as text in place, so that another text is to be written into it.

    As an alternative, or as the root of a multipart/related, it is shown even if it claims to be an attachment.
    """
    if part.parent is None or part.is_text:
        return part.is_text
    if part.parent.content_type == "multipart/alternative":
        return part.content_type in _WRITABLE_TYPES
    return part.content_type == "text/html" and part in _related_roots(part.parent)


def _related_roots(part: MimePart) -> set[MimePart]:
    """What programs may take for the root of a multipart/related; some do not look at its start parameter."""
    if part.content_type != "multipart/related":
        return set()
    start = part.parameters.get("start", "").strip("<> ")
    return {part.children[0], *(child for child in part.children if start and child.content_id == start)}


def _bodies_of_alternatives(part: MimePart, choose: Callable[[MimePart], list[MimePart]]) -> list[MimePart]:
    alternatives: list[MimePart] = []
    has_text = False
    for child in part.children:
        bodies = _bodies(child, choose)
        has_text |= bool(bodies)
        alternatives += bodies or ([] if child.content_type in _FIXED_TYPES else [child])
    return alternatives if has_text else []


def _bodies_of_related(part: MimePart, choose: Callable[[MimePart], list[MimePart]]) -> list[MimePart]:
    roots = _related_roots(part)
    bodies: list[MimePart] = []
    for child in part.children:
        found = [] if child.filename and child not in roots else _bodies(child, choose)
        if found:
            bodies += found
            roots.discard(child)
    return [part, *bodies] if roots and bodies else bodies


def _bodies_at_top(part: MimePart) -> list[MimePart]:
    bodies: list[MimePart] = []
    kinds: set[bool] = set()
    is_behind = False
    for child, found in _children_with_bodies(part, _bodies_at_top):
        if not found:
            is_behind |= not bodies and _is_shown(child)
        elif not (new := {body.is_html for body in found}) <= kinds:
            bodies += found
            kinds |= new
    return [part, *bodies] if is_behind and bodies else bodies


def _bodies_at_bottom(part: MimePart) -> list[MimePart]:
    found = [(child, bodies) for child, bodies in _children_with_bodies(part, _bodies_at_bottom) if bodies]
    found = [(child, bodies) for child, bodies in found if child.is_multipart] or found
    return found[-1][1] if found else []


def _children_with_bodies(
    part: MimePart, choose: Callable[[MimePart], list[MimePart]]
) -> list[tuple[MimePart, list[MimePart]]]:
    """Each child with its bodies; none for a named text, and for one that is encrypted unless all are."""
    children: list[tuple[MimePart, list[MimePart]]] = []
    refused: EditRefusedError | None = None
    for child in part.children:
        bodies: list[MimePart] = []
        if not (child.is_text and child.filename):
            try:
                bodies = _bodies(child, choose)
            except EditRefusedError as error:
                refused = refused or error
        children.append((child, bodies))
    if refused and not any(bodies for _, bodies in children):
        raise refused
    return children


def _is_shown(part: MimePart) -> bool:
    """Whether some program shows a part in place, whatever its disposition says."""
    return not part.content_type.startswith("application/") or part.content_type == "application/pdf"


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
