"""Rows and files on their way: into an archive, out of one, from one kind of database to the other."""
