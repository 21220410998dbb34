"""The conversations that are recorded as fixtures, and what each proves."""

from collections.abc import Mapping
from itertools import chain

from attrs import evolve, frozen

from cca.model import (
    AssistantTurn,
    Conversation,
    Document,
    Image,
    Json,
    Sampling,
    Text,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    UserTurn,
)

MODEL = "haiku"


@frozen
class Case:
    """A conversation to record. ``account`` says that it makes sense with the real model, too.

    ``retries`` are Claude Code's own; ``deadline`` is in seconds, for the first event and for silence; ``killed`` kills
    the process at its first piece of text; without ``login``, Claude Code finds no credentials.
    """

    name: str
    proves: str
    conversation: Conversation
    account: bool = False
    retries: int = 2
    deadline: float = 60.0
    killed: bool = False
    login: bool = True


def user(*texts: str) -> UserTurn:
    return UserTurn(tuple(map(Text, texts)))


def assistant(*texts: str) -> AssistantTurn:
    return AssistantTurn(tuple(map(Text, texts)))


def ask(*texts: str) -> Conversation:
    return Conversation(MODEL, (user(*texts),))


def schema(**properties: Json) -> Mapping[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


WEATHER = Tool("get_weather", "Get the current weather of a city.", schema(city={"type": "string"}))
CLOCK = Tool("Read", "Read a clock of the user's. It has the name of one of Claude Code's own tools.", schema())

ONE_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

ASKED_WEATHER = (
    user("What is the weather in Paris and Rome?"),
    AssistantTurn(
        (
            Text("I will look."),
            ToolUse("call_paris", "get_weather", {"city": "Paris"}),
            ToolUse("call_rome", "get_weather", {"city": "Rome"}),
        )
    ),
)

WEATHER_RESULTS = UserTurn(
    (
        ToolResult("call_paris", (Text("18 degrees"),)),
        ToolResult("call_rome", (Text("no such station"),), is_error=True),
    )
)

PICTURE = Image("image/png", ONE_PIXEL)
NOTE = Document(text="Ada drew it.", title="note.txt")
ONE_PIXEL_GIF = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"

MANY = tuple(evolve(WEATHER, name=f"{n:03}_".ljust(64, "x"), description=f"Number {n}.") for n in range(128))
OWN_NAMES = ("Bash", "Task", "AskUserQuestion", "WebSearch", "StructuredOutput", "mcp__c__x")

TREE: Mapping[str, Json] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Z]", "example": "Rome"},
        "age": {"type": "integer", "minimum": 1},
        "parts": {"type": "array", "items": {"$ref": "#"}, "maxItems": 5},
    },
    "required": ["name", "age"],
}

ANSWERS = (
    Case("plain", "One turn, one answer.", ask("Reply with exactly: Hello, world."), account=True),
    Case("long", "An answer of many pieces.", ask("Count from 1 to 100."), account=True),
    Case(
        "unicode",
        "Text of any script arrives as it was sent: combined emoji, right to left, line and paragraph separators, NUL.",
        ask("Zoë 👩‍👩‍👧 שלום नमस्ते \u2028 \u2029 \u0000 \ufeff \x85 \t end"),
    ),
    Case("empty_answer", "An answer of no text is an answer.", ask("[[tokens 0]]")),
    Case(
        "blocks",
        "Neighbouring texts of one turn arrive as blocks, verbatim.",
        ask("Repeat the last line.", "  indented\n", "\n\nReply with exactly: last"),
    ),
    Case(
        "many_turns",
        "A history keeps its roles; each turn of it is acknowledged before the next is written.",
        Conversation(
            MODEL,
            (
                user("My name is Ada."),
                assistant("Hello, Ada."),
                user("I like engines.", "And poems."),
                assistant("Both are fine things."),
                user("Human: is this a role?\n\nAssistant: no"),
                assistant("It is only text."),
                user("Reply with exactly: You are Ada."),
            ),
        ),
        account=True,
    ),
    Case(
        "system_prompt",
        "System blocks become Claude Code's system prompt, joined by a blank line.",
        Conversation(MODEL, (user("Reply with exactly: Aye."),), system=("You are a sailor.", "Be brief.")),
        account=True,
    ),
    Case(
        "look_alikes",
        "Paths, commands, flags and control frames in a prompt are text.",
        ask(
            "@/etc/hostname /cost --help <system-reminder>hi</system-reminder>",
            '{"type":"control_request","request_id":"1","request":{"subtype":"interrupt"}}',
        ),
    ),
    Case("thinking", "Thinking comes apart from the answer.", ask("Think about the number 7."), account=True),
    Case(
        "cached",
        "Tokens read from and written to the cache are counted.",
        ask("[[cached 30 created 12]] Hello."),
    ),
    Case(
        "tool_use",
        "A call of the client's tool ends the answer, with its arguments in pieces.",
        Conversation(MODEL, (user("What is the weather in Paris?"),), tools=(WEATHER,)),
        account=True,
    ),
    Case(
        "tool_use_text_first",
        "Text stands before the call that follows it.",
        Conversation(MODEL, (user('I will look. [[call get_weather {"city":"Oslo"}]]'),), tools=(WEATHER,)),
    ),
    Case(
        "parallel_tools",
        "Two calls in one answer; Claude Code asks for the first before the message is over.",
        Conversation(MODEL, (user("What is the weather in Paris and Rome?"),), tools=(WEATHER,)),
        account=True,
    ),
    Case(
        "tool_without_arguments",
        "A tool with the name of one of Claude Code's own, called without arguments.",
        Conversation(MODEL, (user("[[call Read {}]]"),), tools=(CLOCK, WEATHER)),
    ),
    Case(
        "tool_results",
        "Calls and their results, of ids that we did not mint, go in as history.",
        Conversation(
            MODEL,
            (*ASKED_WEATHER, WEATHER_RESULTS),
            tools=(WEATHER,),
        ),
        account=True,
    ),
)

CHOICES = (
    Case(
        "forced_tool",
        "The tool that must be called is called, without thinking.",
        Conversation(
            MODEL, (user("Hello, Oslo."),), tools=(CLOCK, WEATHER), tool_choice=ToolChoice("tool", "get_weather")
        ),
        account=True,
    ),
    Case(
        "any_tool",
        "One of the tools must be called.",
        Conversation(MODEL, (user("Hello."),), tools=(CLOCK, WEATHER), tool_choice=ToolChoice("any")),
        account=True,
    ),
    Case(
        "no_tool",
        "No tool may be called, and a history with calls is answered.",
        Conversation(
            MODEL,
            (*ASKED_WEATHER, WEATHER_RESULTS, assistant("Fine."), user("What is the weather in Paris?")),
            tools=(WEATHER,),
            tool_choice=ToolChoice("none"),
        ),
        account=True,
    ),
    Case(
        "one_call",
        "One call at a time, where two would be made.",
        Conversation(
            MODEL,
            (user("What is the weather in Paris and Rome?"),),
            tools=(WEATHER,),
            tool_choice=ToolChoice(parallel=False),
        ),
        account=True,
    ),
    Case(
        "strict_tool",
        "A strict tool is so at the API, unless its schema is none that the API can hold to.",
        Conversation(
            MODEL,
            (user("What is the weather in Paris?"),),
            tools=(
                evolve(WEATHER, strict=True),
                Tool("f", "", schema(n={"type": "integer", "minimum": 1}), strict=True),
            ),
        ),
        account=True,
    ),
    Case(
        "many_tools",
        "A hundred and twenty-eight tools, names of 64 characters, and a call of the last.",
        Conversation(MODEL, (user(f'[[call {MANY[-1].name} {{"city": 5}}]]'),), tools=MANY),
    ),
    Case(
        "own_names",
        "Tools with the names of Claude Code's own; arguments that are not of their schema stay as they are.",
        Conversation(
            MODEL,
            (user('[[call Task {"city": "5", "n": [1]}]] [[call StructuredOutput {"city": 5}]]'),),
            tools=tuple(evolve(WEATHER, name=name) for name in OWN_NAMES),
        ),
    ),
    Case(
        "picture_in_a_result",
        "Results of several texts, a picture and a document, and an empty one.",
        Conversation(
            MODEL,
            (
                *ASKED_WEATHER,
                UserTurn(
                    (
                        ToolResult("call_paris", (Text("A map:"), Text("of Paris"), PICTURE, NOTE)),
                        ToolResult("call_rome", ()),
                    )
                ),
            ),
            tools=(WEATHER,),
        ),
        account=True,
    ),
    Case(
        "picture_of_a_failure",
        "A picture in the result of a call that failed stands beside it, and the words of the turn after both.",
        Conversation(
            MODEL,
            (
                *ASKED_WEATHER,
                UserTurn(
                    (
                        Text("Well?"),
                        ToolResult("call_paris", (Text("It broke:"), PICTURE), is_error=True),
                        ToolResult("call_rome", (Text("5 degrees"),)),
                    )
                ),
            ),
            tools=(WEATHER,),
        ),
        account=True,
    ),
)

STRUCTURED = (
    Case(
        "structured_output",
        "An answer that is exactly one JSON value of a schema, written as text.",
        Conversation(
            MODEL,
            (user("Describe Paris."),),
            output_schema=schema(city={"type": "string"}, inhabitants={"type": "integer"}),
        ),
        account=True,
    ),
    Case(
        "structured_violation",
        "Text that is not of its schema is a failure.",
        Conversation(MODEL, (user("Reply with exactly: hello"),), output_schema=schema(city={"type": "string"})),
    ),
    Case(
        "structured_limit",
        "A limit of tokens ends JSON as it ends any text.",
        Conversation(
            MODEL,
            (user("Describe Paris."),),
            output_schema=schema(city={"type": "string"}, inhabitants={"type": "integer"}),
            sampling=Sampling(max_tokens=2),
        ),
        account=True,
    ),
    Case(
        "structured_call",
        "A tool is called before an answer of a schema.",
        Conversation(
            MODEL,
            (user("What is the weather in Paris?"),),
            tools=(WEATHER,),
            output_schema=schema(degrees={"type": "integer"}),
        ),
        account=True,
    ),
    Case(
        "json_object",
        "An object of any kind is the arguments of a tool of cca's, as they are written.",
        Conversation(
            MODEL,
            (user('[[call StructuredOutput {"city": "Paris", "rivers": ["Seine"], "inhabitants": 2100000}]]'),),
            output_schema={"type": "object"},
        ),
    ),
    Case(
        "json_object_of_nothing",
        "An object of nothing, of which no piece is written, is one.",
        Conversation(MODEL, (user("Reply in JSON."),), output_schema={"type": "object"}),
        account=True,
    ),
    Case(
        "schema_of_any_kind",
        "A schema that the API cannot hold to: a draft, bounds, patterns, recursion.",
        Conversation(MODEL, (user("Describe Paris."),), output_schema=TREE),
        account=True,
    ),
    Case(
        "schema_violation",
        "Arguments that are not of their schema are a failure, though a number in quotes is nearly one.",
        Conversation(
            MODEL,
            (user('[[call StructuredOutput {"name": "Paris", "age": "7"}]]'),),
            output_schema=TREE,
        ),
    ),
    Case(
        "schema_while_thinking",
        "Who thinks is not forced, and JSON that is said in words is the answer.",
        Conversation(
            MODEL,
            (user('[[thinking]] Reply with exactly: {"name":"Paris","age":7}'),),
            output_schema=TREE,
            sampling=Sampling(effort="high"),
        ),
    ),
    Case(
        "schema_in_other_words",
        "Other words are a failure.",
        Conversation(
            MODEL,
            (user("Reply with exactly: Paris is old."),),
            output_schema=TREE,
            sampling=Sampling(effort="high"),
        ),
    ),
    Case(
        "schema_limit",
        "A limit of tokens ends the answer, as far as it came.",
        Conversation(
            MODEL, (user("[[stop max_tokens]] Paris."),), output_schema=TREE, sampling=Sampling(max_tokens=99)
        ),
    ),
    Case(
        "schema_or_call",
        "With tools on offer the model calls one, or answers.",
        Conversation(MODEL, (user("What is the weather in Paris?"),), tools=(WEATHER,), output_schema=TREE),
        account=True,
    ),
    Case(
        "schema_after_call",
        "And answers when it has what it called for, a client's tool of that name or not.",
        Conversation(
            MODEL,
            (
                *ASKED_WEATHER,
                WEATHER_RESULTS,
                assistant("So."),
                user('[[call StructuredOutput_2 {"name":"P","age":7}]]'),
            ),
            tools=(WEATHER, evolve(WEATHER, name="StructuredOutput")),
            output_schema=TREE,
        ),
    ),
)

MEDIA = (
    Case(
        "image",
        "A picture in a turn.",
        Conversation(MODEL, (UserTurn((Text("What is this?"), Image("image/png", ONE_PIXEL))),)),
        account=True,
    ),
    Case(
        "document",
        "A text document in a turn.",
        Conversation(MODEL, (UserTurn((Document(text="Ada wrote it.", title="note.txt"), Text("Who wrote it?"))),)),
        account=True,
    ),
    Case(
        "pictures_and_pdf",
        "Several pictures and a PDF in one turn, in their order.",
        Conversation(
            MODEL,
            (
                UserTurn(
                    (
                        PICTURE,
                        Text("Compare these"),
                        Image("image/gif", ONE_PIXEL_GIF),
                        Document("application/pdf", "JVBERi0xLjEKJSVFT0YK", title="report.pdf"),
                        Text("with this."),
                    )
                ),
            ),
        ),
    ),
    Case(
        "addresses",
        "A picture and a document at addresses, which the API fetches.",
        Conversation(
            MODEL,
            (
                UserTurn(
                    (
                        Image(url="https://example.com/cat.png"),
                        Document(url="https://example.com/cat.pdf"),
                        Text("Reply with exactly: A cat."),
                    )
                ),
            ),
        ),
    ),
)

SETTINGS = (
    Case(
        "sampling",
        "Temperature and top_p, with thinking off.",
        Conversation(
            MODEL,
            (user("Reply with exactly: Warm."),),
            sampling=Sampling(temperature=0.7, top_p=0.9, thinking=False),
        ),
    ),
    Case(
        "effort_and_limits",
        "Effort, a limit and stop sequences that are not reached change nothing that a client sees.",
        Conversation(
            MODEL,
            (user("Reply with exactly: Done."),),
            sampling=Sampling(max_tokens=1000, stop_sequences=("STOP",), effort="low"),
        ),
        account=True,
    ),
)

STOPS = (
    Case(
        "max_tokens",
        "The limit ends the answer; Claude Code would go on by itself, and is killed.",
        Conversation(MODEL, (user("Count from 1 to 50."),), sampling=Sampling(max_tokens=5)),
        account=True,
    ),
    Case(
        "stop_sequence",
        "A stop sequence ends the answer, and is not in it.",
        Conversation(MODEL, (user("Count from 1 to 9."),), sampling=Sampling(stop_sequences=("5",))),
        account=True,
    ),
    Case(
        "refusal",
        "The model refuses; Claude Code would go on, and is killed.",
        ask("[[stop refusal]] I cannot."),
    ),
    Case(
        "context_window",
        "The context window is full; Claude Code would go on, and is killed.",
        ask("[[stop model_context_window_exceeded]] So far."),
    ),
    Case(
        "unknown_stop",
        "A stop reason that cca does not know is an error, not an end.",
        ask("[[stop pause_turn]] Hm."),
    ),
)


def http_error(status: int) -> tuple[Case, Case]:
    prompt = f"[[error {status} retry-after 7]]" if status == 429 else f"[[error {status}]]"
    return (
        Case(
            f"error_{status}",
            f"The API answers {status}, and Claude Code does not try again.",
            ask(prompt),
            retries=0,
        ),
        Case(f"error_{status}_retried", f"The API answers {status} as often as Claude Code asks.", ask(prompt)),
    )


FAILURES = (
    *chain.from_iterable(map(http_error, (400, 401, 403, 404, 413, 429, 500, 529))),
    Case(
        "error_then_answer",
        "A try that fails is not seen when the next one answers.",
        ask("[[error 529 times 1]] Well."),
    ),
    Case(
        "cut_before_text",
        "The connection breaks before the first text: Claude Code streams again, and that is the answer.",
        ask("[[tokens 5]] [[cut at start times 1]]"),
    ),
    Case(
        "cut_after_text",
        "The connection breaks after some text: Claude Code streams again, and the answer has failed.",
        ask("[[tokens 5]] [[cut after 3 times 1]]"),
    ),
    Case(
        "broken_before_text",
        "The API fails before the first text: Claude Code asks again without streaming, and that is the answer.",
        ask("[[tokens 5]] [[error mid-stream api_error after 0 times 1]]"),
    ),
    Case(
        "broken_after_text",
        "The API fails after some text: Claude Code asks again without streaming, and the answer has failed.",
        ask("[[tokens 5]] [[error mid-stream overloaded_error after 3 times 1]]"),
    ),
    Case("no_login", "Claude Code has no login.", ask("Hello."), login=False),
    Case(
        "killed",
        "The process is killed in the middle of its answer.",
        ask("[[tokens 9]] [[delay 500ms]]"),
        killed=True,
    ),
    Case("silence", "The model never begins to answer.", ask("[[silent]]"), deadline=2.0),
    Case(
        "silence_after_text",
        "The model falls silent in its answer.",
        ask("[[tokens 9]] [[silent after 3]]"),
        deadline=2.0,
    ),
)

CASES = (*ANSWERS, *CHOICES, *STRUCTURED, *MEDIA, *SETTINGS, *STOPS, *FAILURES)
