"""The models, as Anthropic's API lists them.

Source of the format: Anthropic's published schema (``ModelInfo``), all of whose fields are required, and its client
libraries, which have some more.
"""

from collections.abc import Mapping, Sequence

from cca.catalogue import Catalogue
from cca.dialects.page import limit_of
from cca.errors import BadRequest
from cca.model import Json

MODELS_CREATED = "1970-01-01T00:00:00Z"
"""Claude Code does not say when its models were made; the schema asks for the epoch then."""

DEFAULT = "default"
"""The alias of whichever model Claude Code recommends, mostly beside one of its own."""

PAGE = 20
"""Models on a page, unless ``limit`` says otherwise."""

MOST_ON_PAGE = 1000


def model(catalogue: Catalogue, name: str) -> Json:
    """Return the model that a name stands for, by its id. Raise ``NotFound``."""
    resolved = catalogue.resolve(name)
    entry = catalogue.entry(resolved)
    found = resolved if entry is None else entry.id
    return _model(found, _called(catalogue).get(found, found))


def models(catalogue: Catalogue, query: Mapping[str, str]) -> Json:
    """Return the page of the models that a ``query`` asks for, by ``limit``, and ``after_id`` or ``before_id``.

    There is a model for each alias that Claude Code knows, each id that one stands for, and other names. Raise
    ``BadRequest`` for a page that there is not.
    """
    shown: dict[str, str] = {}
    called = _called(catalogue)
    for entry in catalogue.entries:
        shown.setdefault(entry.alias, entry.display_name)
        shown.setdefault(entry.id, called[entry.id])
    for name in catalogue.renamed:
        shown.setdefault(name, name)
    page, has_more = _page(list(shown), query)
    first_id, last_id = (page[0], page[-1]) if page else (None, None)
    listed = [_model(name, shown[name]) for name in page]
    return {"data": listed, "first_id": first_id, "last_id": last_id, "has_more": has_more}


def _called(catalogue: Catalogue) -> Mapping[str, str]:
    """Return what each id is called: as its own alias is, and only without one as the default."""
    called: dict[str, str] = {}
    for entry in sorted(catalogue.entries, key=lambda entry: entry.alias == DEFAULT):
        called.setdefault(entry.id, entry.display_name)
    return called


def _model(name: str, display_name: str) -> Json:
    return {
        "type": "model",
        "id": name,
        "display_name": display_name,
        "created_at": MODELS_CREATED,
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "line": None,
        "capabilities": None,
        "max_input_tokens": None,
        "max_tokens": None,
    }


def _page(names: Sequence[str], query: Mapping[str, str]) -> tuple[Sequence[str], bool]:
    """Return the names on a page, and whether there are more in the direction in which it is turned."""
    limit = limit_of(query, PAGE, MOST_ON_PAGE)
    after, before = query.get("after_id"), query.get("before_id")
    if after is not None and before is not None:
        raise BadRequest("after_id and before_id are two pages; send one of them.", param="before_id")
    if before is not None:
        end = _place(names, "before_id", before)
        return names[max(end - limit, 0) : end], end > limit
    start = 0 if after is None else _place(names, "after_id", after) + 1
    return names[start : start + limit], len(names) > start + limit


def _place(names: Sequence[str], param: str, name: str) -> int:
    if name not in names:
        raise BadRequest(f"{param} must be the id of a model of this list.", param=param)
    return names.index(name)
