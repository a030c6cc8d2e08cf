"""One handler tried on messages, without a stack and without keeping anything."""
