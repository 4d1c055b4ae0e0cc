"""Presets: a graph with inputs, kept to be run again, by hand or by its trigger."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from backend.core.block import is_credentials_pin
from backend.core.catalog import Catalog
from backend.core.errors import AgentServerError, BadRequest, Gone, NotFound
from backend.core.graph import Graph
from backend.core.graph_schema import credentials_of_node
from backend.core.ids import ExecutionId, GraphId, PresetId, UserId, WebhookId
from backend.core.records import PresetChanges, PresetRecord, WebhookRecord
from backend.core.triggers import Trigger, provider_of, trigger_of
from backend.ports.clock import Clock
from backend.ports.storage import Storage
from backend.services.executions import ExecutionService, RunRequest
from backend.services.watch_config import WatchConfigs, is_watched
from backend.services.webhook_config import DeliveryConfig, split_config
from backend.services.webhooks import WebhookService

#: More would only make a mess of one account's list.
MAX_PRESETS: Final = 1_000
MAX_PAGE: Final = 100

Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class NewPreset:
    """
    A preset to make.

    Attributes:
        inputs: By the names of the graph's inputs, and of its trigger's pins.
        credentials: References by the names of the graph's credentials schema.
        webhook_id: One of its owner's, which starts it too.
    """

    graph_id: GraphId
    graph_version: int
    name: str
    description: str = ""
    inputs: Values = field(default_factory=dict)
    credentials: Values = field(default_factory=dict)
    is_active: bool = True
    webhook_id: WebhookId | None = None


class PresetService:
    """Presets of all users; every method names the user whose they are."""

    def __init__(
        self,
        *,
        storage: Storage,
        executions: ExecutionService,
        webhooks: WebhookService,
        catalog: Catalog,
        clock: Clock,
        watched: WatchConfigs,
    ) -> None:
        self._storage = storage
        self._executions = executions
        self._webhooks = webhooks
        self._registrations = webhooks.registrations
        self._catalog = catalog
        self._clock = clock
        self._watched = watched

    async def create(self, user_id: UserId, new: NewPreset) -> PresetRecord:
        """
        Save a preset and return it.

        Raises:
            NotFound: If the user has no such graph, or no such webhook.
            BadRequest: If a name of credentials stands for something else, the webhook is not of
                the graph's kind, or there are `MAX_PRESETS` already.
        """
        graph = await self._storage.of(user_id).graph(new.graph_id, new.graph_version)
        if graph is None:
            raise NotFound(f"Graph #{new.graph_id} v{new.graph_version} not found.")
        webhook = None
        if new.webhook_id is not None:
            webhook = await self._webhooks.get(user_id, new.webhook_id)
            self._require_kind(webhook, graph)
        made = await self._made(user_id, new)
        await self._storage.of(user_id).add_preset(made)
        return replace(made, webhook=webhook)

    async def create_from_run(
        self, user_id: UserId, run_id: ExecutionId, *, name: str, description: str, is_active: bool
    ) -> PresetRecord:
        """Save a preset with the graph, inputs and credentials of a run, and return it."""
        run = await self._executions.get(user_id, run_id, with_outputs=False)
        new = NewPreset(
            graph_id=run.graph_id,
            graph_version=run.graph_version,
            name=name,
            description=description,
            inputs=run.inputs,
            credentials=run.credential_inputs or {},
            is_active=is_active,
        )
        return await self.create(user_id, new)

    async def set_up_trigger(self, user_id: UserId, new: NewPreset) -> PresetRecord:
        """
        Save an active preset with a webhook of its own, and return both.

        Its inputs are the trigger's configuration; ``require_signature`` and ``signature`` among
        them say how deliveries are checked. What this server watches itself is watched from now on.

        Raises:
            Gone: If there is no such graph.
            BadRequest: If nothing outside starts the graph, or as `create` does.
            NotConfigured: If such a trigger cannot be set up here.
        """
        trigger = await self._trigger(user_id, new.graph_id, new.graph_version)
        if trigger is None:
            raise BadRequest(f"Graph #{new.graph_id} has no node that a webhook starts.")
        inputs, config = split_config(new.inputs)
        trigger.require_events(inputs)
        made = await self._made(user_id, replace(new, inputs=inputs))
        if self._registrations.is_needed(trigger):
            graph = await self._graph(user_id, new.graph_id, new.graph_version)
            reference, credentials = credentials_of_node(
                graph, self._catalog, trigger.node_id, made.credentials
            )
            made = replace(made, credentials=credentials)
            webhook = await self._registrations.webhook_for(user_id, trigger, inputs, reference)
        else:
            webhook = self._webhooks.new_for(user_id, trigger, config)
            named = replace(made, webhook_id=webhook.id)
            webhook = await self._configured(user_id, trigger, named, webhook)
        made = replace(made, webhook_id=webhook.id, webhook=webhook)
        try:
            await self._storage.of(user_id).add_preset(made)
        except AgentServerError:
            await self._registrations.abandon(webhook)
            raise
        return await self.get(user_id, made.id)

    async def listed(
        self, user_id: UserId, graph_id: GraphId | None, *, page: int, page_size: int
    ) -> tuple[list[PresetRecord], int]:
        """Return a page (from 1) of presets, last changed first, and how many there are."""
        stored = self._storage.of(user_id)
        return await stored.presets(graph_id, page=page, page_size=page_size)

    async def get(self, user_id: UserId, preset_id: PresetId) -> PresetRecord:
        """Return a preset with its webhook."""
        found = await self._storage.of(user_id).preset(preset_id)
        if found is None:
            raise _unknown(preset_id)
        return found

    async def change(
        self, user_id: UserId, preset_id: PresetId, changes: PresetChanges
    ) -> PresetRecord:
        """
        Change a preset and return it. Inputs replace all inputs, credentials all credentials.

        With new inputs, a preset of a graph that a webhook starts gets its webhook if it has none.

        Raises:
            NotFound: If there is no such preset.
            Gone: If its inputs or credentials are to change and its graph is gone.
            BadRequest: If a name of credentials stands for something else.
            NotConfigured: If its trigger cannot be set up here.
        """
        preset = await self.get(user_id, preset_id)
        if changes.inputs is not None or changes.credentials is not None:
            changes = await self._with_values(user_id, preset, changes)
        changes = await self._with_registration(user_id, preset, changes)
        stored = self._storage.of(user_id)
        try:
            changed = await stored.change_preset(preset_id, changes, now_us=self._clock.now_us())
        except AgentServerError:
            if changes.webhook is not None:
                await self._registrations.abandon(changes.webhook)
            raise
        self._registrations.wake()
        return changed

    async def delete(self, user_id: UserId, preset_id: PresetId) -> None:
        """Hide a preset for ever; the address of its webhook is no more."""
        stored = self._storage.of(user_id)
        if not await stored.delete_preset(preset_id, now_us=self._clock.now_us()):
            raise _unknown(preset_id)
        self._registrations.wake()

    async def run_of(
        self,
        user_id: UserId,
        preset_id: PresetId,
        *,
        inputs: Values,
        credentials: Values,
        graph_id: GraphId | None = None,
    ) -> tuple[PresetRecord, RunRequest]:
        """
        Return a preset and what a run of it is started with; nothing is started.

        *inputs* and *credentials* stand before its own, by key.

        Raises:
            NotFound: If there is no such preset.
            BadRequest: If it is none of *graph_id*.
        """
        preset = await self.get(user_id, preset_id)
        if graph_id not in (None, preset.graph_id):
            raise BadRequest(f"Preset #{preset_id} is one of another graph.")
        return preset, RunRequest(
            inputs={**preset.inputs, **inputs},
            credentials={**preset.credentials, **credentials} or None,
            preset_id=preset.id,
        )

    async def _made(self, user_id: UserId, new: NewPreset) -> PresetRecord:
        inputs, moved = _split_credentials(new.inputs)
        _, count = await self._storage.of(user_id).presets(None, page=1, page_size=1)
        if count >= MAX_PRESETS:
            raise BadRequest(f"there are {MAX_PRESETS} presets already; delete some first")
        now_us = self._clock.now_us()
        return PresetRecord(
            id=PresetId(self._clock.new_id()),
            user_id=user_id,
            graph_id=new.graph_id,
            graph_version=new.graph_version,
            name=new.name,
            description=new.description,
            inputs=inputs,
            credentials={**moved, **new.credentials},
            is_active=new.is_active,
            webhook_id=new.webhook_id,
            created_us=now_us,
            updated_us=now_us,
        )

    async def _trigger(self, user_id: UserId, graph_id: GraphId, version: int) -> Trigger | None:
        return trigger_of(await self._graph(user_id, graph_id, version), self._catalog)

    async def _graph(self, user_id: UserId, graph_id: GraphId, version: int) -> Graph:
        graph = await self._storage.of(user_id).graph(graph_id, version)
        if graph is None:
            raise Gone(f"Graph #{graph_id} v{version} is not there, or not any more.")
        return graph

    async def _with_registration(
        self, user_id: UserId, preset: PresetRecord, changes: PresetChanges
    ) -> PresetChanges:
        """Return *changes* with the webhook that its provider is told of, where it has to be."""
        if changes.inputs is None and changes.credentials is None and changes.is_active is None:
            return changes
        graph = await self._storage.of(user_id).graph(preset.graph_id, preset.graph_version)
        trigger = None if graph is None else trigger_of(graph, self._catalog)
        if graph is None or trigger is None or not self._registrations.is_needed(trigger):
            return changes
        given = preset.credentials if changes.credentials is None else changes.credentials
        reference, credentials = credentials_of_node(graph, self._catalog, trigger.node_id, given)
        if changes.credentials is not None:
            changes = replace(changes, credentials=credentials)
        if not (preset.is_active if changes.is_active is None else changes.is_active):
            # Nobody waits for it: its provider need not send it.
            return replace(changes, detach=True)
        inputs = preset.inputs if changes.inputs is None else changes.inputs
        webhook = await self._registrations.webhook_for(user_id, trigger, inputs, reference)
        return replace(changes, webhook=webhook)

    def _require_kind(self, webhook: WebhookRecord, graph: Graph) -> None:
        trigger = trigger_of(graph, self._catalog)
        if trigger is None:
            raise BadRequest(f"Graph #{graph.id} has no node that a webhook starts.")
        if provider_of(trigger.block) != webhook.provider:
            raise BadRequest(f"Webhook #{webhook.id} is none of {provider_of(trigger.block)}.")

    async def _with_values(
        self, user_id: UserId, preset: PresetRecord, changes: PresetChanges
    ) -> PresetChanges:
        """Return *changes* with values that can be kept, and with what they mean for its trigger."""
        trigger = await self._trigger(user_id, preset.graph_id, preset.graph_version)
        inputs, credentials = changes.inputs, changes.credentials
        config: DeliveryConfig | None = None
        if inputs is not None:
            if trigger is not None:
                inputs, config = split_config(inputs)
                trigger.require_events(inputs)
            inputs, moved = _split_credentials(inputs)
            if moved:
                credentials = {**preset.credentials, **moved, **(credentials or {})}
        webhook = None
        is_manual = trigger is not None and not self._registrations.is_needed(trigger)
        if inputs is not None and trigger and is_manual and preset.webhook_id is None:
            webhook = self._webhooks.new_for(user_id, trigger, config)
        changed = replace(
            changes,
            inputs=inputs,
            credentials=credentials,
            webhook=webhook,
            webhook_config=None if config is None else _changed(preset.webhook, config),
            webhook_sealed=self._sealed(preset.webhook, config),
        )
        return await self._watch_changed(user_id, trigger, preset, changed)

    async def _watch_changed(
        self,
        user_id: UserId,
        trigger: Trigger | None,
        preset: PresetRecord,
        changes: PresetChanges,
    ) -> PresetChanges:
        """Return *changes* with what they mean for what is watched, if anything is."""
        webhook = changes.webhook or preset.webhook
        if trigger is None or webhook is None or not is_watched(trigger):
            return changes
        after = replace(
            preset,
            inputs=preset.inputs if changes.inputs is None else changes.inputs,
            credentials=(
                preset.credentials if changes.credentials is None else changes.credentials
            ),
        )
        webhook = await self._configured(
            user_id, trigger, after, webhook, is_new=changes.webhook is not None
        )
        if changes.webhook is not None:
            return replace(changes, webhook=webhook)
        return replace(
            changes,
            webhook_config=webhook.config,
            webhook_credentials_id=webhook.credentials_id,
        )

    async def _configured(
        self,
        user_id: UserId,
        trigger: Trigger,
        preset: PresetRecord,
        webhook: WebhookRecord,
        *,
        is_new: bool = True,
    ) -> WebhookRecord:
        """Return *webhook* with what its watch is to look at; as it is if nothing is watched."""
        if not is_watched(trigger):
            return webhook
        graph = await self._storage.of(user_id).graph(preset.graph_id, preset.graph_version)
        if graph is None:
            raise Gone(f"Graph #{preset.graph_id} v{preset.graph_version} is not there.")
        if is_new:
            await self._watched.require_room(user_id)
        config = await self._watched.of(
            user_id, graph, trigger, inputs=preset.inputs, credentials=preset.credentials
        )
        return replace(webhook, config=config.values, credentials_id=config.credentials_id)

    def _sealed(self, webhook: WebhookRecord | None, config: DeliveryConfig | None) -> str | None:
        """Return the sender's own secret as it is kept; None if nothing is said of it."""
        if webhook is None or config is None or config.secret is None:
            return None
        return self._webhooks.sealed(webhook, config.secret)


def _unknown(preset_id: PresetId) -> NotFound:
    return NotFound(f"Preset #{preset_id} not found.")


def _changed(webhook: WebhookRecord | None, config: DeliveryConfig) -> Values:
    """Return the configuration with what is said of it now; the rest stays."""
    return {**(webhook.config if webhook else {}), **config.values}


def _split_credentials(inputs: Values) -> tuple[Values, Values]:
    """Part inputs from what is named like credentials, which is theirs (spec/contract.md 13)."""
    moved = {name: value for name, value in inputs.items() if is_credentials_pin(name)}
    for name, value in moved.items():
        texts = value if isinstance(value, Mapping) else {}
        if not all(isinstance(texts.get(word), str) for word in ("id", "provider", "type")):
            raise BadRequest(
                f"{name[:100]!r} is a name of credentials: it takes an object with id, provider "
                "and type. Give the input another name."
            )
    kept = {name: value for name, value in inputs.items() if name not in moved}
    return kept, moved
