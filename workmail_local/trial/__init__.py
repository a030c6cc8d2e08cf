"""Runs one handler on messages, without a stack and without keeping any mail."""
