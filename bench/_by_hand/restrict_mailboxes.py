"""Members of a group get no mail from outside; the directory is read for each message, as the public sample does."""

import os

import boto3

workmail = boto3.client("workmail")
DOMAIN = "@example.com"


def members():
    organization = os.environ["ORGANIZATION"]
    group = workmail.describe_entity(OrganizationId=organization, Email="interns@example.com")["EntityId"]
    pages = workmail.get_paginator("list_group_members").paginate(OrganizationId=organization, GroupId=group)
    return {member["Id"] for page in pages for member in page["Members"]}


def entity(address):
    return workmail.describe_entity(OrganizationId=os.environ["ORGANIZATION"], Email=address)["EntityId"]


def handler(event, context):
    actions = []
    if not event["envelope"]["mailFrom"]["address"].lower().endswith(DOMAIN):
        for address in (recipient["address"] for recipient in event["envelope"]["recipients"]):
            if address.lower().endswith(DOMAIN) and entity(address) in members():
                bounce = {"type": "BOUNCE", "bounceMessage": "This mailbox takes no mail from outside."}
                actions.append({"action": bounce, "recipients": [address]})
    actions.append({"action": {"type": "DEFAULT"}, "allRecipients": True})
    return {"actions": actions}
