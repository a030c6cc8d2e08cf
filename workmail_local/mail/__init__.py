"""Mail on its way in and out: the front door, envelopes, mailboxes, the spool and bounces."""
