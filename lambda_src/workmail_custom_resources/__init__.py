"""Handlers of our custom resources: each a file that runs by itself, since a template carries its text."""
