"""What the copilot's tools are called, what models are told of them, and what they take."""

from typing import Final

from backend.core.block import Effect
from backend.core.json import JsonObject
from backend.core.models import Tool
from backend.services.copilot_more_words import ASKED, MORE, tool

_GRAPH_ID: Final[JsonObject] = {
    "type": "string",
    "description": "The agent's graph_id, as a list gives it.",
}
_INPUTS: Final[JsonObject] = {
    "type": "object",
    "description": "Values by the names of the agent's inputs.",
}
_GRAPH: Final[JsonObject] = {
    "name": {"type": "string", "description": "What the agent is called."},
    "description": {"type": "string", "description": "What it does, in a sentence or two."},
    "nodes": {
        "type": "array",
        "description": (
            "Blocks in their places. An agent takes its inputs with AgentInputBlock (inputs: name;"
            " the value leaves by the pin result) and gives its outputs with AgentOutputBlock"
            " (inputs: name; link what is given to the pin value)."
        ),
        "items": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "description": "A short name without points."},
                "block": {"type": "string", "description": "The block's name, from find_block."},
                "inputs": {"type": "object", "description": "Fixed values, by pin."},
            },
            "required": ["id", "block"],
        },
    },
    "links": {
        "type": "array",
        "description": "Which output pin feeds which input pin.",
        "items": {
            "type": "object",
            "properties": {
                "from": {"type": "string", "description": "node.pin, of an output"},
                "to": {"type": "string", "description": "node.pin, of an input"},
            },
            "required": ["from", "to"],
        },
    },
}


#: All of them, with what it would do to call one twice: what changes something takes a key.
TOOLS: Final[dict[str, tuple[Tool, Effect]]] = {
    one.name: (one, effect)
    for one, effect in (
        (
            tool(
                "find_library_agent",
                "Lists the person's agents, with what each takes. Without a query: all of them.",
                {
                    "query": {"type": "string", "description": "Words of its name or description."},
                    "page": {"type": "integer", "minimum": 1, "description": "From 1."},
                },
            ),
            Effect.READ,
        ),
        (
            tool(
                "get_agent",
                "Shows how an agent is made: its nodes and links.",
                {
                    "graph_id": _GRAPH_ID,
                    "version": {
                        "type": "integer",
                        "minimum": 1,
                        "description": "The newest if none.",
                    },
                },
                needed=("graph_id",),
            ),
            Effect.READ,
        ),
        (
            tool(
                "find_block",
                "Searches the blocks of which agents are made, and shows their pins.",
                {
                    "query": {
                        "type": "string",
                        "description": "One or two words, such as: template.",
                    }
                },
                needed=("query",),
            ),
            Effect.READ,
        ),
        (
            tool(
                "view_agent_output",
                "Says where a run stands and what it gave, or what the last runs of an agent did.",
                {
                    "run_id": {"type": "string", "description": "A run, as run_agent gives it."},
                    "graph_id": _GRAPH_ID,
                },
            ),
            Effect.READ,
        ),
        (
            tool(
                "run_agent",
                "Runs an agent, which may spend money, and waits a while for its outputs." + ASKED,
                {"graph_id": _GRAPH_ID, "inputs": _INPUTS},
                needed=("graph_id",),
            ),
            Effect.KEYED,
        ),
        (
            tool(
                "schedule_agent",
                "Lets an agent run again and again from now on, which may spend money." + ASKED,
                {
                    "graph_id": _GRAPH_ID,
                    "cron": {
                        "type": "string",
                        "description": "Five fields: minute hour day month weekday.",
                    },
                    "inputs": _INPUTS,
                    "name": {"type": "string", "description": "What the schedule is called."},
                    "timezone": {
                        "type": "string",
                        "description": "An IANA name; the person's if none.",
                    },
                },
                needed=("graph_id", "cron"),
            ),
            Effect.KEYED,
        ),
        (
            tool(
                "create_agent",
                "Saves a new agent in the person's library. It is checked first; problems are told"
                " by node, and nothing is saved." + ASKED,
                _GRAPH,
                needed=("name", "nodes", "links"),
            ),
            Effect.KEYED,
        ),
        (
            tool(
                "edit_agent",
                "Saves a whole new version of an agent, as create_agent does; it becomes the one"
                " that runs. Look at it with get_agent first." + ASKED,
                {"graph_id": _GRAPH_ID, **_GRAPH},
                needed=("graph_id", "name", "nodes", "links"),
            ),
            Effect.KEYED,
        ),
        *MORE,
    )
}
