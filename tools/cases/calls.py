"""Tools: which are on offer, which must be called, and what they gave."""

from attrs import evolve

from cca.model import Conversation, Text, Tool, ToolChoice, ToolResult, UserTurn
from tools.cases.case import (
    ASKED_WEATHER,
    CLOCK,
    MODEL,
    NOTE,
    PICTURE,
    WEATHER,
    WEATHER_RESULTS,
    Case,
    assistant,
    schema,
    user,
)

MANY = tuple(evolve(WEATHER, name=f"{n:03}_".ljust(64, "x"), description=f"Number {n}.") for n in range(128))
OWN_NAMES = ("Bash", "Task", "AskUserQuestion", "WebSearch", "StructuredOutput", "mcp__c__x")

CALLS = (
    Case(
        "tool_use",
        "A call of the client's tool ends the answer, with its arguments in pieces.",
        Conversation(MODEL, (user("What is the weather in Paris?"),), tools=(WEATHER,)),
        account=True,
    ),
    Case(
        "tool_use_text_first",
        "Text stands before the call that follows it.",
        Conversation(MODEL, (user('I will look. [[call get_weather {"city":"Oslo"}]]'),), tools=(WEATHER,)),
    ),
    Case(
        "parallel_tools",
        "Two calls in one answer; Claude Code asks for the first before the message is over.",
        Conversation(MODEL, (user("What is the weather in Paris and Rome?"),), tools=(WEATHER,)),
        account=True,
    ),
    Case(
        "tool_without_arguments",
        "A tool with the name of one of Claude Code's own, called without arguments.",
        Conversation(MODEL, (user("[[call Read {}]]"),), tools=(CLOCK, WEATHER)),
    ),
    Case(
        "tool_results",
        "Calls and their results, of ids that we did not mint, go in as history.",
        Conversation(
            MODEL,
            (*ASKED_WEATHER, WEATHER_RESULTS),
            tools=(WEATHER,),
        ),
        account=True,
    ),
)

CHOICES = (
    Case(
        "forced_tool",
        "The tool that must be called is called, without thinking.",
        Conversation(
            MODEL, (user("Hello, Oslo."),), tools=(CLOCK, WEATHER), tool_choice=ToolChoice("tool", "get_weather")
        ),
        account=True,
    ),
    Case(
        "any_tool",
        "One of the tools must be called.",
        Conversation(MODEL, (user("Hello."),), tools=(CLOCK, WEATHER), tool_choice=ToolChoice("any")),
        account=True,
    ),
    Case(
        "no_tool",
        "No tool may be called, and a history with calls is answered.",
        Conversation(
            MODEL,
            (*ASKED_WEATHER, WEATHER_RESULTS, assistant("Fine."), user("What is the weather in Paris?")),
            tools=(WEATHER,),
            tool_choice=ToolChoice("none"),
        ),
        account=True,
    ),
    Case(
        "no_tools_any_more",
        "Calls in a history stay where no tool is offered any more: those that were called are, and none may be.",
        Conversation(MODEL, (*ASKED_WEATHER, WEATHER_RESULTS)),
        account=True,
    ),
    Case(
        "one_call",
        "One call at a time, where two would be made.",
        Conversation(
            MODEL,
            (user("What is the weather in Paris and Rome?"),),
            tools=(WEATHER,),
            tool_choice=ToolChoice(parallel=False),
        ),
        account=True,
    ),
    Case(
        "strict_tool",
        "A strict tool is so at the API, unless its schema is none that the API can hold to.",
        Conversation(
            MODEL,
            (user("What is the weather in Paris?"),),
            tools=(
                evolve(WEATHER, strict=True),
                Tool("f", "", schema(n={"type": "integer", "minimum": 1}), strict=True),
            ),
        ),
        account=True,
    ),
    Case(
        "many_tools",
        "A hundred and twenty-eight tools, names of 64 characters, and a call of the last.",
        Conversation(MODEL, (user(f'[[call {MANY[-1].name} {{"city": 5}}]]'),), tools=MANY),
    ),
    Case(
        "own_names",
        "Tools with the names of Claude Code's own; arguments that are not of their schema stay as they are.",
        Conversation(
            MODEL,
            (user('[[call Task {"city": "5", "n": [1]}]] [[call StructuredOutput {"city": 5}]]'),),
            tools=tuple(evolve(WEATHER, name=name) for name in OWN_NAMES),
        ),
    ),
    Case(
        "tool_loop",
        "Results are told to the process that waits for them: the model calls again, and then has its answer.",
        Conversation(MODEL, (user("What is the weather in Lima and Rome?"),), tools=(WEATHER,)),
        steps=(("18 degrees", '[[call get_weather {"city": "Oslo"}]]'), ("5 degrees",)),
    ),
    Case(
        "picture_in_a_result",
        "Results of several texts, a picture and a document, and an empty one.",
        Conversation(
            MODEL,
            (
                *ASKED_WEATHER,
                UserTurn(
                    (
                        ToolResult("call_paris", (Text("A map:"), Text("of Paris"), PICTURE, NOTE)),
                        ToolResult("call_rome", ()),
                    )
                ),
            ),
            tools=(WEATHER,),
        ),
        account=True,
    ),
    Case(
        "picture_of_a_failure",
        "A picture in the result of a call that failed stands beside it, and the words of the turn after both.",
        Conversation(
            MODEL,
            (
                *ASKED_WEATHER,
                UserTurn(
                    (
                        Text("Well?"),
                        ToolResult("call_paris", (Text("It broke:"), PICTURE), is_error=True),
                        ToolResult("call_rome", (Text("5 degrees"),)),
                    )
                ),
            ),
            tools=(WEATHER,),
        ),
        account=True,
    ),
)
