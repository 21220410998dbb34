"""What an answer cites, where the documents and search results of a request may be cited.

A source is quoted by its first sentence. The shapes are those of the API's reference on citations.
"""

import re
from collections.abc import Iterator

from cca.scripted.prompt import blocks_of
from cca.scripted.script import Json, Say

_SENTENCE = re.compile(r"\s*\S.*?(?:[.!?](?=\s|\Z)|\Z)", re.DOTALL)


def cited(body: Json) -> tuple[Say, ...]:
    """Say what each source of the last turn says: its title, and its first sentence with where that stands."""
    *_, last = (message for message in body["messages"] if message["role"] == "user")
    said: list[Say] = []
    counted = {"document": 0, "search_result": 0}
    for message in body["messages"]:
        for block in _sources(message):
            index = counted[block["type"]]
            counted[block["type"]] += 1
            if message is last and (block.get("citations") or {}).get("enabled"):
                said += _quoted(block, index, first=not said)
    return tuple(said)


def _sources(message: Json) -> Iterator[Json]:
    """Yield the documents and search results of a message, those in results of tools too."""
    for block in blocks_of(message):
        inside = block.get("content") if block["type"] == "tool_result" else None
        for each in inside if isinstance(inside, list) else [block]:
            if each["type"] in {"document", "search_result"}:
                yield each


def _quoted(block: Json, index: int, *, first: bool) -> Iterator[Say]:
    citation = _citation(block, index)
    yield Say((f"{'' if first else ' '}{block.get('title') or 'It'} says: ",))
    yield Say((citation["cited_text"],), (citation,))


def _citation(block: Json, index: int) -> Json:
    if block["type"] == "search_result":
        return {
            "type": "search_result_location",
            "cited_text": block["content"][0]["text"],
            "search_result_index": index,
            "source": block["source"],
            "title": block["title"],
            "start_block_index": 0,
            "end_block_index": 1,
        }
    of_document = {"document_index": index, "document_title": block.get("title"), "file_id": None}
    match block["source"]:
        case {"type": "text", "data": text}:
            quote = _first_sentence(text)
            ends = {"start_char_index": 0, "end_char_index": len(quote)}
            return {"type": "char_location", "cited_text": quote, **of_document, **ends}
        case {"type": "content", "content": [{"type": "text", "text": text}, *_]}:
            ends = {"start_block_index": 0, "end_block_index": 1}
            return {"type": "content_block_location", "cited_text": text, **of_document, **ends}
        case _:
            ends = {"start_page_number": 1, "end_page_number": 2}
            return {"type": "page_location", "cited_text": "The first page.", **of_document, **ends}


def _first_sentence(text: str) -> str:
    found = _SENTENCE.match(text)
    return found[0] if found else text
