"""Answers of a schema: by the API's own format, and as the arguments of a tool."""

from collections.abc import Mapping

from attrs import evolve

from cca.model import Conversation, Json, Sampling
from tools.cases.case import ASKED_WEATHER, MODEL, WEATHER, WEATHER_RESULTS, Case, assistant, schema, user

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
