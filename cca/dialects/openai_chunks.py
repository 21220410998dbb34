"""What the streams of OpenAI's older APIs share: chunks with one head, the usage last, and an end.

Source of the format: OpenAI's published schema, and what its client libraries rely on: one finish reason a choice, and
``[DONE]`` after the last chunk.
"""

from collections.abc import Iterator

from attrs import define, field

from cca.dialects.contract import Ask, Frame, Stamp
from cca.dialects.openai import chat_usage, choices_usage, error_object
from cca.errors import CcaError
from cca.model import Json, Usage

DONE = Frame("[DONE]")


@define
class Chunks:
    """The chunks of one answer. ``prefix`` begins its id, ``kind`` is what each calls itself."""

    ask: Ask
    stamp: Stamp
    prefix: str
    kind: str
    prompts: int = 1
    _model: str = field(default="", init=False)
    _usages: dict[int, Usage] = field(factory=dict, init=False)

    def begin(self, model: str) -> bool:
        """Return whether it is the first choice that starts. Its model's name is that of all."""
        first, self._model = not self._model, self._model or model
        return first

    def chunk(self, choice: Json) -> Frame:
        usage = {"usage": None} if self.ask.include_usage else {}
        return Frame({**self._head(), "choices": [choice], **usage})

    def end(self, choice: int, usage: Usage) -> Iterator[Frame]:
        """Take in that a choice is complete, and end the stream when all are."""
        self._usages[choice] = usage
        if len(self._usages) < len(self.ask.conversations):
            return
        if self.ask.include_usage:
            usages = [self._usages[number] for number in sorted(self._usages)]
            yield Frame({**self._head(), "choices": [], "usage": chat_usage(choices_usage(usages, self.prompts))})
        yield DONE

    def _head(self) -> dict[str, Json]:
        return head(self.prefix, self.kind, self.stamp, self._model)


def head(prefix: str, kind: str, stamp: Stamp, model: str) -> dict[str, Json]:
    """Return what each chunk of an answer begins with, or the whole of it."""
    return {"id": f"{prefix}-{stamp.id}", "object": kind, "created": stamp.created, "model": model}


def failure(error: CcaError) -> Frame:
    """Return the last frame of a stream that failed: without ``[DONE]``, so that no client takes it for an end."""
    return Frame({"error": error_object(error)})
