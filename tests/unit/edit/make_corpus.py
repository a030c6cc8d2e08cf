"""Write the corpus, one small message for each shape that real mail has: `python -m tests.unit.edit.make_corpus`."""

# ruff: noqa: E501, RUF001 - a table of messages reads best with one message a line, in the characters they hold

from __future__ import annotations

import base64
import quopri
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"

HEADER = (
    "Return-Path: <ann@example.org>\r\n"
    "Received: from mx.example.org (mx.example.org [192.0.2.1])\r\n\tby inbound.example.com; Mon, 1 Jun 2026 10:00:00 +0000\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=s1;\r\n\th=from:to:subject:date; bh=aGVsbG8=; b=AAAA\r\n"
    "From: Ann <ann@example.org>\r\n"
    "To: =?utf-8?q?J=C3=BCrgen?= <j@example.com>\r\n"
    "Date: Mon, 1 Jun 2026 10:00:00 +0000\r\n"
    "Message-ID: <{name}@example.org>\r\n"
)
PDF = base64.encodebytes(b"%PDF-1.7 " + bytes(range(256))).replace(b"\n", b"\r\n").decode()
PNG = base64.encodebytes(b"\x89PNG\r\n\x1a\n" + bytes(range(128))).replace(b"\n", b"\r\n").decode()
UMLAUT = "Schöne Grüße aus Köln – bis bald"
HTML = '<html><head><title>T</title></head><body class="c">\r\n<p>Hello</p>\r\n</body></html>\r\n'


def qp(text: str, charset: str = "utf-8") -> str:
    return quopri.encodestring(text.encode(charset)).decode("ascii").replace("\r\n", "\n").replace("\n", "\r\n")


def b64(text: str, charset: str = "utf-8") -> str:
    return base64.encodebytes(text.encode(charset)).decode("ascii").replace("\n", "\r\n")


def part(content_type: str, body: str, *more: str) -> str:
    fields = [f"Content-Type: {content_type}", *more]
    return "\r\n".join(fields) + "\r\n\r\n" + body


def multipart(kind: str, boundary: str, *parts: str, more: str = "", preamble: str = "", epilogue: str = "") -> str:
    lines = "".join(f"--{boundary}\r\n{content}\r\n" for content in parts)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"{more}\r\n\r\n{preamble}{lines}--{boundary}--\r\n{epilogue}'


PLAIN = part("text/plain; charset=us-ascii", "Hello\r\n")
PLAIN_UTF8 = part("text/plain; charset=utf-8", qp(UMLAUT + "\r\n"), "Content-Transfer-Encoding: quoted-printable")
PAGE = part("text/html; charset=utf-8", HTML, "Content-Transfer-Encoding: 7bit")
PAGE_B64 = part("text/html; charset=utf-8", b64(HTML.replace("Hello", UMLAUT)), "Content-Transfer-Encoding: base64")
FILE = part(
    "application/pdf; name=a.pdf",
    PDF,
    "Content-Transfer-Encoding: base64",
    "Content-Disposition: attachment; filename=a.pdf",
)
TEXT_FILE = part(
    "text/plain; charset=utf-8; name=notes.txt", "a,b\r\n", "Content-Disposition: attachment; filename=notes.txt"
)
IMAGE = part(
    "image/png", PNG, "Content-Transfer-Encoding: base64", "Content-ID: <logo@x>", "Content-Disposition: inline"
)
ATTACHED = part("message/rfc822", "From: b@example.org\r\nSubject: inner\r\n\r\nInner text\r\n")
ICS = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
CALENDAR = part("text/calendar; charset=utf-8; method=REQUEST", ICS)
ALTERNATIVE = multipart("alternative", "alt", PLAIN_UTF8, PAGE_B64)
SIGNATURE = part(
    "application/pgp-signature; name=signature.asc",
    "-----BEGIN PGP SIGNATURE-----\r\nAAAA\r\n-----END PGP SIGNATURE-----\r\n",
)
SIGNED = multipart("signed", "sig", PLAIN, SIGNATURE, more='; micalg=pgp-sha256; protocol="application/pgp-signature"')
REPORT = multipart(
    "report",
    "rep",
    part("text/plain; charset=us-ascii", "Your message was not delivered.\r\n", "Content-Description: Notification"),
    part("message/delivery-status", "Reporting-MTA: dns; mx.example.org\r\n\r\nFinal-Recipient: rfc822; x@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n"),
    part("text/rfc822-headers", "Subject: lost\r\n"),
    more="; report-type=delivery-status",
)  # fmt: skip


def html_body(document: str, charset: str = "utf-8") -> str:
    return part(f"text/html; charset={charset}", qp(document, charset), "Content-Transfer-Encoding: quoted-printable")


def text_body(text: str, charset: str, encoding: str) -> bytes:
    body = {"base64": b64, "quoted-printable": qp}[encoding](text, charset)
    return part(f"text/plain; charset={charset}", body, f"Content-Transfer-Encoding: {encoding}").encode()


SHAPES: dict[str, str | bytes] = {
    "no-mime": "\r\nHello\r\n",
    "no-mime-empty-body": "\r\n",
    "no-mime-no-blank-line": "",
    "no-mime-no-final-newline": "\r\nHello",
    "no-mime-8bit-utf8": "\r\n" + UMLAUT + "\r\n",
    "no-mime-8bit-latin1": b"\r\nSch\xf6ne Gr\xfc\xdfe\r\n",
    "plain-7bit": PLAIN,
    "plain-charset-only": part("text/plain; charset=utf-8", "Hello\r\n"),
    "plain-comment-in-type": part('text/plain; (a comment) charset="utf-8" (another)', "Hello\r\n"),
    "plain-rfc2231-charset": part("text/plain; charset*=us-ascii'en'utf-8", "Hello\r\n"),
    "plain-folded-type": part("text/plain;\r\n\tcharset=us-ascii;\r\n\tformat=flowed; delsp=yes", "Hello \r\nworld.\r\n"),
    "plain-flowed-quoting": part("text/plain; format=flowed", "> quoted \r\n> text\r\n\r\n answer\r\n"),
    "plain-signature": part("text/plain; charset=utf-8", "Hello\r\n\r\n-- \r\nAnn\r\nExample Ltd\r\n"),
    "plain-qp": PLAIN_UTF8,
    "plain-qp-soft-end": part("text/plain; charset=utf-8", "Gr=C3=BC=C3=9Fe=", "Content-Transfer-Encoding: quoted-printable"),
    "plain-qp-encoded-newlines": part("text/plain; charset=utf-8", "a=0Ab=0Ac", "Content-Transfer-Encoding: quoted-printable"),
    "plain-base64": text_body(UMLAUT + "\n", "utf-8", "base64"),
    "plain-base64-odd-lines": part("text/plain; charset=utf-8", "SGVs\r\nbG8\r\n=\r\n", "Content-Transfer-Encoding: BASE64"),
    "plain-base64-bom": part("text/plain; charset=utf-8", b64("\ufeffHello\r\n"), "Content-Transfer-Encoding: base64"),
    "plain-base64-broken": part("text/plain", "SGVsbG8=\r\n\r\n-- list footer --\r\n", "Content-Transfer-Encoding: base64"),
    "plain-uuencode": part("text/plain", "begin 644 x\r\n`\r\nend\r\n", "Content-Transfer-Encoding: x-uuencode"),
    "plain-latin1-8bit": part("text/plain; charset=iso-8859-1", "", "Content-Transfer-Encoding: 8bit").encode() + b"Gr\xfc\xdfe\r\n",
    "plain-latin1-qp": text_body("Grüße\r\n", "iso-8859-1", "quoted-printable"),
    "plain-windows-1252": text_body("“Grüße” – €\r\n", "windows-1252", "quoted-printable"),
    "plain-cp1252-as-latin1": part("text/plain; charset=iso-8859-1", "=93Gr=FC=DFe=94\r\n", "Content-Transfer-Encoding: quoted-printable"),
    "plain-utf8-8bit": part("text/plain; charset=utf-8", UMLAUT + "\r\n", "Content-Transfer-Encoding: 8bit"),
    "plain-utf8-said-7bit": part("text/plain; charset=utf-8", UMLAUT + "\r\n", "Content-Transfer-Encoding: 7bit"),
    "plain-utf8-said-ascii": part("text/plain; charset=us-ascii", UMLAUT + "\r\n", "Content-Transfer-Encoding: 8bit"),
    "plain-iso-2022-jp": part("text/plain; charset=iso-2022-jp", "").encode() + "日本語のメール\r\nです。\r\n".encode("iso-2022-jp"),
    "plain-iso-2022-jp-undeclared": b"\r\n" + "日本語のメール\r\n".encode("iso-2022-jp"),
    "plain-shift-jis": text_body("表示ソ能\r\n", "shift_jis", "base64"),
    "plain-gb18030": text_body("你好，世界\r\n", "gb18030", "base64"),
    "plain-gb2312-8bit": part("text/plain; charset=gb2312", "", "Content-Transfer-Encoding: 8bit").encode() + "镕你好\r\n".encode("gbk"),
    "plain-koi8-r": text_body("Привет, мир\r\n", "koi8-r", "quoted-printable"),
    "plain-utf-16": text_body("Grüße 你好\r\nzwei\r\n", "utf-16", "base64"),
    "plain-utf-16be": text_body("Grüße\r\n", "utf-16be", "base64"),
    "plain-utf-7": part("text/plain; charset=utf-7", "Gr+APwA3w-e\r\n"),
    "plain-unknown-charset": part("text/plain; charset=x-unknown", "", "Content-Transfer-Encoding: 8bit").encode() + b"Gr\xfc\xdfe\r\n",
    "plain-unknown-charset-ascii": part("text/plain; charset=unknown-8bit", "Hello\r\n"),
    "plain-rot13-charset": part("text/plain; charset=rot13", "Hello\r\n"),
    "plain-pgp-inline": part("text/plain", "-----BEGIN PGP MESSAGE-----\r\n\r\nAAAA\r\n-----END PGP MESSAGE-----\r\n"),
    "plain-bare-cr-in-body": part("text/plain", "one\rtwo\r\nthree\r\n"),
    "plain-unparsable-type": "Content-Type: text\r\n\r\nHello\r\n",
    "plain-empty-type": "Content-Type:\r\n\r\nHello\r\n",
    "html-only": PAGE,
    "html-latin1-qp": html_body("<html><body>Gr\u00fc\u00dfe</body></html>", "iso-8859-1"),
    "html-meta-differs": html_body('<html><head><meta charset="iso-8859-1"></head><body>x</body></html>'),
    "html-no-charset": part("text/html", HTML),
    "html-no-body-tag": html_body("<!DOCTYPE html><html><head><title>a</title><style>p{}</style></head><p>Hello</html>"),
    "html-fragment": html_body("Hello <b>you</b><br>"),
    "html-doctype-only": html_body("<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0//EN\" \"x.dtd\">\r\n<div>Hello</div>"),
    "html-body-in-comment": html_body("<html><!-- <body> --><body bgcolor='>'><p>x</p><!-- </body> --></body></html>"),
    "html-body-in-script": html_body("<html><head><script>var a='<body>'</script></head><body>x<script>'</body>'</script></body></html>"),
    "html-conditional": html_body("<html><!--[if mso]><body class=m><![endif]--><!--[if !mso]><!--><body><!--<![endif]--><![if !vml]>x<![endif]></body></html>"),
    "html-upper-case": html_body("<HTML><BODY BGCOLOR=#fff\r\n TEXT=black>Hello</BODY></HTML>\r\n"),
    "html-two-bodies": html_body("<html><body>one</body></html><html><body>two</body></html>"),
    "html-text-after-end": html_body("<html><body>one</body></html>\r\nlist footer"),
    "html-unclosed-comment": html_body("<html><body>one<!-- never closed </body></html>"),
    "html-unclosed-style": html_body("<html><body>one<style>p {"),
    "html-unclosed-tag": html_body("<html><body>one<a href=\"x"),
    "html-frameset": html_body("<html><frameset cols='1,1'><frame src=a><noframes><body>x</body></noframes></frameset></html>"),
    "html-xml-prolog": html_body('<?xml version="1.0" encoding="utf-8"?><html xmlns="x"><head/><body>x</body></html>'),
    "html-iso-2022-jp": part("text/html; charset=iso-2022-jp", "").encode() + "<html><body>日本語ー〈本〉</body></html>".encode("iso-2022-jp"),
    "html-shift-jis": part("text/html; charset=shift_jis", "", "Content-Transfer-Encoding: 8bit").encode() + "<html><body>表ソ<br></body></html>".encode("shift_jis"),
    "html-utf-16": part("text/html; charset=utf-16", b64("<html><body>Grüße</body></html>", "utf-16"), "Content-Transfer-Encoding: base64"),
    "html-long-line": part("text/html; charset=utf-8", "<html><body>" + "<b>x</b>" * 110 + "</body></html>"),
    "html-empty": part("text/html", ""),
    "alternative": ALTERNATIVE,
    "alternative-related": multipart("alternative", "alt", PLAIN, multipart("related", "rel", PAGE, IMAGE, more="; type=text/html")),
    "related-alternative": multipart("related", "rel", ALTERNATIVE, IMAGE),
    "related-start": multipart("related", "rel", IMAGE, part("text/html", HTML, "Content-ID: <root>"), more="; start=\"<root>\""),
    "alternative-apple": multipart("alternative", "alt", PLAIN, multipart("mixed", "mix", PAGE, FILE, PAGE)),
    "alternative-amp": multipart("alternative", "alt", PLAIN, part("text/x-amp-html; charset=utf-8", "<!doctype html><html amp4email><head></head><body>x</body></html>"), PAGE),
    "mixed-attachment": multipart("mixed", "mix", PLAIN, FILE),
    "mixed-alternative-attachment": multipart("mixed", "mix", ALTERNATIVE, FILE, TEXT_FILE),
    "mixed-apple": multipart("mixed", "mix", PLAIN, FILE, PLAIN_UTF8),
    "mixed-text-file": multipart("mixed", "mix", PLAIN, TEXT_FILE),
    "mixed-only-files": multipart("mixed", "mix", FILE, TEXT_FILE),
    "mixed-attached-message": multipart("mixed", "mix", PLAIN, ATTACHED),
    "mixed-list-footer": multipart("mixed", "mix", ALTERNATIVE, part("text/plain", "____\r\nlist footer\r\n")),
    "mixed-preamble-epilogue": multipart("mixed", "mix", PLAIN, FILE, preamble="This is MIME.\r\n--mixx\r\n", epilogue="\r\nthe end\r\n"),
    "mixed-empty-part": multipart("mixed", "mix", part("text/plain", ""), FILE),
    "mixed-part-without-header": multipart("mixed", "mix", "\r\nHello", FILE),
    "mixed-part-without-blank-line": multipart("mixed", "mix", "Content-Type: text/plain", FILE),
    "mixed-nested-prefix": multipart("mixed", "a", multipart("alternative", "ab", PLAIN, PAGE), FILE),
    "mixed-boundary-rfc2231": "Content-Type: multipart/mixed; boundary*0=\"m\"; boundary*1=\"ix\"\r\n\r\n--mix\r\n" + PLAIN + "\r\n--mix--\r\n",
    "mixed-boundary-unquoted": "Content-Type: multipart/mixed;\r\n boundary=----=_Part_1.2\r\n\r\n------=_Part_1.2  \r\n" + PLAIN + "\r\n------=_Part_1.2--",
    "mixed-filename-rfc2231": multipart("mixed", "mix", PLAIN, part("application/pdf", PDF, "Content-Transfer-Encoding: base64", "Content-Disposition: attachment; filename*0*=utf-8''Gr%C3%BC; filename*1=sse.pdf")),
    "mixed-deep": multipart("mixed", "m1", multipart("mixed", "m2", multipart("related", "m3", multipart("alternative", "m4", PLAIN, PAGE), IMAGE), FILE), FILE),
    "signed-pgp": SIGNED,
    "signed-pgp-list": multipart("mixed", "mix", SIGNED, part("text/plain", "____\r\nlist footer\r\n")),
    "signed-smime-opaque": part("application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", PDF, "Content-Transfer-Encoding: base64"),
    "encrypted-pgp": multipart("encrypted", "enc", part("application/pgp-encrypted", "Version: 1\r\n"), part("application/octet-stream", "AAAA\r\n"), more="; protocol=\"application/pgp-encrypted\""),
    "encrypted-smime": part("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", PDF, "Content-Transfer-Encoding: base64", "Content-Disposition: attachment; filename=smime.p7m"),
    "calendar-alternative": multipart("alternative", "alt", PLAIN, PAGE, CALENDAR),
    "calendar-outlook": multipart("mixed", "mix", multipart("alternative", "alt", PLAIN, PAGE, CALENDAR), part("application/ics; name=invite.ics", b64(ICS), "Content-Transfer-Encoding: base64", "Content-Disposition: attachment; filename=invite.ics")),
    "calendar-only": CALENDAR,
    "report-delivery": REPORT,
    "digest": multipart("digest", "dig", "\r\nFrom: x@example.org\r\n\r\none\r\n", "\r\nFrom: y@example.org\r\n\r\ntwo\r\n"),
    "file-only": FILE,
    "image-only": part("image/png", PNG, "Content-Transfer-Encoding: base64"),
    "message-only": ATTACHED,
    "partial": part('message/partial; id="x"; number=1; total=2', "Content-Type: text/plain\r\n\r\nHel"),
    "tnef": multipart("mixed", "mix", PLAIN, part("application/ms-tnef; name=winmail.dat", PDF, "Content-Transfer-Encoding: base64")),
    "broken-no-boundary": "Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\nHello\r\n--x--\r\n",
    "broken-other-boundary": "Content-Type: multipart/mixed; boundary=y\r\n\r\n--x\r\n\r\nHello\r\n--x--\r\n",
    "broken-no-closing": "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nHello\r\n",
    "broken-same-boundary": multipart("mixed", "x", multipart("alternative", "x", PLAIN, PAGE), FILE),
    "broken-encoded-multipart": multipart("mixed", "x", PLAIN).replace("\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1),
    "broken-header-line": "This is no header\r\nX-A: b\r\n\r\nHello\r\n",
    "broken-two-types": "Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\nHello\r\n",
    "broken-bare-cr-boundary": "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nHello\r--x\r\n\r\nyou\r\n--x--\r\n",
}  # fmt: skip

SUBJECTS = {
    "html-only": "=?utf-8?b?R3LDvMOfZQ==?= =?utf-8?q?_und_mehr?=",
    "plain-7bit": "A rather long subject that goes on and on, until it nearly fills\r\n its line and then some",
    "plain-qp": "Re: [EXT] hello",
    "plain-base64": "",
    "no-mime-8bit-utf8": "Gr\u00fc\u00dfe roh",
}
REPLIES = {
    "reply-quoting": ("Thanks!\r\n\r\nOn Monday Ann wrote:\r\n> Hello\r\n>\r\n> {footer}\r\n", "text/plain"),
    "reply-outlook": ("Thanks!\r\n\r\n-----Original Message-----\r\nFrom: Ann\r\nSent: Monday\r\n\r\nHello\r\n\r\n{footer}\r\n", "text/plain"),
    "reply-html": ("<html><body>Thanks!<blockquote><div data-workmail-edit=\"footer-0011223344556677\">{footer}</div></blockquote></body></html>", "text/html"),
    "reply-html-flat": ("<html><body>Thanks!<hr>Hello\r\n<div data-workmail-edit=\"footer-0011223344556677\">{footer}</div>\r\n</body></html>", "text/html"),
}  # fmt: skip
FOOTER = "This message is confidential."


def messages() -> dict[str, bytes]:
    """Every message of the corpus by its name."""
    made: dict[str, bytes] = {}
    for name, rest in SHAPES.items():
        subject = f"Subject: {SUBJECTS.get(name, 'Quarterly figures')}\r\n"
        head = HEADER.format(name=name) + subject
        if not name.startswith("no-mime"):
            head += "MIME-Version: 1.0\r\n"
        made[name] = head.encode() + (rest if isinstance(rest, bytes) else rest.encode())
    for name, (text, content_type) in REPLIES.items():
        head = HEADER.format(name=name) + "Subject: Re: Hello\r\nIn-Reply-To: <1@example.com>\r\nMIME-Version: 1.0\r\n"
        made[name] = (head + part(content_type, text.format(footer=FOOTER))).encode()
    made["lf-alternative"] = made["alternative"].replace(b"\r\n", b"\n")
    made["lf-plain-qp"] = made["plain-qp"].replace(b"\r\n", b"\n")
    made["mbox-line"] = b"From ann@example.org Mon Jun  1 10:00:00 2026\r\n" + made["plain-7bit"]
    made["no-subject"] = made["plain-7bit"].replace(b"Subject:", b"X-Subject:")
    made["header-8bit"] = made["plain-7bit"].replace(b"From: Ann", b"From: Ann\xe9")
    made["header-huge"] = (
        b"X-Huge:" + b"\r\n aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" * 2_000 + b"\r\n" + made["plain-7bit"]
    )
    made["broken-empty"] = b""
    made["broken-body-only"] = b"\r\nHello\r\n"
    made["broken-no-blank-line"] = made["plain-7bit"].replace(b"\r\n\r\n", b"\r\n")
    return made


def main() -> None:
    for name, message in messages().items():
        (CORPUS / f"{name}.eml").write_bytes(message)


if __name__ == "__main__":
    main()
