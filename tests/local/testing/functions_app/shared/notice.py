"""What rules add to mail."""

NOTICE = "first"
