"""The steps that save, list, block and filter: deployed, with real messages and their AWS services."""

from __future__ import annotations

import io
import json
import zipfile
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.constructs.steps.installed_wheel import offer_installed
from workmail_local.testing.workmail_local import WorkMailLocal

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("filter-steps")

APP = Path(__file__).parent / "filters_app"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkMailLocal]:
    folder = tmp_path_factory.mktemp("filters")
    with pytest.MonkeyPatch.context() as patch:
        offer_installed("puremagic", folder / "wheels", patch)
        with WorkMailLocal.running(folder / "state", time_scale=60) as running:
            running.deploy_app(APP)
            yield running


def mail(*files: tuple[str, bytes], sender: str = "carol@example.net", **headers: str) -> bytes:
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Subject"] = sender, "alice@example.com", "Secret merger"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content("Hello\n")
    for name, content in files:
        made.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return bytes(made)


def archive(local: WorkMailLocal) -> tuple[Any, str]:
    s3 = local.client("s3")
    (bucket,) = [each["Name"] for each in s3.list_buckets()["Buckets"] if "archive" in each["Name"]]
    return s3, bucket


def saved(local: WorkMailLocal, prefix: str) -> dict[str, bytes]:
    s3, bucket = archive(local)
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


@pytest.mark.fact("C1", "R2")
def test_a_message_is_saved_as_it_came_and_goes_on_with_its_key(local: WorkMailLocal) -> None:
    raw = mail(X_Saved_As="forged")
    sent = local.send(raw)
    assert sent.succeeded, sent.attempts
    (event,) = sent.events
    (key,) = sent.message.get_all("X-Saved-As")
    assert key.startswith("in/20")
    assert key.endswith(f"/inbound/{event['messageId']}/{event['invocationId']}.eml")
    objects = saved(local, key.removesuffix("eml"))
    assert objects[key] == raw
    assert json.loads(objects[key.replace(".eml", ".json")]) == event
    assert sent.actions == {"alice@example.com": "DEFAULT"}
    assert "carol" not in sent.logs
    assert "merger" not in sent.logs


def test_an_administrator_edits_the_lists_of_senders(local: WorkMailLocal) -> None:
    dynamodb = local.client("dynamodb")
    (table,) = [name for name in dynamodb.list_tables()["TableNames"] if "Senders" in name]
    for pattern, name in (("*.bad.example", "BLOCK"), ("partner.example", "allow"), ("typo.example", "BLOKC")):
        dynamodb.put_item(TableName=table, Item={"pattern": {"S": pattern}, "list": {"S": name}})
    senders = ("dave@mail.bad.example", "erin@partner.example", "frank@typo.example", "carol@example.net")
    sent = {sender: local.send(mail(sender=sender)) for sender in senders}
    assert {sender: each.actions["alice@example.com"] for sender, each in sent.items()} == {
        "dave@mail.bad.example": "DROP",
        "erin@partner.example": "BYPASS_SPAM_CHECK",
        "frank@typo.example": "BOUNCE",
        "carol@example.net": "DEFAULT",
    }
    assert [each.succeeded for each in sent.values()] == [True, True, False, True]


@pytest.mark.fact("E7", "T2")
def test_a_message_is_saved_once_however_often_a_later_step_fails(local: WorkMailLocal) -> None:
    (table,) = [name for name in local.client("dynamodb").list_tables()["TableNames"] if "Senders" in name]
    item = {"pattern": {"S": "misspelt.example"}, "list": {"S": "BLOKC"}}
    local.client("dynamodb").put_item(TableName=table, Item=item)
    sent = local.send(mail(sender="frank@misspelt.example"))
    s3, bucket = archive(local)
    (event,) = sent.events
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    kinds = [each["Key"].rpartition(".")[2] for each in versions if event["invocationId"] in each["Key"]]
    assert len(sent.attempts) > 1
    assert sorted(kinds) == ["eml", "json"]


def test_each_recipient_is_looked_up(local: WorkMailLocal) -> None:
    sent = local.send(mail(), rcpt=["alice@example.com", "closed@example.com"])
    assert sent.actions == {"alice@example.com": "DEFAULT", "closed@example.com": "BOUNCE"}


def test_programs_are_replaced_by_a_note_on_the_way_in_and_bounced_on_the_way_out(local: WorkMailLocal) -> None:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as made:
        made.writestr("invoice.pdf", b"MZ\x90\x00" + bytes(100))
    files = [("evil.exe", b"x"), ("invoices.zip", zipped.getvalue()), ("letter.txt", b"kept")]
    inbound = local.send(mail(*files))
    assert inbound.succeeded, inbound.attempts
    assert [part.get_filename() for part in inbound.message.iter_attachments()] == [
        *("removed.txt", "removed.txt", "letter.txt")
    ]
    raw = mail(*files, sender="alice@example.com").replace(b"To: alice@example.com", b"To: carol@example.net")
    outbound = local.send(raw, direction="outbound")
    assert outbound.actions == {"carol@example.net": "BOUNCE"}
    assert [content for key, content in saved(local, "out/").items() if key.endswith(".eml")] == [raw]


@pytest.mark.parametrize(
    ("headers", "action"),
    [
        ({"X_Spam": "YES, score=9"}, "MOVE_TO_JUNK"),
        ({"X_Spam": "NO"}, "DEFAULT"),
        ({"Authentication_Results": "mx.example.com; spf=fail"}, "MOVE_TO_JUNK"),
        ({"Authentication_Results": "mx.example.net; spf=fail"}, "DEFAULT"),
    ],
)
def test_headers_decide(local: WorkMailLocal, headers: dict[str, str], action: str) -> None:
    assert local.send(mail(**headers)).actions == {"alice@example.com": action}


@pytest.mark.fact("T2")
def test_what_cannot_be_saved_is_not_delivered(local: WorkMailLocal) -> None:
    s3, bucket = archive(local)
    denial: dict[str, Any] = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*"}
    denial["Resource"] = f"arn:aws:s3:::{bucket}/*"
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [denial]}))
    before = saved(local, "")
    sent = local.send(mail())
    s3.delete_bucket_policy(Bucket=bucket)
    assert (sent.succeeded, sent.actions) == (False, {"alice@example.com": "BOUNCE"})
    assert saved(local, "") == before
