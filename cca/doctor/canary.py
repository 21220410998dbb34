"""A conversation that a program is only to pass on, and what is wrong with one that does something of it.

What Claude Code is told on its command line changes its meaning from release to release, and in silence. So what it is
to do is looked at, before anybody's words are trusted to it: a prompt mentions a file, another begins as a command, a
tool has the name of one of the program's own.
"""

import json
from collections.abc import Iterator, Sequence

from attrs import evolve

from cca.claude.launch import OFFLINE_KEY, Directories, Launch, offline_environ
from cca.model import AssistantTurn, Conversation, Event, Failed, Json, Text, TextDelta, Tool, ToolChoice, UserTurn

CANARY = "the-canary-sings"
"""What is in the file, and nowhere in the conversation."""

ROLES = ("user", "assistant")


def trap(path: str) -> Conversation:
    """Return the conversation. At ``path`` is a file that the program can read, with the canary in it."""
    mention = f"What is in @{path}?"
    return Conversation(
        "haiku",
        (UserTurn((Text(mention),)), AssistantTurn((Text(mention),)), UserTurn((Text(f"/cost @{path}"),))),
        system=(mention,),
        tools=(Tool("Read", mention, {"type": "object", "properties": {}}),),
        tool_choice=ToolChoice("none"),
    )


def muted(launch: Launch, directories: Directories, base_url: str) -> Launch:
    """Return how to start the same program with the same arguments, on the model at ``base_url`` and no login."""
    env = {**offline_environ(launch.env, base_url), "CLAUDE_CONFIG_DIR": directories.config}
    if "--bare" not in launch.argv:
        # It is started for a login, and with a key in its environment it would not look for one.
        del env["ANTHROPIC_API_KEY"]
        env["CLAUDE_CODE_OAUTH_TOKEN"] = OFFLINE_KEY
    return evolve(launch, env=env)


def faults(conversation: Conversation, requests: Sequence[Json], events: Sequence[Event]) -> Iterator[str]:
    """Yield what is wrong with a program of which these ``requests`` reached the model, and which told these events."""
    if CANARY in json.dumps(requests):
        yield "it reads files that a prompt mentions, and sends them to the model"
    match requests:
        case []:
            yield "it does not ask the model"
        case [request]:
            yield from _faults_of(conversation, request)
        case _:
            yield f"it asks the model {len(requests)} times for one answer"
    yield from (f"its answer is a failure: {event.error}" for event in events if isinstance(event, Failed))
    if requests and "".join(each.text for each in events if isinstance(each, TextDelta)) != _last(conversation):
        yield "its answer is not what the model says"


def _faults_of(conversation: Conversation, request: Json) -> Iterator[str]:
    if _said(request) != [(role, text) for role, text in zip(_roles(conversation), _texts(conversation), strict=True)]:
        yield "what was said does not reach the model as it was said"
    if conversation.system[0] not in [block["text"] for block in request["system"]]:
        yield "the system prompt does not reach the model"
    tools = [tool.get("name") for tool in request.get("tools", ())]
    if tools != [tool.name for tool in conversation.tools]:
        yield f"the model is offered these tools, and not the client's: {', '.join(map(str, tools)) or 'none'}"


def _said(request: Json) -> list[tuple[str, str]]:
    """Return the texts of the user and of the model; what the program says beside them is a system turn's."""
    turns = (turn for turn in request["messages"] if turn["role"] in ROLES)
    return [(turn["role"], block.get("text", "")) for turn in turns for block in turn["content"]]


def _roles(conversation: Conversation) -> list[str]:
    return ["user" if isinstance(turn, UserTurn) else "assistant" for turn in conversation.turns]


def _texts(conversation: Conversation) -> list[str]:
    return [part.text for turn in conversation.turns for part in turn.content if isinstance(part, Text)]


def _last(conversation: Conversation) -> str:
    return _texts(conversation)[-1]
