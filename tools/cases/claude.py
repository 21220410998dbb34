"""What Claude's own API has and others do not: thinking that is signed, citations, marks for the cache."""

from attrs import evolve

from cca.model import (
    AssistantTurn,
    CacheMark,
    Conversation,
    Document,
    RedactedThinking,
    Sampling,
    SearchResult,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    UserTurn,
)
from tools.cases.case import ASKED_WEATHER, MODEL, WEATHER, Case, ask, user

MODEL_ID = "claude-haiku-5-5"
MARK = CacheMark()

PAPER = Document(text="Ada wrote the notes in 1843. They are longer than the paper.", title="Notes", citations=True)
CUSTOM = Document(pieces=(Text("Babbage drew engines."), Text("None was built.")), context="A lecture.", citations=True)
FOUND = SearchResult("https://example.com/ada", "On Ada", (Text("Ada was a countess."),), citations=True)

THINKING = (
    Case(
        "thinking_budget",
        "Thinking within a budget of tokens comes with its signature.",
        evolve(
            ask("Think about the number 9."),
            sampling=Sampling(max_tokens=4000, thinking=True, thinking_budget=1024, thinking_display="summarized"),
        ),
        account=True,
    ),
    Case(
        "thinking_omitted",
        "Of thinking that the client does not want to see, the signature alone comes.",
        evolve(ask("Think about the number 8."), sampling=Sampling(thinking=True, thinking_display="omitted")),
        account=True,
    ),
    Case("thinking_hidden", "Thinking that is not told has a signature.", ask("[[hidden thinking of tea]] Tea.")),
    Case(
        "thinking_redacted",
        "Thinking that nobody can read, beside thinking that one can.",
        ask("[[redacted thinking of tea]] Tea."),
    ),
    Case(
        "thinking_in_a_history",
        "What the model thought before it called goes back to it, as the API demands where there is a budget.",
        Conversation(
            MODEL,
            (
                user("What is the weather in Paris?"),
                AssistantTurn(
                    (
                        Thinking("A city.", "c2lnbmF0dXJl"),
                        Thinking("", "c2lnbmF0dXJl"),
                        RedactedThinking("cmVkYWN0ZWQ="),
                        ToolUse("call_paris", "get_weather", {"city": "Paris"}),
                    ),
                    MODEL_ID,
                ),
                UserTurn((ToolResult("call_paris", (Text("18 degrees"),)),)),
            ),
            tools=(WEATHER,),
            sampling=Sampling(max_tokens=4000, thinking=True, thinking_budget=1024),
        ),
    ),
    Case(
        "top_k",
        "Of so many words the next one is chosen, without thinking.",
        evolve(ask("Reply with exactly: One of five."), sampling=Sampling(top_k=5, thinking=False)),
        account=True,
    ),
)

SOURCES = (
    Case(
        "citations",
        "Two documents are cited, one of text and one of pieces: each quotation is a text of its own.",
        Conversation(MODEL, (UserTurn((PAPER, CUSTOM, Text("What do they say?"))),)),
        account=True,
    ),
    Case(
        "search_results",
        "Search results are cited, in a turn and in a tool's result.",
        Conversation(
            MODEL,
            (
                UserTurn((FOUND, Text("What is the weather where she lived, and in Rome?"))),
                *ASKED_WEATHER[1:],
                UserTurn(
                    (
                        ToolResult("call_paris", (evolve(FOUND, title="On London"),)),
                        ToolResult("call_rome", (Text("5 degrees"),)),
                        FOUND,
                    )
                ),
            ),
            tools=(WEATHER,),
        ),
        account=True,
    ),
    Case(
        "document_not_cited",
        "A document of pieces with a context, of which nothing is to be cited.",
        Conversation(MODEL, (UserTurn((evolve(CUSTOM, citations=False), Text("Who drew engines?"))),)),
        account=True,
    ),
)

MARKS = (
    Case(
        "marks_kept",
        "A client's four marks for the cache go in where they stand, and none of Claude Code's own.",
        Conversation(
            MODEL,
            (
                UserTurn((Text("My name is Ada.", CacheMark("1h")), Text("I like engines."))),
                AssistantTurn((Text("Hello, Ada.", MARK),)),
                UserTurn((Text("[[cached 30 created 12]] Who am I?", MARK),)),
            ),
            ("Be brief.",),
            (evolve(WEATHER, cache=CacheMark("1h")),),
        ),
    ),
    Case(
        "marks_of_its_own",
        "Marks in the places of Claude Code's own are left to it.",
        Conversation(
            MODEL,
            (user("My name is Ada."), AssistantTurn((Text("Hello."),)), UserTurn((Text("Who am I?", MARK),))),
            ("Be brief.",),
            system_marks=(MARK, MARK),
        ),
        account=True,
    ),
)
