"""An executor's sign of life, and nothing else: a process that tests kill and freeze.

Arguments: the broker's address, the installation, the executor's id. Prints a line when it lives.
"""

import asyncio
import sys

from backend.adapters.broker.link import Broker
from backend.adapters.broker.names import Names
from backend.adapters.peers.rabbit import RabbitPeers


async def main(url: str, installation: str, owner: str) -> None:
    """Live until killed."""
    broker = Broker(url, service="agpt: test peer")
    await broker.open()
    peers = RabbitPeers(broker, Names(installation), owner)
    await peers.serve(lambda: print("alive", flush=True))  # noqa: T201 -- how it says so


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
