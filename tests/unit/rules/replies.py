"""How mail programs write a reply: each quotes what was there in its own way."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TypeAlias

Program: TypeAlias = Callable[[str, str, str], tuple[str, str]]
"""Gets text, HTML and the reply's own words; returns the reply's text and HTML."""


def gmail(text: str, html: str, own: str) -> tuple[str, str]:
    """Gmail: its own line, quote marks; a blockquote in a div, and long lines wrapped anew."""
    said = "On Mon, Jun 1, 2026 at 10:00 AM Eve <eve@example.net> wrote:"
    markup = (
        f'<div dir="ltr">{own}</div><br><div class="gmail_quote">'
        f'<div dir="ltr" class="gmail_attr">{escape(said)}<br></div>'
        f'<blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex">{html}</blockquote></div>'
    )
    return f"{own}\n\n{said}\n\n{_marked(text, 70)}\n", markup


def outlook(text: str, html: str, own: str) -> tuple[str, str]:
    """Outlook: no quote marks, a header of the quoted message; blocks become MsoNormal paragraphs."""
    head = "From: Eve <eve@example.net>\nSent: Monday, June 1, 2026 10:00 AM\nTo: Ann\nSubject: Hello"
    blocks = html.replace("<div>", '<div><p class="MsoNormal">').replace("</div>", "<o:p></o:p></p></div>")
    shown = escape(head).replace("\n", "<br>\n")
    markup = (
        f'<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><style>p.MsoNormal{{margin:0cm}}</style></head>'
        f'<body lang="EN-US"><div class="WordSection1"><p class="MsoNormal">{own}<o:p></o:p></p>'
        f'<div style="border-top:solid #E1E1E1 1.0pt"><p class="MsoNormal">{shown}</p></div>'
        f"{blocks}</div></body></html>"
    )
    return f"{own}\n\n________________________________\n{head}\n\n{text}\n", markup


def apple_mail(text: str, html: str, own: str) -> tuple[str, str]:
    """Apple Mail: quote marks; a blockquote of type cite, and a space that does not break behind each line."""
    said = "On 1 Jun 2026, at 10:00, Eve <eve@example.net> wrote:"
    markup = (
        f'<html><body style="line-break: after-white-space;">{own}<div><br><blockquote type="cite">'
        f"<div>{escape(said)}</div>"
        f'<br class="Apple-interchange-newline"><div>{html}</div></blockquote></div><br></body></html>'
    )
    return f"{own}\n\n> {said}\n> \n{_marked(text, 1000)}\n", markup


PROGRAMS: dict[str, Program] = {
    "gmail": gmail,
    "outlook": outlook,
    "apple-mail": apple_mail,
}


def _marked(text: str, width: int) -> str:
    lines: list[str] = []
    for line in text.split("\n"):
        while len(line) > width:
            at = line.rfind(" ", 0, width)
            lines.append(line[:at])
            line = line[at + 1 :]
        lines.append(line)
    return "\n".join(f"> {line}" if not line.startswith(">") else f">{line}" for line in lines)
