"""What is answered to a request. ``RULES`` are tried in order; the first that has blocks to give wins."""

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import evolve, frozen

from cca.scripted.calls import STRUCTURED, asked_calls, forced_calls, read_hints, structured_schema
from cca.scripted.citations import cited
from cca.scripted.directives import Wishes, read_directives, without_directives
from cca.scripted.instances import as_text, instance
from cca.scripted.prompt import Prompt, read_prompt
from cca.scripted.script import Block, Call, Json, Say, Script, Think

MOST_COUNTED = 1000
MOST_DELTAS = 200  # a long text comes in larger pieces, as a fast model's does

_EXACTLY = re.compile(r"\s*reply with exactly:?\s*(.+?)\s*", re.IGNORECASE | re.DOTALL)
_COUNT = re.compile(r"\bcount (?:from (?P<first>\d+) )?(?:up )?to (?P<last>\d+)", re.IGNORECASE)
_THINK = re.compile(r"\s*think (?:\w+ )?about (?P<topic>.+?)[.!?\s]*", re.IGNORECASE | re.DOTALL)
_TOKEN = re.compile(r"\s*\S+(?:\s+\Z)?|\s+\Z")


@frozen
class Asked:
    """A request as the rules see it. ``text`` is the user's, without the directives."""

    body: Json
    prompt: Prompt
    wishes: Wishes
    text: str


Rule: TypeAlias = Callable[[Asked], tuple[Block, ...]]


def script_for(body: Json) -> Script:
    """Write the answer to a request that ``checks`` has passed."""
    prompt = read_prompt(body)
    wishes = read_directives(prompt.everything)
    asked = Asked(body, prompt, wishes, without_directives(prompt.text))
    blocks = _one_call(body, next(blocks for rule in RULES if (blocks := rule(asked))))
    if wishes.thinking is not None and _may_think(body):
        blocks = (evolve(_think(wishes.thinking), shown=wishes.shown), *blocks)
    script = Script(
        tuple(_shown(body, block) for block in blocks),
        "tool_use" if any(isinstance(block, Call) for block in blocks) else "end_turn",
        wait=wishes.wait,
        delay=wishes.delay,
        cache_read=wishes.cache_read,
        cache_created=wishes.cache_created,
        fault=wishes.fault,
        fault_times=wishes.fault_times,
    )
    script = _limited(_stopped(script, body.get("stop_sequences") or ()), body["max_tokens"])
    if wishes.stop_reason is None:
        return script
    return evolve(script, stop_reason=wishes.stop_reason, stop_sequence=wishes.stop_sequence, category=wishes.category)


def _directed_calls(asked: Asked) -> tuple[Block, ...]:
    if not asked.wishes.calls:
        return ()
    return (say(asked.text), *asked.wishes.calls) if asked.text.strip() else asked.wishes.calls


def _directed_tokens(asked: Asked) -> tuple[Block, ...]:
    if asked.wishes.tokens is None:
        return ()
    return (Say(tuple(f"t{n}" if n == 1 else f" t{n}" for n in range(1, asked.wishes.tokens + 1))),)


def _demanded(asked: Asked) -> tuple[Block, ...]:
    return forced_calls(asked.body, asked.text)


def _exact(asked: Asked) -> tuple[Block, ...]:
    match = _EXACTLY.fullmatch(asked.text)
    return (say(match[1]),) if match else ()


def _called(asked: Asked) -> tuple[Block, ...]:
    if asked.prompt.results or (asked.body.get("tool_choice") or {}).get("type") == "none":
        return ()
    return asked_calls(asked.body, asked.text)


def _formatted(asked: Asked) -> tuple[Block, ...]:
    match (asked.body.get("output_config") or {}).get("format"):
        case {"type": "json_schema", "schema": schema}:
            return (say(as_text(instance(schema, read_hints(asked.prompt.everything)))),)
    return ()


def _structured(asked: Asked) -> tuple[Block, ...]:
    schema = structured_schema(asked.body)
    if schema is None or any(result.name == STRUCTURED for result in asked.prompt.results):
        return ()
    return (Call(STRUCTURED, instance(schema, read_hints(asked.prompt.everything)) or {}),)


def _from_results(asked: Asked) -> tuple[Block, ...]:
    told = [
        f"The tool {result.name or 'that was called'} {'failed' if result.is_error else 'says'}: "
        f"{without_directives(result.text) or '(nothing)'}"
        for result in asked.prompt.results
    ]
    return (say("\n".join(told)),) if told else ()


def _counted(asked: Asked) -> tuple[Block, ...]:
    match = _COUNT.search(asked.text)
    if match is None:
        return ()
    first = int(match["first"] or 1)
    numbers = range(first, min(int(match["last"]), first + MOST_COUNTED - 1) + 1)
    return (say(", ".join(str(number) for number in numbers)),) if numbers else ()


def _cited(asked: Asked) -> tuple[Block, ...]:
    return cited(asked.body)


def _thought(asked: Asked) -> tuple[Block, ...]:
    match = _THINK.fullmatch(asked.text)
    if match is None:
        return ()
    conclusion = say(f"I thought about {match['topic']}.")
    if not _may_think(asked.body) or asked.wishes.thinking is not None:
        return (conclusion,)
    return (
        _think(f"I am asked to think about {match['topic']}. Let me look at it from every side."),
        conclusion,
    )


def _echo(asked: Asked) -> tuple[Block, ...]:
    if asked.text.strip():
        return (say(asked.text),)
    if asked.prompt.attachments:
        return (say(f"You sent no words, but this: {', '.join(asked.prompt.attachments)}."),)
    return (say("You sent no words."),)


RULES: tuple[Rule, ...] = (
    _directed_calls,
    _directed_tokens,
    _demanded,
    _exact,
    _called,
    _formatted,
    _structured,
    _from_results,
    _counted,
    _cited,
    _thought,
    _echo,
)


def say(text: str) -> Say:
    return Say(_pieces(text))


def _think(text: str) -> Think:
    return Think(_pieces(text))


def _pieces(text: str) -> tuple[str, ...]:
    """Split into tokens, each a word with the space before it, and join some where there are too many."""
    tokens = _TOKEN.findall(text)
    size = -(-len(tokens) // MOST_DELTAS) or 1
    return tuple("".join(tokens[at : at + size]) for at in range(0, len(tokens), size))


def _may_think(body: Json) -> bool:
    return (body.get("thinking") or {}).get("type") != "disabled"


def _shown(body: Json, block: Block) -> Block:
    """Hide what is thought from a client that does not want to see it."""
    omitted = (body.get("thinking") or {}).get("display") == "omitted"
    return evolve(block, shown="hidden") if omitted and isinstance(block, Think) and block.shown == "told" else block


def _one_call(body: Json, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    if not (body.get("tool_choice") or {}).get("disable_parallel_tool_use"):
        return blocks
    calls = [block for block in blocks if isinstance(block, Call)]
    return tuple(block for block in blocks if not isinstance(block, Call) or block is calls[0])


def _stopped(script: Script, sequences: Sequence[str]) -> Script:
    """End the answer before the first stop sequence in its text."""
    for at, block in enumerate(script.blocks):
        if not isinstance(block, Say):
            continue
        found = [(place, one) for one in sequences if (place := block.text.find(one)) >= 0]
        if found:
            place, sequence = min(found)
            kept = (Say(_first(block.deltas, place)),) if place else ()
            return evolve(
                script,
                blocks=(*script.blocks[:at], *kept),
                stop_reason="stop_sequence",
                stop_sequence=sequence,
            )
    return script


def _first(deltas: tuple[str, ...], length: int) -> tuple[str, ...]:
    kept: list[str] = []
    for delta in deltas:
        if length <= 0:
            break
        kept.append(delta[:length])
        length -= len(delta)
    return tuple(kept)


def _limited(script: Script, max_tokens: int) -> Script:
    """End the answer after ``max_tokens`` tokens of thinking and text. A call is made whole or not at all."""
    left = max_tokens
    kept: list[Block] = []
    for block in script.blocks:
        tokens = () if isinstance(block, Call) else _TOKEN.findall(block.text)
        if left <= 0 or len(tokens) > left:
            if left > 0 and not isinstance(block, Call):
                kept.append(evolve(block, deltas=_first(block.deltas, sum(map(len, tokens[:left])))))
            return evolve(script, blocks=tuple(kept), stop_reason="max_tokens", stop_sequence=None)
        left -= len(tokens)
        kept.append(block)
    return script
