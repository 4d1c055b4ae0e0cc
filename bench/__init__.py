"""The workloads of the project, measured: `python -m bench`."""
