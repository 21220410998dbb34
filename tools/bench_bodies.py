"""What is asked: requests of OpenAI's chat completions, each a conversation that was never there before."""

from itertools import count

from attrs import define, field

from cca.model import Json
from tools.bench_asks import NotAnswered

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for name, description in (("get_weather", "Get the weather of a city"), ("get_time", "Get the time in a city"))
]

CALL = '[[call get_weather {"city": "Paris"}]]'
"""To which the scripted model answers with a call, and to any results of it as they say."""


@define
class Bodies:
    """Makes requests whose answers have ``tokens`` tokens. No two are alike, so that nobody can have one ready."""

    tokens: int
    run: str
    _numbers: "count[int]" = field(factory=count, init=False)

    @property
    def wish(self) -> str:
        return f"[[tokens {self.tokens}]] Say something of number {next(self._numbers)} in {self.run}."

    def is_whole(self, answer: Json) -> bool:
        """Whether an answer has all the tokens that were wished for."""
        return str(answer["content"]).endswith(f"t{self.tokens}")

    def plain(self) -> Json:
        return {"messages": [_user(self.wish)]}

    def configured(self) -> Json:
        """Return a request with a system prompt of its own, two tools, a temperature and a stop sequence."""
        return self._configured(self.wish)

    def calling(self) -> Json:
        """Return a request that is answered by a call of one of its tools."""
        return self._configured(f"{CALL} {next(self._numbers)} {self.run}")

    def going_on(self, body: Json, answer: Json) -> Json:
        """Return the next request of a conversation: what was said, and one more turn of the user's."""
        return {**body, "messages": [*body["messages"], answer, _user(self.wish)]}

    def with_results(self, body: Json, answer: Json) -> Json:
        """Return the next request of a conversation that has called: what was said, and the results.

        Raise ``NotAnswered`` where nothing was called.
        """
        results = [
            {"role": "tool", "tool_call_id": call["id"], "content": self.wish} for call in answer.get("tool_calls", ())
        ]
        if not results:
            raise NotAnswered(f"No tool was called, but this said: {answer['content']!r:.300}")
        return {**body, "messages": [*body["messages"], answer, *results]}

    def _configured(self, wish: str) -> Json:
        system = f"You are number {next(self._numbers)} of {self.run}, and brief."
        messages = [{"role": "system", "content": system}, _user(wish)]
        return {"messages": messages, "tools": TOOLS, "temperature": 0.5, "stop": ["###"]}


def _user(text: str) -> Json:
    return {"role": "user", "content": text}
