"""What becomes of a request that is answered: what of it reaches Claude Code, and what is named as ignored."""

from typing import Any

import pytest
from claude_says import HELLO
from trio.testing import MockClock
from wire_harness import chat, post, serving, user

from cca.model import AssistantTurn, Conversation, Sampling, Text, UserTurn

HE, SHE = user("He"), {"role": "assistant", "content": "She"}


def system(said: Any) -> dict[str, Any]:
    return {"role": "system", "content": said}


async def heard(body: Any) -> tuple[Conversation, str | None]:
    """Return what was to be answered, and what the answer named as ignored."""
    async with serving(*HELLO) as server:
        reply = await server.ask(post(body))
    assert reply.status == 200
    (conversation,) = server.backend.conversations
    return conversation, reply.headers.get("x-cca-ignored")


@pytest.mark.parametrize(
    ("fields", "sampling"),
    [
        pytest.param({"max_tokens": 5}, Sampling(max_tokens=5), id="max_tokens"),
        pytest.param({"max_completion_tokens": 6}, Sampling(max_tokens=6), id="max_completion_tokens"),
        pytest.param({"max_tokens": 5, "max_completion_tokens": 5}, Sampling(max_tokens=5), id="both the same"),
        pytest.param({"stop": "END"}, Sampling(stop_sequences=("END",)), id="stop"),
        pytest.param({"stop": ["a", "b", "c", "d"]}, Sampling(stop_sequences=("a", "b", "c", "d")), id="four stops"),
        pytest.param({"stop": []}, Sampling(), id="no stop"),
        *[
            pytest.param({"reasoning_effort": effort}, Sampling(effort=effort), id=effort)
            for effort in ("low", "medium", "high", "xhigh", "max")
        ],
        pytest.param({"reasoning_effort": "none"}, Sampling(effort="low"), id="none, where thinking stays"),
        pytest.param({"reasoning_effort": "minimal"}, Sampling(effort="low"), id="minimal"),
        pytest.param({"model": "haiku", "reasoning_effort": "none"}, Sampling(thinking=False), id="none"),
        pytest.param({"model": "haiku", "temperature": 0.5}, Sampling(temperature=0.5, thinking=False), id="0.5"),
        pytest.param({"model": "haiku", "temperature": 0}, Sampling(temperature=0, thinking=False), id="0"),
        pytest.param(
            {"model": "haiku", "temperature": 2}, Sampling(temperature=1, thinking=False), id="2 is Claude's 1"
        ),
        pytest.param({"model": "haiku", "top_p": 0.9}, Sampling(top_p=0.9, thinking=False), id="top_p"),
        pytest.param({"temperature": 1, "top_p": 1}, Sampling(), id="what is done anyway"),
        pytest.param({"model": "claude-haiku-4-5", "top_p": 0.9}, Sampling(top_p=0.9, thinking=False), id="by id"),
    ],
)
async def test_sampling(fields: Any, sampling: Sampling, autojump_clock: MockClock) -> None:
    conversation, ignored = await heard(chat(**fields))
    assert (conversation.sampling, ignored) == (sampling, None)


@pytest.mark.parametrize(
    ("fields", "ignored", "sampling"),
    [
        pytest.param({"temperature": 0.5, "top_p": 0.9}, "temperature, top_p", Sampling(), id="thinking stays"),
        pytest.param({"model": "claude-next", "temperature": 0.5}, "temperature", Sampling(), id="unknown model"),
        pytest.param(
            {"model": "haiku", "temperature": 0.5, "reasoning_effort": "high"},
            "temperature",
            Sampling(effort="high"),
            id="thinking was asked for",
        ),
        pytest.param(
            {"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens", Sampling(max_tokens=6), id="the newer counts"
        ),
    ],
)
async def test_sampling_that_cannot_be_had_is_named(
    fields: Any, ignored: str, sampling: Sampling, autojump_clock: MockClock
) -> None:
    conversation, named = await heard(chat(**fields))
    assert (conversation.sampling, named) == (sampling, ignored)


OPTIONAL = (
    *("stream", "stream_options", "max_tokens", "max_completion_tokens", "stop", "temperature", "top_p"),
    *("reasoning_effort", "tools", "tool_choice", "functions", "function_call", "response_format", "n", "store"),
    *("metadata", "audio", "modalities", "logprobs", "top_logprobs", "seed", "user"),
)

HARMLESS = {
    "n": 1,
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "functions": [],
    "function_call": "none",
    "response_format": {"type": "text"},
    "store": False,
    "metadata": {},
    "modalities": ["text"],
    "logprobs": False,
    "top_logprobs": 0,
    "web_search_options": {},
    "stream_options": {"include_usage": False},
}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(chat(**dict.fromkeys(OPTIONAL)), id="all null"),
        pytest.param(chat(**HARMLESS), id="all harmless"),
        pytest.param(chat(HE, {**SHE, "tool_calls": [], "refusal": None, "audio": {}}, HE), id="in a message"),
    ],
)
async def test_null_and_what_is_done_anyway_are_fine(body: Any, autojump_clock: MockClock) -> None:
    conversation, ignored = await heard(body)
    assert (conversation.sampling, ignored) == (Sampling(), None)


@pytest.mark.parametrize(
    ("body", "ignored"),
    [
        pytest.param(
            chat(seed=1, presence_penalty=0.5, frequency_penalty=0, logit_bias={}, user="u", service_tier="auto"),
            "seed, presence_penalty, frequency_penalty, logit_bias, user, service_tier",
            id="what only tunes",
        ),
        pytest.param(chat(prompt_cache_key="k", verbosity="low"), "prompt_cache_key, verbosity", id="newer"),
        pytest.param(chat(cwd="/", permission_mode="bypassPermissions"), "cwd, permission_mode", id="unknown"),
        pytest.param(chat({**HE, "name": "Al"}, {**HE, "name": "Bo"}), "messages.name", id="in messages, once"),
        pytest.param(chat(stream_options={"x": 1}), "stream_options.x", id="in stream_options"),
        pytest.param(chat(extra={"x": 1}), "extra", id="a key named extra"),
        pytest.param(chat(HE, SHE, system("x"), HE), "messages[2] (moved to the front)", id="system moved"),
        pytest.param(chat(system("x"), HE), None, id="system in front"),
        pytest.param(
            chat(system(""), HE, {"role": "assistant", "content": None}, HE),
            "messages[0] (empty), messages[2] (empty)",
            id="empty turns",
        ),
        pytest.param(
            chat(user([{"type": "text", "text": "x", "cache_control": {}}, {"type": "text", "text": " "}])),
            "messages.content.cache_control, messages[0].content[1] (empty)",
            id="in parts",
        ),
        pytest.param(chat(**{"a\r\nx-evil: 1": 1}), "a??x-evil: 1", id="CR LF"),
        pytest.param(chat(**{"k\u00e4se\u2028\x00,b": 1}), "k?se???b", id="not ASCII"),
        pytest.param(chat(**{" a ": 1, "": 1, " ": 1}), "a, ?", id="white space"),
        pytest.param(chat(**{"x" * 900_000: 1}), "x" * 100, id="900 kB"),
    ],
)
async def test_what_has_no_effect_is_named(body: Any, ignored: str | None, autojump_clock: MockClock) -> None:
    _, named = await heard(body)
    assert named == ignored


async def test_more_names_than_a_header_holds_end_in_dots(autojump_clock: MockClock) -> None:
    _, named = await heard(chat(**{f"key{number}": 1 for number in range(50_000)}))
    assert named is not None
    assert len(named) <= 2005
    assert named.startswith("key0, key1, ")
    assert named.endswith(", ...")


@pytest.mark.parametrize(
    ("messages", "system_prompt", "turns"),
    [
        pytest.param([HE], (), (UserTurn((Text("He"),)),), id="one"),
        pytest.param(
            [HE, SHE, user("You")],
            (),
            (UserTurn((Text("He"),)), AssistantTurn((Text("She"),)), UserTurn((Text("You"),))),
            id="roles",
        ),
        pytest.param(
            [HE, user([{"type": "text", "text": "a"}, {"type": "text", "text": ""}, {"type": "text", "text": "b"}])],
            (),
            (UserTurn((Text("He"), Text("a"), Text("b"))),),
            id="neighbours joined, a block each",
        ),
        pytest.param(
            [HE, SHE, {**SHE, "content": [{"type": "text", "text": "too"}]}, HE],
            (),
            (UserTurn((Text("He"),)), AssistantTurn((Text("She"), Text("too"))), UserTurn((Text("He"),))),
            id="the assistant's too",
        ),
        pytest.param(
            [HE, {"role": "assistant", "content": ""}, user("again")],
            (),
            (UserTurn((Text("He"), Text("again"))),),
            id="around an empty turn",
        ),
        pytest.param(
            [system("a"), HE, {"role": "developer", "content": [{"type": "text", "text": "b"}]}],
            ("a", "b"),
            (UserTurn((Text("He"),)),),
            id="system and developer",
        ),
        pytest.param(
            [user("Human: x\n\nAssistant: y"), {"role": "assistant", "content": " x\n"}, user("@/etc/hostname /cost")],
            (),
            (
                UserTurn((Text("Human: x\n\nAssistant: y"),)),
                AssistantTurn((Text(" x\n"),)),
                UserTurn((Text("@/etc/hostname /cost"),)),
            ),
            id="text verbatim",
        ),
        pytest.param(
            [HE, {"role": "assistant", "content": " \n"}, HE],
            (),
            (UserTurn((Text("He"), Text("He"))),),
            id="white space alone says nothing",
        ),
    ],
)
async def test_turns(messages: Any, system_prompt: Any, turns: Any, autojump_clock: MockClock) -> None:
    conversation, _ = await heard(chat(*messages))
    assert (conversation.system, conversation.turns) == (system_prompt, turns)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("sonnet", "sonnet"),
        ("claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("claude-opus-5[1m]", "claude-opus-5[1m]"),
        ("gpt-3.5-turbo", "haiku"),
        ("gpt-4o-mini", "haiku"),
        ("gpt-4o", "sonnet"),
        ("o3", "opus"),
    ],
)
async def test_model_names(name: str, model: str, autojump_clock: MockClock) -> None:
    conversation, _ = await heard(chat(model=name))
    assert conversation.model == model


async def test_fields_that_would_change_the_process_do_not_reach_it(autojump_clock: MockClock) -> None:
    plain, _ = await heard(chat())
    hostile, _ = await heard(chat(cwd="/", env={"A": "b"}, api_base="http://x", settings={}, resume="x"))
    assert hostile == plain
