"""Inside a Run Lambda function: events, replies, handlers and message content. No boto3 at import."""
