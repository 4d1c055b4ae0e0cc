"""`agpt selfcheck`: a private server under load is killed again and again, and its history is proved afterwards."""
