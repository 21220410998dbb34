"""What a group of failures is about."""

import pytest

from cca.errors import BadRequest, CcaError, innermost

FIRST, SECOND = BadRequest("first"), CcaError("second")


@pytest.mark.parametrize(
    "group",
    [
        ExceptionGroup("one", [FIRST]),
        ExceptionGroup("two", [FIRST, SECOND]),
        ExceptionGroup("deep", [ExceptionGroup("", [ExceptionGroup("", [FIRST]), SECOND])]),
    ],
    ids=str,
)
def test_a_group_is_about_its_first_failure(group: ExceptionGroup[CcaError]) -> None:
    assert innermost(group) is FIRST
