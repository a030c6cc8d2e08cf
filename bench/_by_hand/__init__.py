"""The jobs of steps as handlers written by hand: boto3 clients at import and the email package, as in WorkMail's guide.

They are a measure, no example: they break messages that the steps leave whole.
"""
