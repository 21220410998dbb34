"""Values against schemas: each keyword holds what it should, and no schema and no value takes long."""

from typing import Any

import pytest

from cca.schemas import check
from cca.schemas.check import TooMuch, violation
from cca.schemas.keywords import fault_in

NODE = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 3}, "kids": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["n"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("schema", "fitting", "others"),
    [
        (True, [None, 1, {}], []),
        ({"type": "object"}, [{}, {"a": 1}], [[], None, "{}", 0]),
        ({"type": "array"}, [[], [1]], [{}, "[]"]),
        ({"type": "string"}, ["", "5"], [5, None]),
        ({"type": "integer"}, [5, 5.0, -1], [5.5, True, "5"]),
        ({"type": "number"}, [5, 5.5], [False, "5"]),
        ({"type": "boolean"}, [True, False], [0, 1, "true"]),
        ({"type": "null"}, [None], [0, "", False]),
        ({"type": ["string", "null"]}, ["a", None], [1]),
        (
            {"enum": [1, "a", None, [1], {"a": 1}]},
            [1, 1.0, "a", None, [1], {"a": 1.0}],
            [True, "1", [True], {"a": 2}, [], {}],
        ),
        ({"const": False}, [False], [0, None]),
        ({"minimum": 3, "maximum": 5}, [3, 5, 4.5, "2", True], [2, 6]),
        ({"exclusiveMinimum": 3, "exclusiveMaximum": 5}, [4], [3, 5]),
        ({"multipleOf": 0.1}, [0.3, 1, "x"], [0.35]),
        ({"multipleOf": 5e-324}, [1.7e308], []),
        ({"minLength": 2, "maxLength": 3}, ["äö", "abc", 1], ["a", "abcd"]),
        ({"pattern": "^a+$"}, ["a", "aaa", 5], ["", "ab"]),
        ({"pattern": "b"}, ["abc"], ["ac"]),
        ({"pattern": "^\\u00e9$"}, ["é"], ["e"]),
        ({"minItems": 1, "maxItems": 2}, [[1], [1, 2], "x"], [[], [1, 2, 3]]),
        (
            {"uniqueItems": True},
            [[1, "1", None], [{"a": 1}, {"a": 2}]],
            [[1, 1.0], [{"a": 1, "b": 2}, {"b": 2, "a": 1}]],
        ),
        (
            {"uniqueItems": True},
            [[[1], [True]], [1e300, 10], [{"a": "1"}, {"a": 1}], [0.5, 1e20]],
            [[[1], [1.0]], [{"a": [0]}, {"a": [0.0]}], [1e19, 10**19], [-0.0, 0]],
        ),
        ({"uniqueItems": False}, [[1, 1]], []),
        ({"minProperties": 1, "maxProperties": 1}, [{"a": 1}, 1], [{}, {"a": 1, "b": 2}]),
        ({"required": ["a"]}, [{"a": None}, []], [{}]),
        ({"dependentRequired": {"a": ["b"]}}, [{}, {"a": 1, "b": 1}], [{"a": 1}]),
        ({"properties": {"a": {"type": "string"}}}, [{}, {"a": "x", "b": 1}, 5], [{"a": 1}]),
        ({"patternProperties": {"^x": {"type": "string"}}}, [{"x": "a", "y": 1}, 5], [{"xy": 1}]),
        (
            {"properties": {"a": True}, "patternProperties": {"^x": True}, "additionalProperties": False},
            [{"a": 1, "x1": 2}, 5],
            [{"b": 1}],
        ),
        ({"additionalProperties": {"type": "string"}}, [{"a": "x"}], [{"a": 1}]),
        ({"propertyNames": {"maxLength": 2}}, [{"ab": 1}, 5], [{"abc": 1}]),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, [{}, {"a": 1, "b": 1}, 5], [{"a": 1}]),
        ({"items": {"type": "string"}}, [[], ["a"], 5], [["a", 1]]),
        ({"items": [{"type": "string"}], "additionalItems": False}, [["a"], []], [["a", 1], [1]]),
        ({"items": [{"type": "string"}]}, [["a", 1]], [[1]]),
        ({"prefixItems": [{"type": "string"}], "items": False}, [["a"], []], [["a", 1], [1]]),
        ({"prefixItems": [{"type": "string"}]}, [["a", 1], 5], [[1]]),
        ({"contains": {"type": "string"}}, [["a", 1], 5], [[1], []]),
        ({"contains": {"type": "string"}, "minContains": 0, "maxContains": 1}, [[], ["a"]], [["a", "b"]]),
        ({"allOf": [{"minimum": 3}, {"maximum": 5}]}, [4], [2, 6]),
        ({"anyOf": [{"type": "string"}, {"minimum": 3}]}, ["a", 4, None], [2]),
        ({"oneOf": [{"minimum": 3}, {"maximum": 5}]}, [2, 6], [4]),
        ({"not": {"type": "string"}}, [1], ["a"]),
        ({"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"minimum": 3}}, ["ab", 3], ["a", 2]),
        ({"if": {"type": "string"}}, ["a", 2], []),
        ({"then": {"type": "string"}}, [1], []),
        (NODE, [{"n": 3, "kids": [{"n": 4, "kids": []}]}], [{"n": 3, "kids": [{"n": 2}]}, {"n": 3, "x": 1}]),
        (
            {"$ref": "#/$defs/a~1b/anyOf/1", "$defs": {"a/b": {"anyOf": [{"type": "null"}, {"type": "string"}]}}},
            ["x"],
            [1, None],
        ),
        (
            {"$ref": "#/$defs/50%25%20off~0", "$defs": {"50% off~": {"type": "null"}, "50%25%20off~0": False}},
            [None],
            [1],
        ),
        ({"$ref": "#/$defs/a", "maxItems": 1, "$defs": {"a": {"type": "array"}}}, [[1]], [[1, 2], 1]),
        (
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "$ref": "#/definitions/a",
                "title": "A",
                "definitions": {"a": {"type": "null"}},
            },
            [None],
            [1],
        ),
        ({"properties": {"$ref": {"const": "a"}, "if": False}}, [{"$ref": "a"}], [{"$ref": "b"}, {"if": 1}]),
        ({"const": {"$ref": "#/a"}}, [{"$ref": "#/a"}], [{}]),
        ({"enum": [[0]]}, [[0], [0.0]], [[False]]),
        ({"contains": {"minimum": 5}, "maxContains": 1.0}, [[5], [4, 5]], [[5, 6]]),
        ({"prefixItems": [{"$id": "#here", "type": "null"}]}, [[None]], [[1]]),
        ({"items": {"$id": "https://example.com/item", "type": "null"}}, [[None]], [[1]]),
        ({"dependentSchemas": {"a": False}, "propertyNames": True}, [{"b": 1}], [{"a": 1}]),
        ({"not": {"not": {"type": "null"}}}, [None], [1]),
        ({"anyOf": [{"required": ["a"]}], "additionalProperties": False}, [], [{"a": 1}, {}]),
        ({"if": False, "else": {"type": "null"}, "then": False}, [None], [1]),
        ({"minLength": 2.0}, ["ab"], ["\U0001f600"]),
        ({"minimum": 9007199254740993}, [9007199254740993], [9007199254740992.0]),
        ({"format": "email", "nullable": True, "x-of-ours": [1]}, ["no mail"], []),
    ],
    ids=str,
)
def test_a_keyword_holds_what_it_says(schema: Any, fitting: list[Any], others: list[Any]) -> None:
    assert fault_in(schema) is None
    assert [violation(value, schema) for value in fitting] == [None] * len(fitting)
    assert [value for value in others if violation(value, schema) is None] == []


@pytest.mark.parametrize(
    ("value", "schema", "said"),
    [
        ({"n": "3"}, NODE, '$.n breaks "type": "integer"'),
        ({"n": 3, "kids": [{"n": 4}, {"n": 1}]}, NODE, '$.kids[1].n breaks "minimum": 3'),
        ({"n": 3, "x": 1}, NODE, "$.x may not be there"),
        ({}, NODE, '$ breaks "required": ["n"]'),
        (1, {"anyOf": [False, False]}, "$ is none of anyOf"),
        (1, {"oneOf": [True, True]}, "$ is 2 of oneOf"),
        (1, {"not": True}, "$ is what it must not be"),
        ([1], {"contains": False}, "$ has 0 items of its contains"),
        ({"ab": 1}, {"propertyNames": {"const": "a"}}, "$ has ab, a name that breaks its propertyNames"),
        ("a", {"enum": ["b" * 99]}, f'$ breaks "enum": ["{"b" * 58}...'),
    ],
    ids=str,
)
def test_a_violation_says_where_and_which_keyword(value: Any, schema: Any, said: str) -> None:
    assert violation(value, schema) == said


def doubled(times: int) -> Any:
    """Return a schema that is twice as much to check with each of its references."""
    names = [str(number) for number in range(times)]
    twice = {name: {"allOf": [{"$ref": f"#/$defs/{int(name) + 1}"}] * 2} for name in names}
    return {"$ref": "#/$defs/0", "$defs": {**twice, str(times): True}}


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (1, doubled(40)),
        (1, {"$ref": "#"}),
        ([[1] * 1000] * 1000, {"items": {"items": {"type": "integer"}}}),
        ([["a"] * 1000] * 1000, {"const": [["a"] * 1000] * 1000}),
        (["a" * 100_000] * 100, {"items": {"pattern": "a"}}),
        ([list(range(10_000))] * 100, {"items": {"uniqueItems": True}}),
        (nested(100), {"items": {"anyOf": [{"$ref": "#"}]}}),
    ],
    ids=["doubling", "itself", "many values", "a large constant", "long texts", "long arrays", "deep"],
)
def test_what_would_take_long_is_given_up(value: Any, schema: Any) -> None:
    assert fault_in(schema) is None
    with pytest.raises(TooMuch):
        violation(value, schema)


def repeated(leaf: Any, combined: str) -> Any:
    """Return a schema that looks at its leaf 4096 times, as long as it finds what ``combined`` goes on after."""
    names = [str(number) for number in range(12)]
    twice = {name: {combined: [{"$ref": f"#/$defs/{int(name) + 1}"}] * 2} for name in names}
    return {"$ref": "#/$defs/0", "$defs": {**twice, "12": leaf}}


MANY = {str(number): 1 for number in range(2000)}
LONG = "a" * 1_000_000


@pytest.mark.parametrize(
    ("combined", "leaf", "value"),
    [
        ("allOf", {"required": ["a"] * 2000}, {"a": 1}),
        ("allOf", {"dependentRequired": {"a": ["a"] * 2000}}, {"a": 1}),
        ("allOf", {"type": ["string"] * 2000 + ["integer"]}, 1),
        ("allOf", {"properties": dict.fromkeys(MANY, True)}, {}),
        ("allOf", {"additionalProperties": True}, MANY),
        ("allOf", {"items": {}}, [1] * 2000),
        ("allOf", {"contains": True}, [1] * 2000),
        ("allOf", MANY, 1),
        ("allOf", {"uniqueItems": True}, [LONG]),
        ("allOf", {"uniqueItems": True}, [[1] * 2000]),
        ("allOf", {"enum": [0] * 2000 + [1]}, 1),
        ("allOf", {"patternProperties": {"x": True}}, MANY),
        ("anyOf", {"const": LONG * 3 + "b"}, LONG * 3 + "c"),
        ("anyOf", {"const": {**MANY, "0": 2}}, MANY),
        ("anyOf", {"pattern": "(a|b)*a(a|b){600}c"}, "ab" * 100),
    ],
    ids=lambda part: str(part)[:40],
)
def test_what_is_large_counts_for_more_than_what_is_small(combined: str, leaf: Any, value: Any) -> None:
    assert violation(1, repeated({"type": "integer"}, combined)) is None
    schema = repeated(leaf, combined)
    assert fault_in(schema) is None
    with pytest.raises(TooMuch):
        violation(value, schema)


def test_a_name_that_takes_long_to_compare_is_given_up() -> None:
    schema = {"items": {"required": ["a" * 20_000]}}
    assert violation([1, {"a" * 10_000: 1}], {}) is None
    with pytest.raises(TooMuch):
        violation([1, {"a" * 20_000: 1}], schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {str(number): {"pattern": f"a{number}"} for number in range(1000)}},
        {"patternProperties": {f"a{number}": True for number in range(1000)}},
        {"patternProperties": {f"[\\w\\u0100-\\uffff]{{1000}}{number}": True for number in range(20)}},
    ],
    ids=["many", "many names", "large"],
)
def test_patterns_that_take_long_to_compile_are_refused(schema: Any) -> None:
    assert "must be a" in str(fault_in(schema))


def test_a_message_is_short_whatever_it_is_about() -> None:
    name, levels = "n" * 9000, 50
    schema: Any = {"enum": [LONG]}
    for _ in range(levels):
        schema = {"properties": {name: schema}}
    value: Any = 1
    for _ in range(levels):
        value = {name: value}
    told = violation(value, schema)
    assert told is not None
    assert told.startswith("...nnn")
    assert len(told) < 3000


def test_what_an_honest_answer_takes_is_far_from_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "STEPS", 50_000)
    value = {"n": 3, "kids": [{"n": 4, "kids": [{"n": 5}] * 10}] * 200}
    assert violation(value, NODE) is None


def test_a_pattern_that_others_hang_on_takes_no_time() -> None:
    assert violation("a" * 5000 + "b", {"pattern": "^(a+)+$"}) == '$ breaks "pattern": "^(a+)+$"'


def test_a_value_that_is_nested_deeper_than_anybody_asks_for_is_of_no_schema() -> None:
    assert violation(nested(200), True) == "it is nested too deep"  # noqa: FBT003 - a schema


@pytest.mark.parametrize(
    ("schema", "fault"),
    [
        (3, "its root must be an object, true or false"),
        ({"type": "strin"}, "its type must be one of JSON's types, or an array of them"),
        ({"type": ["string", 1]}, "its type must be one of JSON's types, or an array of them"),
        ({"properties": []}, "its properties must be an object of schemas"),
        ({"properties": {"a": 1}}, "its properties.a must be an object, true or false"),
        ({"properties": {"a": {"items": {"minimum": "1"}}}}, "its properties.a.items.minimum must be a number"),
        ({"items": [{"minLength": -1}]}, "its items[0].minLength must be an integer of 0 or more"),
        ({"maxItems": 1.5}, "its maxItems must be an integer of 0 or more"),
        ({"multipleOf": 0}, "its multipleOf must be a number above 0"),
        ({"required": "a"}, "its required must be an array of strings"),
        ({"dependentRequired": {"a": "b"}}, "its dependentRequired must be an object of arrays of strings"),
        ({"enum": "a"}, "its enum must be an array"),
        ({"uniqueItems": 1}, "its uniqueItems must be true or false"),
        ({"anyOf": []}, "its anyOf must be an array of schemas"),
        ({"not": []}, "its not must be a schema"),
        ({"items": 1}, "its items must be a schema, or an array of them"),
        ({"$ref": "https://example.com/x"}, 'its $ref must be a reference within it, as in "#/$defs/name"'),
        ({"$ref": "#/$defs/a"}, "its $ref must be an object, true or false"),
        ({"$ref": "#/enum/7", "enum": [1]}, "its $ref must be an object, true or false"),
        (
            {"$ref": "#/of/ours", "of": {"ours": {"type": 1}}},
            "its $ref.type must be one of JSON's types, or an array of them",
        ),
        (
            {"pattern": "(?=a)"},
            "its pattern must be a small regular expression of ECMAScript, without lookaround and back references",
        ),
        (
            {"pattern": "(a"},
            "its pattern must be a small regular expression of ECMAScript, without lookaround and back references",
        ),
        (
            {"patternProperties": {"(a": True}},
            (
                "its patternProperties must be an object of schemas, each with a small regular expression of "
                "ECMAScript, without lookaround and back references"
            ),
        ),
        ({"$ref": "#/anyOf/" + "1" * 5000, "anyOf": [True]}, "its $ref must be an object, true or false"),
        ({"$ref": "#/anyOf/01", "anyOf": [True, True]}, "its $ref must be an object, true or false"),
        ({"$schema": "https://example.com/mine"}, "its $schema must be the name of a draft of JSON Schema"),
        (
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "properties": {"a": {"$ref": "#/definitions/a", "maxItems": 1}},
                "definitions": {"a": True},
            },
            "its properties.a.maxItems is beside a $ref, and so without a meaning in its draft",
        ),
        (
            {"$defs": {"a": {"$id": "https://example.com/a", "$ref": "#/$defs/b"}, "b": True}},
            "cca cannot tell what its references are to, because of its $defs.a.$id",
        ),
        ({"unevaluatedProperties": False}, "cca cannot check its unevaluatedProperties"),
        ({"not": nested(200)}, "it is nested deeper than 128 levels"),
    ],
    ids=str,
)
def test_a_schema_that_is_none_is_told_with_its_place(schema: Any, fault: str) -> None:
    assert fault_in(schema) == fault


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    schema = {"properties": {"$ref": {"type": "string"}, "type": {"enum": ["x"]}, "unevaluatedItems": True}}
    assert fault_in(schema) is None
    assert violation({"$ref": "a", "type": "x"}, schema) is None
    assert violation({"type": "y"}, schema) == '$.type breaks "enum": ["x"]'
