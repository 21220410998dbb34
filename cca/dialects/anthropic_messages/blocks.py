"""Content blocks, each at its place in the body, as parts of the model's.

What a block cannot be is refused as Anthropic's API does. What does not arrive of one is named.
"""

from collections.abc import Iterator, Sequence
from typing import assert_never

from attrs import define, evolve, field

from cca.dialects import media
from cca.dialects.anthropic_messages.body import (
    Base64Source,
    CacheControl,
    Citations,
    ContentSource,
    DocumentBlock,
    FileSource,
    ImageBlock,
    OtherBlock,
    Passage,
    PieceContent,
    ResultContent,
    SearchResultBlock,
    Shown,
    TextBlock,
    TextSource,
    ToolReferenceBlock,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)
from cca.dialects.anthropic_messages.checks import (
    call_id,
    empty,
    filled,
    kept_elsewhere,
    mark,
    titled,
    unserved,
    written,
)
from cca.dialects.anthropic_messages.fields import instead_of, placeless, unheard
from cca.dialects.schemas import check_depth
from cca.dialects.tools import check_name
from cca.errors import BadRequest
from cca.model import (
    CacheMark,
    Document,
    Image,
    ResultPart,
    SearchResult,
    Text,
    ToolResult,
    ToolUse,
)
from cca.wire import Body

MOST_NAME = 200
"""Characters of the name of a tool that was called, by Anthropic's schema."""

ADDRESS = "an http(s) address, or what is there as a source of type base64"


@define
class Reading:
    """Reads blocks. ``ignored`` names what does not arrive of them.

    ``references`` are the places of the first references to tools, by the names of these.
    """

    ignored: list[str] = field(factory=list)
    references: dict[str, str] = field(factory=dict)

    def text(self, block: TextBlock, path: str) -> Text:
        said = written(block, path)
        self.note_unheard(block, path)
        if block.citations:
            self.ignored.append(f"{placeless(path)}.citations")
        return Text(said, self.mark(block.cache_control, path))

    def texts(self, blocks: Sequence[Passage], path: str, instead: str) -> Iterator[Text]:
        """Yield texts. Raise ``BadRequest`` for blocks of another type."""
        for index, block in enumerate(blocks):
            where = f"{path}[{index}]"
            if isinstance(block, OtherBlock):
                raise unserved(block.type, where, instead)
            yield self.text(block, where)

    def image(self, block: ImageBlock, path: str) -> Image:
        self.note_unheard(block, path)
        cache = self.mark(block.cache_control, path)
        where = f"{path}.source"
        self.note_unheard(block.source, where)
        match block.source:
            case Base64Source(media_type=media_type, data=encoded):
                return evolve(media.stated_image(media_type, encoded, where), cache=cache)
            case UrlSource(url=url):
                return Image(url=media.address(url, f"{where}.url", ADDRESS), cache=cache)
            case FileSource():
                raise kept_elsewhere(where)
            case _:
                assert_never(block.source)

    def document(self, block: DocumentBlock, path: str) -> Document:
        self.note_unheard(block, path)
        cache = self.mark(block.cache_control, path)
        return evolve(
            self._source(block, f"{path}.source"),
            title=titled(block.title, f"{path}.title"),
            context=filled(block.context, f"{path}.context"),
            citations=self._cited(block.citations, path),
            cache=cache,
        )

    def search_result(self, block: SearchResultBlock, path: str) -> SearchResult:
        self.note_unheard(block, path)
        where = f"{path}.content"
        if not block.content:
            raise BadRequest(f"{where} is empty; send what was found.", param=where, code="invalid_value")
        found = tuple(self.texts(block.content, where, "a search finds text; send its text"))
        cited, cache = self._cited(block.citations, path), self.mark(block.cache_control, path)
        return SearchResult(block.source, block.title, found, cited, cache)

    def shown(self, block: Shown, path: str) -> ResultPart:
        """Return what a user shows, or a tool."""
        match block:
            case TextBlock():
                return self.text(block, path)
            case ImageBlock():
                return self.image(block, path)
            case DocumentBlock():
                return self.document(block, path)
            case SearchResultBlock():
                return self.search_result(block, path)
            case OtherBlock(type=kind):
                raise unserved(kind, path, instead_of(kind))
            case _:
                assert_never(block)

    def tool_use(self, block: ToolUseBlock, path: str) -> ToolUse:
        self.note_unheard(block, path)
        if block.caller not in (None, {"type": "direct"}):
            self.ignored.append(f"{placeless(path)}.caller")
        if block.cache_control is not None:
            # Claude Code writes calls anew, without their marks.
            self.ignored.append(f"{path}.cache_control")
        check_name(block.name, f"{path}.name", MOST_NAME)
        where = f"{path}.input"
        if not isinstance(block.input, dict):
            raise BadRequest(f"{where} must be an object.", param=where, code="invalid_type")
        check_depth(block.input, where)
        return ToolUse(call_id(block.id, f"{path}.id"), block.name, block.input, self.mark(block.cache_control, path))

    def tool_result(self, block: ToolResultBlock, path: str) -> ToolResult:
        self.note_unheard(block, path)
        call, cache = call_id(block.tool_use_id, f"{path}.tool_use_id"), self.mark(block.cache_control, path)
        return ToolResult(call, tuple(self._results(block.content, f"{path}.content")), block.is_error is True, cache)

    def note_unheard(self, body: Body, path: str) -> None:
        self.ignored += unheard(body, path)

    def mark(self, control: CacheControl | None, path: str) -> CacheMark | None:
        if control is not None:
            self.note_unheard(control, f"{path}.cache_control")
        return mark(control, path)

    def _results(self, content: ResultContent | None, path: str) -> Iterator[ResultPart]:
        """Yield what a tool gave. It may have given nothing, or only white space."""
        if isinstance(content, str):
            if content.strip():
                yield Text(content)
            elif content:
                self.ignored.append(f"{path} (empty)")
            return
        for index, block in enumerate(content or ()):
            where = f"{path}[{index}]"
            if isinstance(block, TextBlock) and not block.text.strip():
                self.ignored.append(f"{where} (empty)")
            elif isinstance(block, ToolReferenceBlock):
                yield self._found(block, where)
            else:
                yield self.shown(block, where)

    def _found(self, block: ToolReferenceBlock, path: str) -> Text:
        """Return a reference in words: Claude Code passes on none."""
        self.note_unheard(block, path)
        self.ignored.append(f"{placeless(path)} (a reference in words)")
        where = f"{path}.tool_name"
        check_name(block.tool_name, where, MOST_NAME)
        self.references.setdefault(block.tool_name, where)
        return Text(f"The tool {block.tool_name} can be called now.", self.mark(block.cache_control, path))

    def _source(self, block: DocumentBlock, path: str) -> Document:
        source = block.source
        self.note_unheard(source, path)
        match source:
            case Base64Source(media_type=media_type, data=encoded):
                return media.stated_pdf(media_type, encoded, path)
            case UrlSource(url=url):
                return Document(url=media.address(url, f"{path}.url", ADDRESS))
            case TextSource(media_type=media_type, data=text):
                if media_type != media.PLAIN:
                    where = f"{path}.media_type"
                    said = f"{where} is {media_type[:60]!r}, and must be {media.PLAIN}."
                    raise BadRequest(said, param=where, code="unsupported_value")
                if not text.strip():
                    raise empty(text, f"{path}.data")
                return Document(text=text)
            case ContentSource(content=content):
                return Document(pieces=tuple(self._pieces(content, f"{path}.content")))
            case FileSource():
                raise kept_elsewhere(path)
            case _:
                assert_never(source)

    def _pieces(self, content: PieceContent, path: str) -> Iterator[Text | Image]:
        if not content or (isinstance(content, str) and not content.strip()):
            raise empty("" if not content else str(content), path)
        if isinstance(content, str):
            yield Text(content)
            return
        for index, block in enumerate(content):
            where = f"{path}[{index}]"
            match block:
                case TextBlock():
                    yield self.text(block, where)
                case ImageBlock():
                    yield self.image(block, where)
                case OtherBlock(type=kind):
                    raise unserved(kind, where, "a document is of text and images")
                case _:
                    assert_never(block)

    def _cited(self, citations: Citations | None, path: str) -> bool:
        if citations is None:
            return False
        self.note_unheard(citations, f"{path}.citations")
        return citations.enabled is True
