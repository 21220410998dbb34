"""Which schemas go to the API: those of its page on structured outputs, and small ones."""

from typing import Any

import pytest

from cca.schemas.keywords import fault_in
from cca.schemas.subset import MOST_STRICT, Size, held, size_of


def closed(**properties: Any) -> Any:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "size"),
    [
        (closed(), Size(0, 0, 1)),
        (closed(a=TEXT, b={"type": "integer", "title": "B", "description": "b", "default": 1}), Size(0, 0, 3)),
        ({**closed(a=TEXT, b=TEXT), "required": ["a"]}, Size(1, 0, 3)),
        (closed(a={"type": ["string", "null"]}), Size(0, 1, 2)),
        (closed(a={"anyOf": [TEXT, {"type": "null"}]}), Size(0, 1, 4)),
        (closed(a={"enum": ["x", 1, None, True]}, b={"const": "y"}), Size(0, 0, 3)),
        (closed(a={"type": "array", "items": closed(b=TEXT), "minItems": 1}), Size(0, 0, 4)),
        (closed(a={"type": "string", "format": "date-time"}), Size(0, 0, 2)),
        (
            {
                **closed(a={"$ref": "#/$defs/b", "description": "twice"}, c={"$ref": "#/$defs/b"}),
                "$defs": {"b": closed(d=TEXT)},
            },
            Size(0, 0, 5),
        ),
    ],
    ids=str,
)
def test_a_schema_of_the_apis_subset_has_a_size(schema: Any, size: Size) -> None:
    assert fault_in(schema) is None
    assert size_of(schema) == size


def chain(length: int) -> Any:
    defs = {str(number): closed(a={"$ref": f"#/$defs/{number + 1}"}) for number in range(length)}
    return {**closed(a={"$ref": "#/$defs/0"}), "$defs": {**defs, str(length): TEXT}}


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(True, id="true"),
        pytest.param({"type": "object"}, id="an open object"),
        pytest.param({"type": "array", "items": TEXT}, id="an array at the root"),
        pytest.param({"anyOf": [closed()]}, id="a choice at the root"),
        pytest.param({"$ref": "#/$defs/a", "$defs": {"a": closed()}}, id="a reference at the root"),
        pytest.param(closed(a={"type": "object", "properties": {}}), id="an open object within"),
        pytest.param({**closed(), "additionalProperties": TEXT}, id="others of a type"),
        pytest.param(closed(a={"$ref": "#"}), id="recursive"),
        pytest.param({**closed(a={"$ref": "#/$defs/a"}), "$defs": {"a": {"$ref": "#/$defs/a"}}}, id="a circle"),
        pytest.param(closed(a={"type": "integer", "minimum": 1}), id="a bound of numbers"),
        pytest.param(closed(a={"type": "string", "minLength": 1}), id="a bound of strings"),
        pytest.param(closed(a={"type": "string", "pattern": "a"}), id="a pattern"),
        pytest.param(closed(a={"type": "array", "items": TEXT, "maxItems": 1}), id="a bound of arrays"),
        pytest.param(closed(a={"type": "array", "items": TEXT, "minItems": 2}), id="two items"),
        pytest.param(closed(a={"type": "array"}), id="an array of anything"),
        pytest.param(closed(a={"type": "array", "items": [TEXT]}), id="a tuple"),
        pytest.param(closed(a={"type": "array", "items": True}), id="items of true"),
        pytest.param(closed(a={}), id="anything"),
        pytest.param(closed(a={"enum": [{"a": 1}]}), id="an object in an enum"),
        pytest.param(closed(a={"const": [1]}), id="a constant array"),
        pytest.param(closed(a={"enum": ["in work", "done"]}), id="a choice with a space, whose capitals it changes"),
        pytest.param(closed(a={"const": "in work"}), id="a constant with a space"),
        pytest.param(closed(a={"enum": ["it", "IT"]}), id="a choice of capitals"),
        pytest.param(closed(a={"type": "string", "anyOf": [{"const": "x"}, TEXT]}), id="more than a choice"),
        pytest.param(closed(a={"type": "string", "format": "color"}), id="another format"),
        pytest.param(closed(a={"oneOf": [TEXT, {"type": "null"}]}), id="one of"),
        pytest.param(closed(a={"allOf": [TEXT]}), id="all of"),
        pytest.param(
            {**closed(a={"$ref": "#/$defs/b", "minimum": 1}), "$defs": {"b": TEXT}}, id="more than a reference"
        ),
        pytest.param({**closed(), "required": ["a"]}, id="what is required and not there"),
        pytest.param({**closed(), "$schema": "http://json-schema.org/draft-07/schema#"}, id="a draft"),
        pytest.param({**closed(**{str(n): TEXT for n in range(25)}), "required": []}, id="many optional"),
        pytest.param(closed(**{str(n): {"type": ["string", "null"]} for n in range(17)}), id="many unions"),
        pytest.param(closed(**{str(n): TEXT for n in range(1000)}), id="large"),
        pytest.param(chain(45), id="deep by its references"),
    ],
)
def test_another_has_none(schema: Any) -> None:
    assert fault_in(schema) is None
    assert size_of(schema) is None


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        "object",
        {"type": "object", "additionalProperties": False, "properties": []},
        {"type": "object", "additionalProperties": False, "properties": {"a": 1}},
        {"type": "object", "additionalProperties": False, "required": 1},
        closed(a={"$ref": "#/$defs/none"}),
        closed(a={"$ref": 1}),
        closed(a={"enum": 1}),
        closed(a={"anyOf": 1}),
        closed(a={"type": 1}),
        closed(a={"type": "string", "format": []}),
        closed(a={"type": "array", "items": TEXT, "minItems": "1"}),
    ],
    ids=str,
)
def test_what_is_no_schema_has_none(schema: Any) -> None:
    assert size_of(schema) is None


def test_a_shallow_chain_of_references_is_in_it() -> None:
    assert size_of(chain(10)) == Size(0, 0, 12)


def test_tools_are_held_as_long_as_all_together_are_small_enough() -> None:
    optional = {**closed(**{str(number): TEXT for number in range(10)}), "required": []}
    asked = [("a", optional), ("open", {"type": "object"}), ("b", optional), ("c", optional), ("d", closed())]
    assert held(asked) == {"a", "b", "d"}
    assert held(asked, optional) == {"a", "d"}
    assert len(held((str(number), closed()) for number in range(MOST_STRICT + 1))) == MOST_STRICT
