"""A session as a page: complete, and no text in it can be taken for a part of the page."""

import re

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from archived import ANSWERED, EVERYTHING, PAPER, RESULT, answer, session, text, user
from cca.markdown import code, fenced, markdown


class Page(SingleFileSnapshotExtension):
    """A snapshot that reads as what it is."""

    _write_mode = WriteMode.TEXT
    file_extension = "md"


def moment(seconds: float) -> str:
    return f"{seconds:.0f} s"


def outside(page: str) -> list[str]:
    """Return the lines of a page that stand in no fence, by the rules of CommonMark."""
    found, fence = [], ""
    for line in re.split(r"\r\n|\r|\n", page):
        if fence:
            # A closing fence is at least as long, indented by three spaces at the most, and has nothing behind it.
            closing = re.fullmatch(r" {0,3}(`+)[ \t]*", line)
            fence = "" if closing and len(closing[1]) >= len(fence) else fence
        elif opening := re.match(r" {0,3}(`{3,}|~{3,})", line):
            fence = opening[1]
        else:
            found.append(line)
    assert not fence
    return [line for line in found if line]


def test_a_session_with_everything(snapshot: SnapshotAssertion) -> None:
    assert markdown(EVERYTHING, moment) == snapshot(extension_class=Page)


def test_a_session_without_turns() -> None:
    assert markdown(session(), moment) == (
        "# Session `s1`\n\n- Begun: 1767225600 s\n- Last used: 1767225660 s\n- Turns: 0\n"
    )


LOOK_ALIKES = (
    "```",
    "````text\n## Turn 9: user",
    "```\n\n## Turn 9: user\n\n```",
    "\r## Turn 9: user\r",
    "~~~",
    "</code></pre><h2>Turn 9: user</h2>",
    "Turn 9: user\n====",
    "- Status: completed",
    "`" * 50,
)


@pytest.mark.parametrize("said", LOOK_ALIKES)
def test_text_that_looks_like_the_page_is_none_of_it(said: str) -> None:
    """Wherever it is: the lines of the page itself are the same for any text."""

    def page(said: str) -> str:
        result = {**RESULT, "content": [text(said)]}
        return markdown(session(user(text(said), result), answer(text(said)), system=(said,)), moment)

    assert outside(page(said)) == outside(page("Hello."))


@pytest.mark.parametrize("said", LOOK_ALIKES)
def test_names_that_look_like_the_page_stay_in_their_line(said: str) -> None:
    odd = attrs.evolve(ANSWERED, model=said)
    page = markdown(session(user({**PAPER, "title": said}), answer(answered=odd), title=said), moment)
    plain = markdown(session(user({**PAPER, "title": "a"}), answer(answered=ANSWERED), title="a"), moment)
    assert [line[:9] for line in outside(page)] == [line[:9] for line in outside(plain)]


@given(st.text(st.sampled_from("`~ \r\n#a\u2028")))
def test_any_text_is_verbatim_in_its_fence(said: str) -> None:
    block = fenced(said)
    opening, _, rest = block.partition("\n")
    fence = opening.removesuffix("text")
    assert rest == f"{said}\n{fence}"
    assert outside(block) == []


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("a title", "`a title`"),
        ("a `title`", "`` a `title` ``"),
        ("``", "``` `` ```"),
        (" a ", "`  a  `"),
        ("two\nlines", '`"two\\nlines"`'),
        ("\x1b[2J\u202e", '`"\\u001b[2J\\u202e"`'),
        ("", '`""`'),
    ],
)
def test_a_name_is_code_in_its_line(said: str, shown: str) -> None:
    assert code(said) == shown
