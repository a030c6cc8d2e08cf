"""The email flow of each message: which rule decides, what its function replies, what each recipient gets."""
