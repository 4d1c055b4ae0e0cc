"""Linear: issues, comments and projects."""
