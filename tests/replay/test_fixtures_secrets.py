"""What is in no committed recording, and that nothing is in one that nobody listed."""

import pytest
from recordings import FIXTURES, RECORDINGS, case_id

from cca.backends.kept import kept_line
from cca.backends.redaction import NUMBERED, Redactor
from cca.backends.transcript import Header, Read, Transcript

EACH = pytest.mark.parametrize("name", RECORDINGS, ids=case_id)


@EACH
def test_nothing_is_left_to_redact(name: str) -> None:
    """S-61: no key, token, address, id or path of the machine, split or escaped as it may be."""
    transcript = RECORDINGS[name].transcript
    assert Redactor().transcript(transcript) == transcript


@EACH
def test_each_line_has_the_fields_that_are_listed_and_no_others(name: str) -> None:
    """S-61."""
    lines = [entry.line for entry in RECORDINGS[name].transcript.entries if isinstance(entry, Read)]
    assert [kept_line(line) for line in lines] == lines


@pytest.mark.parametrize("secret", ["sk-ant-api03-abcdefghijklmnop", "ann@example.org"])
def test_a_recording_with_a_secret_in_it_would_be_found(secret: str) -> None:
    leaking = Transcript(Header("2.1.330", ("claude",), (), {}), (Read(0, {"type": "result", "result": secret}),))
    assert Redactor().transcript(leaking) != leaking


def test_no_other_file_beside_them_has_a_secret() -> None:
    """What a README or an index says."""
    files = [path for path in FIXTURES.rglob("*") if path.is_file() and path.suffix != ".ndjson"]
    assert files
    texts = {str(path): path.read_text() for path in files}
    assert [(name, kind) for name, text in texts.items() for kind, pattern in NUMBERED if pattern.search(text)] == []
