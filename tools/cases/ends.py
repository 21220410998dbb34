"""How answers end otherwise than by themselves."""

from itertools import chain

from cca.model import Conversation, Sampling
from tools.cases.case import MODEL, Case, ask, user

STOPS = (
    Case(
        "max_tokens",
        "A near limit ends the answer, and a budget of nothing the process.",
        Conversation(MODEL, (user("Count from 1 to 50."),), sampling=Sampling(max_tokens=5)),
        account=True,
    ),
    Case(
        "max_tokens_sealed",
        "A limit ends the answer; Claude Code would go on by itself, is told to ask nothing, and is killed.",
        Conversation(MODEL, (user("Count from 1 to 99."),), sampling=Sampling(max_tokens=50)),
        account=True,
    ),
    Case(
        "max_tokens_not_reached",
        "The process stays after an answer within its limit, told its settings again; the next reaches it.",
        Conversation(MODEL, (user("Count from 1 to 9."),), sampling=Sampling(max_tokens=50)),
        account=True,
        steps=("Count from 1 to 99.",),
    ),
    Case(
        "stop_sequence",
        "A stop sequence ends the answer, and is not in it.",
        Conversation(MODEL, (user("Count from 1 to 9."),), sampling=Sampling(stop_sequences=("5",))),
        account=True,
    ),
    Case(
        "refusal",
        "The model refuses; Claude Code would go on, and is killed.",
        ask("[[stop refusal]] I cannot."),
    ),
    Case(
        "refusal_of_a_kind",
        "The model's API says what kind of question it refuses.",
        ask("[[stop refusal cyber]] I cannot."),
    ),
    Case(
        "context_window",
        "The context window is full; Claude Code would go on, and is killed.",
        ask("[[stop model_context_window_exceeded]] So far."),
    ),
    Case(
        "unknown_stop",
        "A stop reason that cca does not know is an error, not an end.",
        ask("[[stop pause_turn]] Hm."),
    ),
)


def http_error(status: int) -> tuple[Case, Case]:
    prompt = f"[[error {status} retry-after 7]]" if status == 429 else f"[[error {status}]]"
    return (
        Case(
            f"error_{status}",
            f"The API answers {status}, and Claude Code does not try again.",
            ask(prompt),
            retries=0,
        ),
        Case(f"error_{status}_retried", f"The API answers {status} as often as Claude Code asks.", ask(prompt)),
    )


FAILURES = (
    *chain.from_iterable(map(http_error, (400, 401, 403, 404, 413, 429, 500, 529))),
    Case(
        "error_then_answer",
        "A try that fails is not seen when the next one answers.",
        ask("[[error 529 times 1]] Well."),
    ),
    Case(
        "cut_before_text",
        "The connection breaks before the first text: Claude Code streams again, and that is the answer.",
        ask("[[tokens 5]] [[cut at start times 1]]"),
    ),
    Case(
        "cut_after_text",
        "The connection breaks after some text: Claude Code streams again, and the answer has failed.",
        ask("[[tokens 5]] [[cut after 3 times 1]]"),
    ),
    Case(
        "broken_before_text",
        "The API fails before the first text: Claude Code asks again without streaming, and that is the answer.",
        ask("[[tokens 5]] [[error mid-stream api_error after 0 times 1]]"),
    ),
    Case(
        "broken_after_text",
        "The API fails after some text: Claude Code asks again without streaming, and the answer has failed.",
        ask("[[tokens 5]] [[error mid-stream overloaded_error after 3 times 1]]"),
    ),
    Case("no_login", "Claude Code has no login.", ask("Hello."), login=False),
    Case(
        "killed",
        "The process is killed in the middle of its answer.",
        ask("[[tokens 9]] [[delay 500ms]]"),
        killed=True,
    ),
    Case("silence", "The model never begins to answer.", ask("[[silent]]"), deadline=2.0),
    Case(
        "silence_after_text",
        "The model falls silent in its answer.",
        ask("[[tokens 9]] [[silent after 3]]"),
        deadline=2.0,
    ),
)
