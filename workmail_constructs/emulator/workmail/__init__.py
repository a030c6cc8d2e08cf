"""The WorkMail of the local run: mail in over SMTP, rules decide, functions run, every recipient's outcome kept."""
