"""JSON to classes: every type is only itself, and each fault has its place."""

from typing import Any

import pytest
from attrs import frozen

from cca.errors import BadRequest
from cca.wire import ARRAY_LIMIT, Body, Tagged, decode_json, or_null, strict_converter, structure, text_or_array


@frozen(kw_only=True)
class Circle(Body):
    kind: str
    radius: float


@frozen(kw_only=True)
class Label(Body):
    kind: str
    text: str


@frozen(kw_only=True)
class Drawing(Body):
    name: str
    size: int = 0
    scale: float = 1.0
    hidden: bool | None = None
    shapes: tuple[Circle | Label, ...] = ()
    note: str | tuple[str, ...] | None = None


CONVERTER = strict_converter()
CONVERTER.register_structure_hook(Circle | Label, Tagged(CONVERTER, "kind", {"circle": Circle, "label": Label}))
CONVERTER.register_structure_hook(str | tuple[str, ...] | None, or_null(text_or_array(CONVERTER, tuple[str, ...])))


def read(**fields: Any) -> Drawing:
    return structure(CONVERTER, {"name": "n", **fields}, Drawing)


CIRCLE = {"kind": "circle", "radius": 1}


@pytest.mark.parametrize(
    ("fields", "drawing"),
    [
        ({}, Drawing(name="n")),
        ({"size": 3, "scale": 2, "hidden": True}, Drawing(name="n", size=3, scale=2.0, hidden=True)),
        ({"hidden": None, "note": None}, Drawing(name="n")),
        ({"note": "x"}, Drawing(name="n", note="x")),
        ({"note": ["x", "y"]}, Drawing(name="n", note=("x", "y"))),
        ({"shapes": [CIRCLE]}, Drawing(name="n", shapes=(Circle(kind="circle", radius=1.0),))),
        ({"else": 1, "nothing": None, "extra": 2}, Drawing(name="n", extra={"else": 1, "extra": 2})),
        (
            {"shapes": [{"kind": "label", "text": "t", "bold": True}]},
            Drawing(name="n", shapes=(Label(kind="label", text="t", extra={"bold": True}),)),
        ),
    ],
)
def test_what_fits_is_kept(fields: Any, drawing: Drawing) -> None:
    assert read(**fields) == drawing


JSON_VALUES: dict[str, Any] = {
    "a string": "5",
    "a boolean": True,
    "an integer": 5,
    "a number": 1.5,
    "an array": [],
    "an object": {},
    "null": None,
}


@pytest.mark.parametrize(
    ("field", "wanted", "taken"),
    [
        ("name", "a string", {"a string"}),
        ("size", "an integer", {"an integer"}),
        ("scale", "a number", {"an integer", "a number"}),
        ("hidden", "true or false", {"a boolean", "null"}),
        ("shapes", "an array", {"an array"}),
        ("note", "a string or an array of parts", {"a string", "an array", "null"}),
    ],
)
@pytest.mark.parametrize("given", JSON_VALUES)
def test_no_type_is_taken_for_another(field: str, wanted: str, taken: set[str], given: str) -> None:
    if given in taken:
        read(**{field: JSON_VALUES[given]})
        return
    with pytest.raises(BadRequest) as caught:
        read(**{field: JSON_VALUES[given]})
    assert caught.value.message == f"{field} must be {wanted}, and is {given}."
    assert (caught.value.param, caught.value.code) == (field, "invalid_type")


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"shapes": [CIRCLE, 5]}, "shapes[1]", "invalid_type"),
        ({"shapes": [{"kind": "label"}]}, "shapes[0].text", "missing_required_parameter"),
        ({"shapes": [{}]}, "shapes[0].kind", "missing_required_parameter"),
        ({"shapes": [{"kind": "box"}]}, "shapes[0].kind", "invalid_value"),
        ({"shapes": [{"kind": 5}]}, "shapes[0].kind", "invalid_value"),
        ({"shapes": [{"kind": []}]}, "shapes[0].kind", "invalid_value"),
        ({"shapes": [{"kind": "label", "text": 1}, 5]}, "shapes[0].text", "invalid_type"),
        ({"note": ["x", None]}, "note[1]", "invalid_type"),
        ({"size": "x", "scale": "x"}, "size", "invalid_type"),
        ({"scale": "x", "size": "x"}, "scale", "invalid_type"),
    ],
)
def test_a_fault_names_its_place_and_the_first_in_the_body_counts(fields: Any, param: str, code: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(**fields)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert caught.value.message.startswith(f"{param} ")


def test_a_missing_field_is_named_once() -> None:
    with pytest.raises(BadRequest) as caught:
        structure(CONVERTER, {}, Drawing)
    assert str(caught.value) == "name: name is missing."


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"NaN", b'"\\udfff"', b"[" * 5000, b'{"a":1}x'])
def test_what_is_no_json_has_no_place(body: bytes) -> None:
    with pytest.raises(BadRequest, match="The body is not JSON") as caught:
        decode_json(body)
    assert caught.value.param is None


@pytest.mark.parametrize(
    ("body", "found"), [(b"[]", "an array"), (b"null", "null"), (b'"x"', "a string"), (b"1.5", "a number")]
)
def test_json_that_is_no_object(body: bytes, found: str) -> None:
    with pytest.raises(BadRequest, match=f"The body is {found}, and must be an object"):
        decode_json(body)


class Untouched(dict[str, Any]):
    def __contains__(self, key: object) -> bool:
        raise AssertionError(key)


def test_nothing_after_the_first_fault_is_looked_at() -> None:
    """An array of faults costs no more than its first: gathering a million took a minute."""
    with pytest.raises(BadRequest, match=r"shapes\[1\]"):
        read(shapes=[CIRCLE, {"kind": 5}, Untouched(CIRCLE)])
    with pytest.raises(AssertionError, match="kind"):
        read(shapes=[CIRCLE, Untouched(CIRCLE)])


def test_an_array_has_a_limit() -> None:
    assert len(read(note=["x"] * ARRAY_LIMIT).note or ()) == ARRAY_LIMIT
    with pytest.raises(BadRequest, match="note has 100,001 items, and may have 100,000"):
        read(note=["x"] * (ARRAY_LIMIT + 1))
