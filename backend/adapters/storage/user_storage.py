"""What one user owns, on one `Database`. The owner's id goes into every query here."""

from collections.abc import Mapping, Sequence
from functools import partial

from sqlalchemy import Connection

from backend.adapters.storage import (
    executions,
    graphs,
    packed,
    parking,
    presets,
    reviews,
    schedules,
    stops,
    users,
    webhooks,
)
from backend.adapters.storage.database import Database
from backend.adapters.storage.values import Values
from backend.core import json
from backend.core.graph import Graph
from backend.core.ids import (
    CredentialsId,
    ExecutionId,
    GraphId,
    PresetId,
    ScheduleId,
    UserId,
    WebhookId,
)
from backend.core.records import (
    ExecutionRecord,
    NodeRecord,
    PresetChanges,
    PresetRecord,
    ScheduleRecord,
    UserRecord,
    WebhookRecord,
    WebhookUse,
)
from backend.core.reviews import Answer, ReviewRecord


class SqlUserStorage:
    """See backend.ports.storage.UserStorage."""

    def __init__(self, database: Database, values: Values, user_id: UserId) -> None:
        self.user_id = user_id
        self._database = database
        self._values = values

    async def user(self) -> UserRecord | None:
        return await self._database.read(lambda c: users.get(c, self.user_id))

    async def save_user(self, *, email: str, name: str | None, now_us: int) -> UserRecord:
        return await self._database.write(
            lambda c: users.save(c, self.user_id, email, name, now_us), incidental=True
        )

    async def set_timezone(self, timezone: str, *, now_us: int) -> None:
        await self._database.write(
            lambda c: users.set_timezone(c, self.user_id, timezone, now_us), about=self.user_id
        )

    async def add_graphs(
        self, new: Sequence[Graph], *, now_us: int, settings: Mapping[str, bool] | None = None
    ) -> None:
        await self._database.write(
            lambda c: graphs.add(c, self.user_id, new, now_us, settings), about=new[0].id
        )

    async def add_version(self, graph: Graph, subs: Sequence[Graph], *, now_us: int) -> Graph:
        return await self._database.write(
            lambda c: graphs.add_version(c, self.user_id, graph, subs, now_us)
        )

    async def graph(self, graph_id: GraphId, version: int | None = None) -> Graph | None:
        return await self._database.read(lambda c: graphs.get(c, self.user_id, graph_id, version))

    async def active_version(self, graph_id: GraphId) -> int | None:
        return await self._database.read(lambda c: graphs.active_version(c, self.user_id, graph_id))

    async def graphs(self, *, limit: int) -> list[Graph]:
        return await self._database.read(lambda c: graphs.active(c, self.user_id, limit))

    async def graph_versions(self, graph_id: GraphId, *, limit: int) -> list[Graph]:
        return await self._database.read(
            lambda c: graphs.versions(c, self.user_id, graph_id, limit)
        )

    async def set_active_version(self, graph_id: GraphId, version: int, *, now_us: int) -> None:
        await self._database.write(
            lambda c: graphs.activate(c, self.user_id, graph_id, version, now_us)
        )

    async def delete_graph(self, graph_id: GraphId, *, now_us: int) -> int:
        del now_us  # nothing keeps the time of a deletion
        return await self._database.write(lambda c: graphs.remove(c, self.user_id, graph_id))

    async def execution(
        self, run_id: ExecutionId, *, with_outputs: bool = False
    ) -> ExecutionRecord | None:
        return await self._database.read(
            lambda c: executions.get(
                c, self._values.shown(), self.user_id, run_id, with_outputs=with_outputs
            )
        )

    async def execution_with_nodes(
        self, run_id: ExecutionId, *, limit: int
    ) -> tuple[ExecutionRecord, list[NodeRecord]] | None:
        return await self._database.read(
            lambda c: executions.get_with_nodes(
                c, self._values.shown(), self.user_id, run_id, limit
            )
        )

    async def executions(self, *, limit: int) -> list[ExecutionRecord]:
        return await self._database.read(
            lambda c: executions.newest(c, self._values.brief(), self.user_id, limit)
        )

    async def executions_page(
        self, graph_id: GraphId, *, page: int, page_size: int
    ) -> tuple[list[ExecutionRecord], int]:
        return await self._database.read(
            lambda c: executions.page(
                c, self._values.brief(), self.user_id, graph_id, page, page_size
            )
        )

    async def newest_executions(self, graph_id: GraphId, *, limit: int) -> list[ExecutionRecord]:
        return await self._database.read(
            lambda c: executions.newest_of_graph(
                c, self._values.brief(), self.user_id, graph_id, limit
            )
        )

    async def node_executions(
        self, run_id: ExecutionId, *, limit: int, after_revision: int = 0
    ) -> list[NodeRecord]:
        return await self._database.read(
            lambda c: executions.nodes(
                c,
                self._values.shown(),
                self.user_id,
                run_id,
                limit=limit,
                after_revision=after_revision,
            )
        )

    async def delete_execution(self, run_id: ExecutionId, *, now_us: int) -> bool:
        return await self._database.write(
            lambda c: executions.hide(c, self.user_id, run_id, now_us)
        )

    async def ask_stop(self, run_id: ExecutionId, *, now_us: int) -> bool:
        return await self._database.write(lambda c: stops.ask_stop(c, self.user_id, run_id, now_us))

    async def retry(self, graph_id: GraphId, run_id: ExecutionId, *, now_us: int) -> None:
        await self._database.write(
            lambda c: parking.retry(c, run_id, now_us, of=(self.user_id, graph_id)), about=run_id
        )

    async def waiting_reviews(self, *, page: int, page_size: int) -> list[ReviewRecord]:
        return await self._database.read(
            lambda c: reviews.waiting(c, self._values.shown(), self.user_id, page, page_size)
        )

    async def reviews_of(self, run_id: ExecutionId) -> list[ReviewRecord] | None:
        def read(connection: Connection) -> list[ReviewRecord] | None:
            brief, whole = self._values.brief(), self._values.shown()
            known = executions.get(connection, brief, self.user_id, run_id, with_outputs=False)
            if known is None:
                return None
            return reviews.of_run(connection, whole, self.user_id, run_id)

        return await self._database.read(read)

    async def answer_reviews(
        self, answers: Sequence[Answer], *, now_us: int
    ) -> tuple[ExecutionId, bool]:
        payloads = await self._payloads(answers)
        # Its result is the run first, which is what the audit log names.
        return await self._database.write(
            lambda c: reviews.answer(
                c, self._values.shown(), self.user_id, answers, payloads, now_us
            )
        )

    async def _payloads(self, answers: Sequence[Answer]) -> dict[str, str]:
        """Return the texts of what people have put in place of what was asked."""
        staging = self._values.staging()
        texts: dict[str, str] = {}
        for answer in answers:
            if not answer.edited:
                continue
            root = await self._database.read(
                partial(reviews.root_of, user_id=self.user_id, node_exec_id=answer.node_exec_id)
            )
            # Where there is no such question, the answer is refused in a moment.
            texts[answer.node_exec_id] = (
                json.text(answer.payload)
                if root is None
                else staging.text(root, answer.payload, packed.whole)
            )
        await self._values.write(staging)
        return texts

    async def graph_settings(self, graph_id: GraphId) -> Mapping[str, bool] | None:
        return await self._database.read(lambda c: graphs.settings(c, self.user_id, graph_id))

    async def change_graph_settings(
        self, graph_id: GraphId, changes: Mapping[str, bool], *, now_us: int
    ) -> Mapping[str, bool]:
        return await self._database.write(
            lambda c: graphs.change_settings(c, self.user_id, graph_id, changes, now_us)
        )

    async def add_schedule(self, schedule: ScheduleRecord) -> None:
        await self._database.write(lambda c: schedules.add(c, schedule), about=schedule.id)

    async def schedules(self, graph_id: GraphId | None = None) -> list[ScheduleRecord]:
        return await self._database.read(lambda c: schedules.mine(c, self.user_id, graph_id))

    async def schedule(self, schedule_id: ScheduleId) -> ScheduleRecord | None:
        return await self._database.read(lambda c: schedules.one(c, self.user_id, schedule_id))

    async def change_schedule(self, schedule: ScheduleRecord) -> bool:
        return await self._database.write(
            lambda c: schedules.change(c, self.user_id, schedule), about=schedule.id
        )

    async def delete_schedule(self, schedule_id: ScheduleId) -> bool:
        return await self._database.write(lambda c: schedules.remove(c, self.user_id, schedule_id))

    async def add_preset(self, preset: PresetRecord) -> None:
        await self._database.write(lambda c: presets.add(c, self.user_id, preset), about=preset.id)

    async def preset(self, preset_id: PresetId) -> PresetRecord | None:
        return await self._database.read(lambda c: presets.get(c, self.user_id, preset_id))

    async def presets(
        self, graph_id: GraphId | None, *, page: int, page_size: int
    ) -> tuple[list[PresetRecord], int]:
        return await self._database.read(
            lambda c: presets.page(c, self.user_id, graph_id, page, page_size)
        )

    async def change_preset(
        self, preset_id: PresetId, changes: PresetChanges, *, now_us: int
    ) -> PresetRecord:
        return await self._database.write(
            lambda c: presets.change(c, self.user_id, preset_id, changes, now_us)
        )

    async def delete_preset(self, preset_id: PresetId, *, now_us: int) -> bool:
        return await self._database.write(
            lambda c: presets.remove(c, self.user_id, preset_id, now_us)
        )

    async def webhook(self, webhook_id: WebhookId) -> WebhookRecord | None:
        return await self._database.read(lambda c: webhooks.get(c, self.user_id, webhook_id))

    async def webhooks(self, *, limit: int) -> list[WebhookUse]:
        return await self._database.read(lambda c: webhooks.mine(c, self.user_id, limit))

    async def webhooks_with(self, credentials_id: CredentialsId) -> list[WebhookRecord]:
        return await self._database.read(
            lambda c: webhooks.of_credentials(c, self.user_id, credentials_id)
        )

    async def add_webhook(self, webhook: WebhookRecord) -> None:
        await self._database.write(
            lambda c: webhooks.add(c, self.user_id, webhook), incidental=True
        )
