"""Decides requests against the deployed policies."""
