"""What tells somebody that mail is not treated as it should be: alarms, a dashboard, WorkMail's event log.

The constructs that set it up, and what the commands read of it later.
"""
