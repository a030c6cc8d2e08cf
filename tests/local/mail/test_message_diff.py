from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workmail_local.mail.message_diff import diff_messages

HEAD = b"From: a@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"


def test_nothing_changed() -> None:
    assert diff_messages(HEAD + b"\r\nx", HEAD + b"\r\nx") == ""


def test_headers_and_bodies_are_decoded() -> None:
    before = HEAD + b"Content-Type: text/plain; charset=latin-1\r\n\r\nsch\xf6n\r\nlast\r\n"
    after = before.replace(b"Gr=C3=BC=C3=9Fe", b"x_Gr=C3=BC=C3=9Fe").replace(b"sch\xf6n", b"sehr sch\xf6n")
    diff = diff_messages(before, after)
    assert "-Subject: Gr\u00fc\u00dfe\n+Subject: x Gr\u00fc\u00dfe\n" in diff
    assert "-sch\u00f6n\n+sehr sch\u00f6n\n last" in diff
    assert diff.startswith(f"--- before ({len(before)} bytes)\n+++ after ({len(after)} bytes)\n")


def test_binary_parts_are_shown_by_size_and_hash() -> None:
    def message(content: bytes) -> bytes:
        return (
            HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\ntext\r\n--b\r\n'
            b"Content-Type: application/pdf\r\n\r\n" + content + b"\r\n--b--\r\n"
        )

    diff = diff_messages(message(b"\x00" * 10), message(b"\x01" * 20))
    assert "-[application/pdf, 10 bytes, sha256 01d448afd928065458cf670b60f5a594]"[:40] in diff
    assert "+[application/pdf, 20 bytes, sha256 " in diff
    assert "--- part 2 ---" in diff


def test_a_change_that_nobody_can_read_is_reported_too() -> None:
    diff = diff_messages(HEAD + b"\r\nx", HEAD.replace(b": a@", b":\r\n a@") + b"\r\nx")
    assert diff.startswith("headers and bodies read the same")


def test_broken_messages_are_compared_too() -> None:
    head = b"Content-Type: multipart/mixed; boundary=x\r\nSubject: =?nope?q?\xff?=\r\n\r\n"
    broken = head + b"--x\r\nContent-Type: text/plain; charset=none\r\n\r\n\xff"
    assert "+" in diff_messages(broken, broken + b"more")


def test_more_lines_than_anybody_reads_are_reported_as_changed() -> None:
    message = HEAD + b"\r\n" + b"x\r\n" * 20_000
    diff = diff_messages(message, message + b"more")
    assert diff == "changed, with too many lines to compare: 60,080 bytes before, 60,084 bytes after"


def test_parts_nested_without_end_are_compared_as_far_as_they_are_read() -> None:
    message = b"Content-Type: message/rfc822\r\n\r\n" * 2_000
    removed, added = diff_messages(message, message + b"more").splitlines()[-2:]
    assert removed.startswith("-[message/rfc822, ")
    assert added.startswith("+[message/rfc822, ")


@pytest.mark.parametrize("lines", [["a", "b"], [str(number) for number in range(70)]], ids=["two", "seventy"])
def test_lines_made_to_hold_the_comparison_up_are_compared_in_bounded_time(lines: list[str]) -> None:
    old = "".join(f"{lines[number % len(lines)]}\r\n" for number in range(5_000)).encode()
    new = "".join(
        f"{lines[number * 7 % len(lines)]}x\r\n{lines[number % 3 % len(lines)]}\r\n" for number in range(2_500)
    )
    start = time.process_time()
    diff = diff_messages(HEAD + b"\r\n" + old + b"end\r\n", HEAD + b"\r\n" + new.encode() + b"end\r\n")
    assert time.process_time() - start < 2
    assert diff.startswith("--- before")
    assert diff.endswith(" end")


_LINES = st.lists(st.sampled_from("abc"), max_size=30)


@given(_LINES, _LINES)
def test_a_diff_leads_from_the_old_message_to_the_new_one(before: list[str], after: list[str]) -> None:
    old, new = ["A: b", "", *before], ["A: b", "", *after]
    diff = diff_messages("\n".join(old).encode(), "\n".join(new).encode())
    assert _applied(old, diff.splitlines()[2:]) == new


def _applied(old: list[str], hunks: list[str]) -> list[str]:
    new: list[str] = []
    position = 0
    for line in hunks:
        match line[0]:
            case "@":
                number, _, length = line.split()[1].removeprefix("-").partition(",")
                start = int(number) - (length != "0")
                new += old[position:start]
                position = start
            case "+":
                new.append(line[1:])
            case _:
                new += [line[1:]] * (line[0] == " ")
                position += 1
    return new + old[position:]
