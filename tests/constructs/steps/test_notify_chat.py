"""NotifyChat in a rule: its configuration, its rights, and arguments that it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk.aws_kms import Key
from aws_cdk.aws_secretsmanager import Secret

from tests.constructs.stacks import new_stack, only
from tests.constructs.steps.configuration import packed_configuration, step_rights
from workmail_constructs.content_access import ContentAccess
from workmail_constructs.steps.chat import Slack, Teams, Webhook
from workmail_constructs.steps.notify_chat import NotifyChat

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET_ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:Webhook-AbCdEf"


def test_the_configuration_has_no_secret_but_its_arn() -> None:
    stack = new_stack()
    chat = Slack("Mail", show=["SUBJECT", "RECIPIENT_COUNT"])
    step = NotifyChat(chat, webhook=Secret.from_secret_complete_arn(stack, "Secret", SECRET_ARN), subject_words=[" a "])
    (configuration,) = packed_configuration(stack, step)
    assert configuration == {
        "document": {
            "chat": "SLACK",
            "text": "Mail",
            "show": [["subject", "Subject"], ["recipient_count", "Recipient count"]],
        },
        "subject_words": ["a"],
        "sender_words": [],
        "header_words": {},
        "webhook": SECRET_ARN,
    }


def test_the_arn_of_a_secret_of_the_stack_comes_through_the_environment() -> None:
    stack = new_stack(env=None)
    (configuration,) = packed_configuration(stack, NotifyChat(Teams("Mail"), webhook=Secret(stack, "Webhook")))
    assert configuration["webhook"] == {"$environment": "WORKMAIL_STEP_VALUE_0"}
    variables = only(stack, "AWS::Lambda::Function")["Environment"]["Variables"]
    (secret,) = {arn["Ref"] for name, arn in variables.items() if name == "WORKMAIL_STEP_VALUE_0"}
    assert secret.startswith("Webhook")


def test_it_may_read_its_secret_only() -> None:
    stack = new_stack()
    secret = Secret.from_secret_complete_arn(stack, "Secret", SECRET_ARN)
    packed_configuration(stack, NotifyChat(Slack("Mail"), webhook=secret))
    assert step_rights(stack) == [{"Action": "secretsmanager:GetSecretValue", "Resource": SECRET_ARN}]


def test_a_secret_by_its_name_is_granted_with_the_characters_that_end_its_arn() -> None:
    stack = new_stack()
    packed_configuration(
        stack, NotifyChat(Slack("Mail"), webhook=Secret.from_secret_name_v2(stack, "Secret", "chat/webhook"))
    )
    (statement,) = step_rights(stack)
    assert statement["Resource"]["Fn::Join"][1][-1].endswith(":secret:chat/webhook-??????")


def test_a_key_of_the_secret_is_used_for_this_secret_only() -> None:
    stack = new_stack()
    secret = Secret(stack, "Secret", encryption_key=Key(stack, "Key"))
    packed_configuration(stack, NotifyChat(Slack("Mail"), webhook=secret))
    (decrypt,) = [each for each in step_rights(stack) if each["Action"] == "kms:Decrypt"]
    assert decrypt["Condition"]["StringEquals"] == {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"}
    ((name, arn),) = decrypt["Condition"]["StringLike"].items()
    assert (name, arn["Ref"][:6]) == ("kms:EncryptionContext:SecretARN", "Secret")


def test_only_words_in_the_header_need_content() -> None:
    secret = Secret.from_secret_complete_arn(new_stack(), "Secret", SECRET_ARN)
    assert NotifyChat(Slack("x"), webhook=secret, subject_words=["a"]).content_access is ContentAccess.NONE
    assert NotifyChat(Slack("x"), webhook=secret, header_words={"X": ["a"]}).content_access is ContentAccess.READ


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Slack(" "), r"Slack.text: found 1 characters; give 1 to 3000"),
        (lambda: Teams("x" * 3001), r"Teams.text: found 3001 characters; give 1 to 3000"),
        (lambda: Slack("x", show=["BODY"]), r"Slack.show: found 'BODY'; allowed: SUBJECT, SENDER"),
        (lambda: Webhook({"a": "{body} {title}"}, markup="NONE"), r"Webhook.body: found {body}, {title}; allowed: {su"),
        (lambda: Webhook({"a": ["{x}"]}, markup="NONE"), r"Webhook.body: found {x}; allowed"),
        (lambda: Webhook({"a": object()}, markup="NONE"), r"Webhook.body: found what JSON cannot hold"),
        (lambda: Webhook({}, markup="BBCODE"), r"Webhook.markup: found 'BBCODE'; allowed: NONE, MARKDOWN, HTML"),
    ],
)
def test_a_chat_refuses_what_it_cannot_post(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_one_string_for_what_is_shown_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Slack.show: found the string 'SUBJECT'; give a list: \['SUBJECT'\]"):
        Slack("x", show="SUBJECT")


def test_all_filters_that_are_wrong_are_named_together() -> None:
    secret = Secret.from_secret_complete_arn(new_stack(), "Secret", SECRET_ARN)
    words: dict[str, Any] = {"subject_words": [""], "header_words": {"X Y": ["a"], "X": []}}
    with pytest.raises(ValueError, match=r"subject_words: .*; header_words\['X'\]: .*; header_words: found 'X Y'"):
        NotifyChat(Slack("x"), webhook=secret, **words)


def test_one_string_for_words_is_refused() -> None:
    secret = Secret.from_secret_complete_arn(new_stack(), "Secret", SECRET_ARN)
    with pytest.raises(TypeError, match=r"sender_words: found the string 'alice'; give a list of words: \['alice'\]"):
        NotifyChat(Slack("x"), webhook=secret, sender_words="alice")
