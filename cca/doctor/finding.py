"""What a check has found, and how findings are shown."""

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from attrs import asdict, frozen

from cca.model import Json

Level: TypeAlias = Literal["ok", "warn", "fail"]


@frozen
class Finding:
    """What was ``checked``, how it is, and what to ``do`` where it could be better."""

    checked: str
    level: Level
    said: str
    do: str = ""


def ok(checked: str, said: str) -> Finding:
    return Finding(checked, "ok", said)


def warn(checked: str, said: str, do: str) -> Finding:
    return Finding(checked, "warn", said, do)


def fail(checked: str, said: str, do: str) -> Finding:
    return Finding(checked, "fail", said, do)


def failed(findings: Iterable[Finding]) -> bool:
    return any(finding.level == "fail" for finding in findings)


def lines(findings: Sequence[Finding]) -> Iterable[str]:
    """Yield the findings for people, and what to do about each below it."""
    width = max((len(finding.checked) for finding in findings), default=0)
    for finding in findings:
        yield f"{finding.level:4}  {finding.checked:{width}}  {finding.said}"
        if finding.do:
            yield f"{'':4}  {'':{width}}  {finding.do}"


def as_json(findings: Sequence[Finding]) -> Json:
    return {"ok": not failed(findings), "checks": [asdict(finding) for finding in findings]}
