"""The running local WorkMail: one process and what it serves."""
