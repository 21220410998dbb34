"""Print what a client's checks come to, each as a line of JSON. Every program beside has the same checks.

They are functions whose name is the check's. What one returns is its ``answer``, what one lets out was ``raised``.
The address and the key are in OPENAI_BASE_URL and OPENAI_API_KEY, and in ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY,
where most clients look by themselves.
"""

import asyncio
import inspect
import json
from collections.abc import Callable

MODEL = "gpt-4o-mini"
CLAUDE = "claude-haiku-4-5"

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="  # PNG, 1 x 1

CHAT = "Reply with exactly: Hello there"
STREAM = "[[delay 200ms]] Count from 1 to 5"
BRIEF, NAME, GREETING, ASKED = "You are brief.", "My name is Ada.", "My name is Ada.", "Reply with exactly: Ada"
TOOLS = "What is the weather in Paris?"
AGAIN = '[[call ask_again {"times": %d}]]'
THINKING = "[[thinking so be it]] Reply with exactly: Hello there"
STRUCTURED = "Tell me of Paris, population=2100000"
ERROR = "[[error 429]]"
BROKEN = "[[error mid-stream overloaded_error after 2]] one two three four"


def tell(*checks: Callable[[], object]) -> None:
    """Run them one after the other. Those that are coroutine functions share an event loop."""
    with asyncio.Runner() as loop:
        for check in checks:
            try:
                answer = check()
                line = {"answer": loop.run(answer) if inspect.iscoroutine(answer) else answer}
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what the check came to
                line = {"raised": f"{type(error).__name__}: {error}"}
            print(json.dumps({"check": check.__name__, **line}), flush=True)
