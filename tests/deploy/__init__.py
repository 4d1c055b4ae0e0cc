"""The files of `deploy/`, read and run."""
