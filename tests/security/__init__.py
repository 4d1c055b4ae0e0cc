"""What has happened to servers of this kind, and does not happen to this one."""
