"""Schemas and the instances made of them."""

from typing import Any

import pytest

from cca.scripted.instances import Hints, instance

TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["value", "children"],
        }
    },
}
EVENT = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 8, "maxLength": 10},
        "date": {"type": "string", "format": "date"},
        "participants": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "kind": {"$ref": "#/$defs/Kind"},
        "room": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["title", "date", "participants", "kind", "room"],
    "additionalProperties": False,
    "$defs": {"Kind": {"type": "string", "enum": ["call", "meeting"]}},
}


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"type": "string"}, "text"),
        ({"type": "integer"}, 1),
        ({"type": "number", "minimum": 2.5}, 2.5),
        ({"type": "integer", "minimum": 3, "maximum": 9, "multipleOf": 4}, 4),
        ({"type": "integer", "exclusiveMinimum": 4}, 5),
        ({"type": "number", "exclusiveMaximum": 0}, -0.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["null", "string"]}, "text"),
        ({"const": {"a": 1}}, {"a": 1}),
        ({"enum": ["x", "y"]}, "x"),
        ({"oneOf": [{"type": "null"}, {"const": 5}]}, 5),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "minLength": 6}, "text.."),
        ({"type": "string", "format": "email"}, "someone@example.com"),
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, "AAA"),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 3}, [1, 1, 1]),
        ({"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 3}, ["a", "b", "a"]),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 0}, []),
        (
            {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
            ["text", 1],
        ),
        ({"type": "object"}, {}),
        ({"properties": {"a": {"type": "integer"}}}, {"a": 1}),
        (
            {"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]},
            {"a": 1, "b": 2},
        ),
        (True, None),
    ],
)
def test_small_schemas(schema: Any, made: Any) -> None:
    assert instance(schema) == made


def test_hints_fill_what_they_fit() -> None:
    hints = Hints("A meeting of Ann and Bob about tea", names=("Ann", "Bob"))
    assert instance(EVENT, hints) == {
        "title": "Ann.....",
        "date": "2025-01-31",
        "participants": ["Bob", "participants"],
        "kind": "meeting",
        "room": "room",
    }


def test_pairs_and_prose_go_by_name() -> None:
    schema = {"properties": {"query": {"type": "string"}, "limit": {"type": "integer"}, "all": {"type": "boolean"}}}
    hints = Hints("find tea", pairs=(("limit", "7"), ("all", "false")))
    assert instance(schema, hints) == {"query": "find tea", "limit": 7, "all": False}


def test_recursion_ends() -> None:
    made = instance(TREE)
    assert made == {"value": 1, "children": [{"value": 1, "children": []}]}
    endless = {
        "$ref": "#/$defs/a",
        "$defs": {"a": {"properties": {"a": {"$ref": "#/$defs/a"}}, "required": ["a"]}},
    }
    assert list(instance(endless)) == ["a"]
    assert instance({"$ref": "#"}) == "text"


def test_the_same_schema_gives_the_same_instance() -> None:
    assert instance(EVENT) == instance(EVENT)
