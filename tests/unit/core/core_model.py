"""The rules of a run, told again in the plainest way: the core must come to the same.

Lists and loops, no indexes: what spec/semantics.md 3.6-3.8 and appendix C say, word by word. It
shares no code with backend/core.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from backend.core.graph import Graph, Link, Node

WAITS, REFUSED = "waits", "refused"

#: The pins of the block `Work` (core_runs.py): `a` is required, `pick` takes 0, 1 or null.
REQUIRED = "a"
CHOICES = (0, 1, None)


@dataclass(kw_only=True)
class Row:
    """One execution of a node."""

    ordinal: int
    node: str
    status: str = "INCOMPLETE"
    received: dict[str, Any] = field(default_factory=dict)
    input: dict[str, Any] | None = None
    outputs: list[tuple[str, Any]] = field(default_factory=list)
    routed: int = 0
    place: int | None = None  #: in the line of its node, from when it was queued or refused
    was_queued: bool = False
    dispatched: bool = False
    call: tuple[int, str] | None = None  #: who has called it, by ordinal, and as what


@dataclass(kw_only=True)
class Model:
    """A run."""

    graph: Graph
    masks: dict[str, dict[str, Any]]
    skipped: frozenset[str]
    parallel: int
    limit: int
    status: str = "RUNNING"
    ends_as: str = "COMPLETED"
    stopping: bool = False
    fails: bool = False  #: a node did that the run must not outlive
    rows: list[Row] = field(default_factory=list)
    refused: list[Row] = field(default_factory=list)
    places: int = 0
    awaited: dict[int, set[int]] = field(default_factory=dict)  #: by caller; forgotten by a crash

    def start(self) -> None:
        for node in self.graph.nodes:
            if self.links_into(node.id):
                continue
            verdict, data = self.verdict(node.id, {})
            assert verdict == "fits", data
            if node.id not in self.skipped:
                row = self.new_row(node.id)
                self.queue(row, data)
        self.follow_up()

    def started(self, ordinal: int) -> None:
        self.rows[ordinal].status = "RUNNING"

    def yielded(self, ordinal: int, name: str, value: Any) -> None:
        if self.stopping:
            return
        self.rows[ordinal].outputs.append((name, value))
        self.route(self.rows[ordinal].node)
        self.follow_up()

    def ended(self, ordinal: int, error: str | None) -> None:
        row = self.rows[ordinal]
        row.status = "FAILED" if error else "COMPLETED"
        self.awaited.pop(ordinal, None)
        if not self.stopping:
            if error:
                self.failed(row, error)
            self.route(row.node)
        self.follow_up()

    def failed(self, row: Row, error: str) -> None:
        on_error = self.policy(row).get("on_error", "error_pin")
        if on_error == "error_pin":
            row.outputs.append(("error", error))
        self.fails = self.fails or on_error == "fail"

    def policy(self, row: Row) -> dict[str, Any]:
        [node] = [node for node in self.graph.nodes if node.id == row.node]
        return dict(node.metadata.get("policy", {}))

    def asked(self, ordinal: int) -> None:
        """It waits for a person, and holds up nobody in the line of its node."""
        row = self.rows[ordinal]
        row.status, row.dispatched = "REVIEW", False
        self.awaited.pop(ordinal, None)
        if not self.stopping:
            self.route(row.node)
        self.follow_up()

    def decided(self, ordinals: list[int]) -> None:
        """What waited for a person is back in its place in the line."""
        for ordinal in ordinals:
            if self.rows[ordinal].status == "REVIEW":
                self.rows[ordinal].status = "QUEUED"
                self.status = "RUNNING"

    def called(self, caller: int, key: str, node: str, given: dict[str, Any]) -> None:
        """The caller waits for an execution of *node*: a new one, or what its call has become."""
        if self.stopping:
            return
        found = [row for row in self.rows if row.call == (caller, key)]
        row = found[0] if found else self.new_row(node)
        if not found:
            row.call = (caller, key)
            self.fill(row, caller, given)
        if row.status not in ("COMPLETED", "FAILED"):
            self.awaited.setdefault(caller, set()).add(row.ordinal)
        self.follow_up()

    def fill(self, row: Row, caller: int, given: dict[str, Any]) -> None:
        """What the caller does not give comes from where it came from last, or waits to be used."""
        source = self.rows[caller].node
        own = {
            link.sink_name
            for link in self.links_into(row.node)
            if link.source_id == source and link.source_name == "tools"
        }
        others = [k.sink_name for k in self.links_into(row.node) if k.sink_name not in own]
        places = [self.newest_input(row.node) or {}]
        places += [
            r.received for r in self.rows if r.node == row.node and r.place is None and r is not row
        ]
        for place in places:
            row.received.update({pin: place[pin] for pin in others if pin in place})
        row.received.update(given)
        verdict, inputs = self.verdict(row.node, row.received, optional=own)
        if verdict == "fits":
            self.queue(row, inputs)
        else:
            row.place = self.next_place()
            self.refused.append(row)

    def waiting(self) -> list[Row]:
        """Those that run and wait for what they have called."""
        final = ("COMPLETED", "FAILED", "TERMINATED")
        return [
            row
            for row in self.running()
            if any(self.rows[o].status not in final for o in self.awaited.get(row.ordinal, ()))
        ]

    def retried(self, ordinal: int) -> None:
        self.awaited.pop(ordinal, None)

    def cancelled(self, ordinal: int) -> None:
        self.rows[ordinal].status = "TERMINATED"
        self.follow_up()

    def stop(self) -> None:
        if not self.stopping:
            self.ends_as, self.stopping = "TERMINATED", True
        self.follow_up()

    def crash(self) -> None:
        """What was given to a worker and had not begun goes back into the line."""
        self.awaited.clear()
        for row in self.rows:
            if row.status == "QUEUED":
                row.dispatched = False

    def in_line(self, node: str) -> list[Row]:
        rows = [row for row in self.rows if row.node == node and row.place is not None]
        return sorted(rows, key=lambda row: row.place or 0)

    def route(self, node: str) -> None:
        """Outputs of one node go out in the order of its line; the first that runs on blocks it."""
        for row in self.in_line(node):
            if row.status == "REVIEW":
                continue
            while row.routed < len(row.outputs):
                name, value = row.outputs[row.routed]
                row.routed += 1
                for link in self.graph.links:
                    if link.source_id == node:
                        self.follow_link(link, name, value)
            if row.status not in ("COMPLETED", "FAILED"):
                return

    def follow_link(self, link: Link, name: str, value: Any) -> None:
        source, _, key = link.source_name.partition("_#_")
        if source != name or link.sink_id in self.skipped:
            return
        if key:
            value = value.get(key) if isinstance(value, dict) else None
            if value is None:
                return
        self.deliver(link, value)

    def deliver(self, link: Link, value: Any) -> None:
        slots = [
            row
            for row in self.rows
            if row.node == link.sink_id and row.place is None and link.sink_name not in row.received
        ]
        slot = slots[0] if slots else self.new_row(link.sink_id)
        slot.received[link.sink_name] = value
        if self.try_to_queue(slot, self.newest_input(slot.node)) and link.is_static:
            kept = slot.input
            for other in self.rows:
                if other.node == slot.node and other.place is None:
                    self.try_to_queue(other, kept)

    def newest_input(self, node: str) -> dict[str, Any] | None:
        queued = [row for row in self.in_line(node) if row.was_queued]
        return queued[-1].input if queued else None

    def try_to_queue(self, slot: Row, kept: dict[str, Any] | None) -> bool:
        data = dict(slot.received)
        for link in self.links_into(slot.node):
            if link.is_static and link.sink_name not in data and kept is not None:
                data[link.sink_name] = kept.get(link.sink_name)
        verdict, inputs = self.verdict(slot.node, data)
        if verdict == "fits":
            self.queue(slot, inputs)
            return True
        if verdict == REFUSED:
            slot.place = self.next_place()
            self.refused.append(slot)
        return False

    def verdict(
        self, node: str, data: dict[str, Any], optional: Collection[str] = ()
    ) -> tuple[str, dict[str, Any]]:
        needed = {link.sink_name for link in self.links_into(node)} - set(optional)
        if needed - data.keys():
            return WAITS, {}
        # Parts of a pin come after the whole, whichever arrived first.
        data = dict(sorted(data.items(), key=lambda item: "_#_" in item[0]))
        inputs: dict[str, Any] = {}
        given = {**self.node(node).input_default, **data, **self.masks.get(node, {})}
        for name, value in given.items():
            inputs[name] = value
            base, _, key = name.partition("_#_")
            if key:
                held = inputs.get(base)
                inputs[base] = {**(held if isinstance(held, dict) else {}), key: value}
        if inputs.get(REQUIRED) is None:
            return WAITS, {}
        return ("fits" if inputs.get("pick") in CHOICES else REFUSED), inputs

    def queue(self, row: Row, inputs: dict[str, Any]) -> None:
        row.status, row.input, row.was_queued = "QUEUED", inputs, True
        row.place = self.next_place()

    def follow_up(self) -> None:
        """Fail what can never fit, then give out work, then see whether the run is over."""
        if not self.stopping:
            while self.refused and len(self.rows) <= self.limit:
                self.refuse(self.refused.pop(0))
            if len(self.rows) > self.limit or self.fails:
                self.ends_as, self.stopping = "FAILED", True
        if not self.stopping:
            waiting = [row for row in self.rows if row.status == "QUEUED" and not row.dispatched]
            for row in sorted(waiting, key=lambda row: row.place or 0):
                row.dispatched = self.may_work(row)
        if not self.running():
            self.rest()
        elif not self.stopping and len(self.running()) == len(self.waiting()):
            self.awaited.clear()
            self.rest()

    def may_work(self, row: Row) -> bool:
        """Whether there is a place in the run and at its node; who waits for a tool lends its own."""
        same = [other for other in self.running() if other.node == row.node]
        lent = [other for other in self.waiting() if other.node == row.node]
        places = len(same) - (len(lent) if self.is_called(row) else 0)
        has_room = places < self.policy(row).get("concurrency", 1_000)
        return has_room and len(self.running()) - len(self.waiting()) < self.parallel

    def is_called(self, row: Row) -> bool:
        """Whether somebody may be waiting for it, so that those who wait lend it their places."""
        return row.call is not None and self.rows[row.call[0]].status in ("QUEUED", "RUNNING")

    def rest(self) -> None:
        """Nothing runs: the run waits for people, or is over."""
        if not self.stopping and any(row.status == "REVIEW" for row in self.rows):
            self.status = "REVIEW"
        else:
            self.end()

    def refuse(self, slot: Row) -> None:
        slot.status, slot.input = "FAILED", dict(slot.received)
        self.failed(slot, "refused")
        self.route(slot.node)

    def end(self) -> None:
        self.status = self.ends_as
        for row in self.rows:
            if row.status in ("QUEUED", "REVIEW"):
                row.status = self.status

    def running(self) -> list[Row]:
        return [row for row in self.rows if row.dispatched and row.status in ("QUEUED", "RUNNING")]

    def new_row(self, node: str) -> Row:
        row = Row(ordinal=len(self.rows), node=node)
        self.rows.append(row)
        return row

    def next_place(self) -> int:
        self.places += 1
        return self.places

    def links_into(self, node: str) -> list[Link]:
        return [link for link in self.graph.links if link.sink_id == node]

    def node(self, node_id: str) -> Node:
        return next(node for node in self.graph.nodes if node.id == node_id)

    def outputs(self) -> dict[str, list[Any]]:
        """What the output blocks were given, by their names, in the order of the queue."""
        found: dict[str, list[Any]] = {}
        queued = [row for row in self.rows if row.was_queued]
        for row in sorted(queued, key=lambda row: row.place or 0):
            node = self.node(row.node)
            if node.block_id == "Out":
                inputs = row.input or {}
                found.setdefault(str(inputs.get("name")), []).append(inputs.get("value"))
        return found
