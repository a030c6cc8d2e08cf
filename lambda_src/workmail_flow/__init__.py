"""WorkMail email flow, as pure functions: vocabulary, limits, patterns, rules, replies. Standard library only."""
