"""Handlers of our custom resources: a template carries each one's text, after that of what they share."""
