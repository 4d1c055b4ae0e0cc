"""Each way to know which executors live against the spec of its port."""

import pytest

from backend.adapters.peers.alone import AlonePeers
from backend.adapters.peers.rabbit import RabbitPeers
from backend.ports.peers import Peers
from backend.testing.peers import OWNER, PeersSpec
from tests.brokers import Rabbit


class TestAlonePeers(PeersSpec):
    @pytest.fixture
    def peers(self) -> Peers:
        return AlonePeers(OWNER)


class TestRabbitPeers(PeersSpec):
    @pytest.fixture
    async def peers(self, rabbit: Rabbit) -> Peers:
        return RabbitPeers(await rabbit.broker(), rabbit.names, OWNER, settled_s=0.0)
