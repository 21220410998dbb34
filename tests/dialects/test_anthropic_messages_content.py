"""What the blocks of a request for a message become: each with all that it says, and its mark for the cache."""

from base64 import b64encode
from typing import Any

import pytest
from messages_asked import (
    HE,
    MARK,
    PDF,
    PNG,
    SHE,
    VERSIONS,
    ask,
    assistant,
    call,
    conversation,
    document,
    found,
    image,
    refused_at,
    result,
    source,
    text,
    turns,
    user,
)

from cca.model import (
    AssistantTurn,
    CacheMark,
    Document,
    Image,
    RedactedThinking,
    SearchResult,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    UserTurn,
)

CAT = "https://example.org/cat.png"
MARKED = CacheMark()
LONG = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
PICTURE = Image("image/png", PNG)
WORDS = Document(text="words")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("block", "part"),
    [
        pytest.param(text("a"), Text("a"), id="text"),
        pytest.param(text(" a\n", citations=None), Text(" a\n"), id="text with white space"),
        pytest.param(text("a", **MARK), Text("a", MARKED), id="marked text"),
        pytest.param(text("a", **LONG), Text("a", CacheMark("1h")), id="text marked for long"),
        pytest.param(text("a", cache_control={"type": "ephemeral", "ttl": "5m"}), Text("a", CacheMark("5m")), id="5m"),
        pytest.param(image(), PICTURE, id="picture"),
        pytest.param(image(**source("url", url=CAT)), Image(url=CAT), id="picture at an address"),
        pytest.param(image(**source("url", url=CAT), **MARK), Image(url=CAT, cache=MARKED), id="marked picture"),
        pytest.param(
            document(**source("base64", media_type="application/pdf", data=PDF)),
            Document("application/pdf", PDF),
            id="PDF",
        ),
        pytest.param(document(**source("url", url=CAT)), Document(url=CAT), id="document at an address"),
        pytest.param(document(), WORDS, id="plain text"),
        pytest.param(
            document(**source("content", content="a")), Document(pieces=(Text("a"),)), id="content of one text"
        ),
        pytest.param(
            document(**source("content", content=[text("a"), image(), text("b", **MARK)])),
            Document(pieces=(Text("a"), PICTURE, Text("b", MARKED))),
            id="content of blocks",
        ),
        pytest.param(
            document(title="T", context="C", citations={"enabled": True}, **MARK),
            Document(text="words", title="T", context="C", citations=True, cache=MARKED),
            id="document with all there is",
        ),
        pytest.param(document(title=None, context=None, citations={}), WORDS, id="document with nothing of it"),
        pytest.param(document(citations={"enabled": False}), WORDS, id="document not to be cited"),
        pytest.param(found(), SearchResult("s", "t", (Text("f"),)), id="search result"),
        pytest.param(
            found(content=[text("f", **MARK), text("g")], citations={"enabled": True}, **MARK),
            SearchResult("s", "t", (Text("f", MARKED), Text("g")), citations=True, cache=MARKED),
            id="search result with all there is",
        ),
    ],
)
def test_a_block_of_the_user_s_is_a_part(block: Any, part: Any, version: str) -> None:
    assert conversation(user(block), version=version).turns == (UserTurn((part,)),)
    assert ask(user(block), version=version).ignored == ()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, ToolResult("c", ()), id="nothing"),
        pytest.param({"content": None}, ToolResult("c", ()), id="null"),
        pytest.param({"content": ""}, ToolResult("c", ()), id="no text"),
        pytest.param({"content": []}, ToolResult("c", ()), id="no blocks"),
        pytest.param({"content": "r"}, ToolResult("c", (Text("r"),)), id="text"),
        pytest.param({"content": "r", "is_error": True}, ToolResult("c", (Text("r"),), is_error=True), id="an error"),
        pytest.param({"content": "r", "is_error": False}, ToolResult("c", (Text("r"),)), id="no error"),
        pytest.param({"content": "r", **MARK}, ToolResult("c", (Text("r"),), cache=MARKED), id="marked"),
        pytest.param(
            {"content": [text("r", **MARK), image(), document(), found()], "is_error": True},
            ToolResult(
                "c",
                (Text("r", MARKED), PICTURE, WORDS, SearchResult("s", "t", (Text("f"),))),
                is_error=True,
            ),
            id="blocks of each kind",
        ),
    ],
)
def test_a_result_is_kept_with_all_that_is_in_it(fields: Any, expected: ToolResult) -> None:
    heard = ask(HE, assistant(call()), user(result(**fields)))
    assert heard.conversations[0].turns[-1] == UserTurn((expected,))
    assert heard.ignored == ()


@pytest.mark.parametrize(
    ("content", "ignored"),
    [
        pytest.param(" \n", "messages[2].content[0].content (empty)", id="text"),
        pytest.param([text("")], "messages[2].content[0].content[0] (empty)", id="a block"),
        pytest.param([text("\t")], "messages[2].content[0].content[0] (empty)", id="a block of white space"),
    ],
)
def test_a_tool_may_give_white_space_which_is_nothing(content: Any, ignored: str) -> None:
    heard = ask(HE, assistant(call()), user(result(content=content)))
    assert heard.conversations[0].turns[-1] == UserTurn((ToolResult("c", ()),))
    assert heard.ignored == (ignored,)


@pytest.mark.parametrize(
    ("block", "part"),
    [
        pytest.param(text("a", **MARK), Text("a", MARKED), id="text"),
        pytest.param(
            call(id="toolu_01-A", name="mcp__a-b", input={"x": [1]}, caller={"type": "direct"}),
            ToolUse("toolu_01-A", "mcp__a-b", {"x": [1]}),
            id="call",
        ),
        pytest.param(call(id="d", name="n" * 200), ToolUse("d", "n" * 200, {}), id="call of the longest name"),
    ],
)
def test_a_block_of_the_assistant_s_is_a_part(block: Any, part: Any) -> None:
    answer = [result(part.id)] if isinstance(part, ToolUse) else [text("?")]
    heard = ask(HE, assistant(block), user(*answer))
    assert heard.conversations[0].turns[1] == AssistantTurn((part,))
    assert heard.ignored == ()


def test_a_mark_on_a_call_counts_and_is_named_since_claude_code_drops_it() -> None:
    heard = ask(HE, assistant(call(**MARK)), user(result()))
    assert heard.conversations[0].turns[1] == AssistantTurn((ToolUse("c", "f", {}, MARKED),))
    assert heard.ignored == ("messages[1].content[0].cache_control",)


def test_thoughts_are_kept_with_the_model_that_is_asked() -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    hidden = {"type": "redacted_thinking", "data": "x"}
    heard = turns(HE, assistant(thought, text("a"), hidden, call()), user(result()), SHE, HE)
    parts = (Thinking("hm", "s"), Text("a"), RedactedThinking("x"), ToolUse("c", "f", {}))
    assert heard[1] == AssistantTurn(parts, model="claude-sonnet-5-5")
    assert heard[3] == AssistantTurn((Text("She"),))
    other = conversation(HE, assistant(thought, text("a")), HE, model="claude-opus-9")
    assert other.turns[1] == AssistantTurn((Thinking("hm", "s"), Text("a")), model="claude-opus-9")


@pytest.mark.parametrize(
    ("blocks", "ignored"),
    [
        pytest.param(
            [text("a", citations=[{"type": "char_location"}])], ("messages.content.citations",), id="a text's citations"
        ),
        pytest.param([text("a", citations=[])], (), id="no citations"),
        pytest.param([text("a", x=1, y=None)], ("messages.content.x",), id="unknown key"),
        pytest.param(
            [image(transformations={"oversized_image": "error"})], ("messages.content.transformations",), id="image"
        ),
        pytest.param(
            [image(**source("url", url=CAT, x=1)), image(**source("url", url=CAT, x=1))],
            ("messages.content.source.x", "messages.content.source.x"),
            id="a source",
        ),
        pytest.param(
            [document(citations={"x": 1}, y=2)],
            ("messages.content.y", "messages.content.citations.x"),
            id="a document",
        ),
        pytest.param(
            [document(**source("content", content=[text("a", x=1)]))],
            ("messages.content.source.content.x",),
            id="in a document",
        ),
        pytest.param([found(x=1)], ("messages.content.x",), id="a search result"),
        pytest.param(
            [text("a", cache_control={"type": "ephemeral", "scope": "global"})],
            ("messages.content.cache_control.scope",),
            id="a mark",
        ),
    ],
)
def test_what_does_not_arrive_of_a_block_is_named(blocks: Any, ignored: Any) -> None:
    assert ask(user(*blocks)).ignored == ignored


@pytest.mark.parametrize(
    ("block", "ignored"),
    [
        pytest.param(
            call(caller={"type": "code_execution_20250825", "tool_id": "t"}), "messages.content.caller", id="caller"
        ),
        pytest.param(call(toolset_name="t"), "messages.content.toolset_name", id="toolset"),
        pytest.param(
            {"type": "thinking", "thinking": "", "signature": "", "x": 1}, "messages.content.x", id="of a thought"
        ),
        pytest.param({"type": "redacted_thinking", "data": "", "x": 1}, "messages.content.x", id="of a hidden thought"),
    ],
)
def test_what_does_not_arrive_of_the_assistant_s_is_named(block: Any, ignored: str) -> None:
    answered = user(result()) if block["type"] == "tool_use" else HE
    assert ask(HE, assistant(text("a"), block), answered).ignored == (ignored,)


def test_a_result_s_other_fields_are_named() -> None:
    assert ask(HE, assistant(call()), user(result(toolset_name="t"))).ignored == ("messages.content.toolset_name",)


def test_a_picture_s_lines_may_be_broken() -> None:
    broken = image(**source("base64", media_type="image/png", data=f"{PNG[:8]}\n{PNG[8:]}"))
    assert turns(user(broken)) == (UserTurn((PICTURE,)),)


JPEG = b64encode(b"\xff\xd8\xff\xe0" + b"\0" * 16).decode()
FILE = source("file", file_id="file_1")


@pytest.mark.parametrize(
    ("block", "param", "said"),
    [
        pytest.param(text(""), "text", "is empty", id="empty text"),
        pytest.param(text(" \n"), "text", "only white space", id="white space"),
        pytest.param({"type": "text"}, "text", "is missing", id="no text"),
        pytest.param(text("a", cache_control={"type": "forever"}), "cache_control.type", "'forever'", id="odd mark"),
        pytest.param(text("a", cache_control={}), "cache_control.type", "is missing", id="mark of no type"),
        pytest.param(
            text("a", cache_control={"type": "ephemeral", "ttl": "2h"}), "cache_control.ttl", "'2h'", id="odd time"
        ),
        pytest.param(
            image(**source("base64", media_type="image/png", data=JPEG)),
            "source.data",
            "is a picture of type image/jpeg, and media_type says image/png",
            id="picture of another type than stated",
        ),
        pytest.param(
            image(**source("base64", media_type="image/png", data=PDF)),
            "source.data",
            "is no picture that Claude can see",
            id="no picture",
        ),
        pytest.param(
            image(**source("base64", media_type="image/bmp", data=PNG)), "source.media_type", "'image/bmp'", id="BMP"
        ),
        pytest.param(
            image(**source("base64", media_type="image/png", data="?")), "source.data", "is not base64", id="no base64"
        ),
        pytest.param(
            image(**source("base64", media_type="image/png", data="")),
            "source.data",
            "is empty",
            id="no picture at all",
        ),
        pytest.param(image(**source("url", url="file:///etc/passwd")), "source.url", "send an http(s)", id="a path"),
        pytest.param(
            image(**source("url", url="data:image/png;base64,AAAA")), "source.url", "send an http(s)", id="data"
        ),
        pytest.param(image(**FILE), "source.type", "keeps no files", id="picture in a file"),
        pytest.param(image(**source("tape")), "source.type", "'tape'", id="odd source"),
        pytest.param(image(source="x"), "source", "must be an object", id="source of no object"),
        pytest.param({"type": "image"}, "source", "is missing", id="no source"),
        pytest.param(document(**FILE), "source.type", "keeps no files", id="document in a file"),
        pytest.param(
            document(**source("base64", media_type="text/plain", data=PDF)),
            "source.media_type",
            "must be application/pdf",
            id="PDF that says it is text",
        ),
        pytest.param(
            document(**source("base64", media_type="application/pdf", data=PNG)),
            "source.data",
            "is no PDF",
            id="no PDF",
        ),
        pytest.param(
            document(**source("text", media_type="text/html", data="x")), "source.media_type", "'text/html'", id="HTML"
        ),
        pytest.param(
            document(**source("text", media_type="text/plain", data=" ")), "source.data", "white space", id="blank text"
        ),
        pytest.param(document(**source("content", content="")), "source.content", "is empty", id="content of nothing"),
        pytest.param(document(**source("content", content=" ")), "source.content", "white space", id="blank content"),
        pytest.param(
            document(**source("content", content=[])), "source.content", "is empty", id="content of no blocks"
        ),
        pytest.param(
            document(**source("content", content=[document()])),
            "source.content[0].type",
            "a document is of text and images",
            id="document in a document",
        ),
        pytest.param(document(title=""), "title", "is empty", id="empty title"),
        pytest.param(document(title="t" * 501), "title", "501 characters", id="long title"),
        pytest.param(document(context=""), "context", "is empty", id="empty context"),
        pytest.param(document(citations={"enabled": 1}), "citations.enabled", "true or false", id="odd citations"),
        pytest.param(found(content=[]), "content", "is empty", id="search result of nothing"),
        pytest.param(found(content=[image()]), "content[0].type", "a search finds text", id="picture that was found"),
        pytest.param(found(content="f"), "content", "must be an array", id="search result of a string"),
        pytest.param({"type": "search_result", "source": "s", "content": []}, "title", "is missing", id="no title"),
        pytest.param(call(), "type", "only an assistant has those", id="call of the user's"),
        pytest.param(
            {"type": "thinking", "thinking": "a", "signature": "b"}, "type", "only an assistant", id="user who thinks"
        ),
        pytest.param({"type": "redacted_thinking", "data": "b"}, "type", "only an assistant", id="user who hides it"),
        pytest.param({"type": "tape"}, "type", "there is no such block here", id="unknown block"),
        pytest.param({"type": 1}, "type", "is an integer", id="type of no string"),
        pytest.param({"text": "a"}, "type", "is missing", id="no type"),
        pytest.param({"type": "container_upload", "file_id": "f"}, "type", "'container_upload'", id="upload"),
        pytest.param({"type": "server_tool_use", "id": "srvtoolu_1"}, "type", "Anthropic runs", id="server's call"),
        pytest.param("a", "", "must be an object", id="string"),
        pytest.param({"type": "tool_reference", "tool_name": "f"}, "type", "'tool_reference'", id="no result"),
        pytest.param(
            result(content=[{"type": "tool_reference", "tool_name": "f f"}]),
            "content[0].tool_name",
            "'f f'",
            id="reference to an odd name",
        ),
        pytest.param(result(id="a b"), "tool_use_id", "letters, digits", id="odd id"),
        pytest.param(result(content=5), "content", "must be a string or an array", id="result of a number"),
        pytest.param(result(is_error="no"), "is_error", "true or false", id="odd error"),
    ],
)
def test_a_block_that_cannot_be_is_refused(block: Any, param: str, said: str) -> None:
    refused_at(f"messages[0].content[0].{param}".removesuffix("."), said, user(block))


@pytest.mark.parametrize(
    ("block", "param", "said"),
    [
        pytest.param(text(" "), "text", "only white space", id="white space"),
        pytest.param(image(), "type", "only a user", id="picture"),
        pytest.param(found(), "type", "only a user", id="search result"),
        pytest.param(result(), "type", "only a user", id="result"),
        pytest.param({"type": "mid_conv_system", "content": []}, "type", "only a user", id="the system's"),
        pytest.param(document(), "type", "passes on none of the assistant's", id="document"),
        pytest.param({"type": "compaction", "content": "x"}, "type", "Anthropic runs", id="summary"),
        pytest.param({"type": "mcp_tool_use"}, "type", "Anthropic runs", id="call over MCP"),
        pytest.param(call(id=""), "id", "letters, digits", id="call without an id"),
        pytest.param(call(id="a.b"), "id", "'a.b'", id="call of an odd id"),
        pytest.param(call(name="a b"), "name", "'a b'", id="odd name"),
        pytest.param(call(name="n" * 201), "name", "1 to 200", id="long name"),
        pytest.param(call(input="{}"), "input", "must be an object", id="input of a string"),
        pytest.param({"type": "tool_use", "id": "c", "name": "f"}, "input", "is missing", id="no input"),
        pytest.param(
            {"type": "thinking", "thinking": "a"}, "signature", "is missing", id="thought without a signature"
        ),
        pytest.param({"type": "redacted_thinking"}, "data", "is missing", id="nothing hidden"),
    ],
)
def test_a_block_that_the_assistant_cannot_say_is_refused(block: Any, param: str, said: str) -> None:
    refused_at(f"messages[1].content[0].{param}", said, HE, assistant(block), HE)


def test_a_document_of_the_assistant_s_is_refused_in_either_version() -> None:
    for version in VERSIONS:
        refused_at("messages[1].content[0].type", "'document'", HE, assistant(document()), HE, version=version)


def test_an_input_may_not_be_too_deep() -> None:
    deep: Any = {}
    for _ in range(200):
        deep = {"a": deep}
    refused_at("messages[1].content[0].input", "deeper than", HE, assistant(call(input=deep)), user(result()))
