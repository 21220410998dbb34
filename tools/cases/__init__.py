"""The conversations that are recorded as fixtures, and what each proves."""

from tools.cases.answers import ANSWERS, MEDIA, SETTINGS
from tools.cases.calls import CALLS, CHOICES
from tools.cases.case import Case
from tools.cases.claude import MARKS, SOURCES, THINKING
from tools.cases.ends import FAILURES, STOPS
from tools.cases.forms import STRUCTURED

__all__ = ["CASES", "Case"]

CASES = (
    *(*ANSWERS, *CALLS, *CHOICES, *STRUCTURED, *MEDIA, *SETTINGS),
    *(*THINKING, *SOURCES, *MARKS),
    *(*STOPS, *FAILURES),
)
