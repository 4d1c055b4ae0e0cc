"""Worker processes behind `backend.ports.processes`: fresh interpreters, fed through a socket.

A fresh interpreter and not a fork: the executor has threads and a ZeroMQ context when the first
block asks for one, and those do not survive a fork. The fork server of the services is no way
either: its children belong to the supervisor. A start costs a fifth of a second, once for many
calls.
"""

from backend.adapters.processes.pool import WorkerPool

__all__ = ["WorkerPool"]
