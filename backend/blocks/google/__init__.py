"""Google: the mail of an account."""
