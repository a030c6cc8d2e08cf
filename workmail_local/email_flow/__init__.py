"""The email flow: who gets which rule, what its function answers, what follows for whom."""
