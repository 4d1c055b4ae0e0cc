"""Each adapter of the queue of notices against the spec of its port."""

import pytest

from backend.adapters.storage.notice_queue import SqlNoticeQueue
from backend.testing.notices import NoticeQueueSpec
from tests.databases import Rows


class TestSqlNoticeQueue(NoticeQueueSpec):
    @pytest.fixture
    def queue(self, rows: Rows) -> SqlNoticeQueue:
        return SqlNoticeQueue(rows.database())
