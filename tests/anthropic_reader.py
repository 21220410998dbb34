"""Messages as anthropic-python reads them: strictly by its types, and gathered from a stream."""

from collections.abc import Iterable
from typing import Any

import anthropic
import httpx2
import orjson
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from cca.dialects.contract import Frame
from cca.web import sse

EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


class Reader:
    """A client that is answered by no server at all."""

    def __init__(self) -> None:
        self._answer = httpx2.Response(200)
        by = httpx2.Client(transport=httpx2.MockTransport(lambda _: self._answer))
        self._client = anthropic.Anthropic(base_url="http://cca", api_key="any", http_client=by, max_retries=0)

    def gathered(self, frames: Iterable[Frame]) -> Any:
        """Return the message that a stream makes. Raise ``anthropic.APIStatusError`` for one that fails."""
        streamed = {"content-type": "text/event-stream"}
        self._answer = httpx2.Response(200, headers=streamed, content=sse.render(frames))
        asked: Any = {"model": "sonnet", "max_tokens": 1, "messages": [{"role": "user", "content": "Hello"}]}
        with self._client.messages.stream(**asked) as stream:
            return stream.get_final_message().to_dict(mode="json")

    def read(self, body: Any, status: int = 200) -> Any:
        """Return a body as it is read. Raise ``anthropic.APIStatusError`` for one of an error."""
        self._answer = httpx2.Response(status, content=orjson.dumps(body), headers={"content-type": "application/json"})
        asked: Any = {"model": "sonnet", "max_tokens": 1, "messages": [{"role": "user", "content": "Hello"}]}
        return self._client.messages.create(**asked).to_dict(mode="json")


def validate_stream(frames: Iterable[Frame]) -> None:
    """Assert that each event but an error has the types that its class has."""
    for frame in frames:
        if frame.name != "error":
            EVENT.validate_python(frame.content)


def validate_message(body: Any) -> None:
    anthropic.types.Message.model_validate(body)
