"""The model as JSON: what has its default value is left out, and a tag tells a union's members apart."""

import re

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn
from cattrs.strategies import configure_tagged_union

from cca.model import AssistantPart, Image, ResultPart, Text, Turn, UserPart


def model_converter(tag: str) -> Converter:
    """Return a converter whose unions have ``tag``: a ``ToolUse`` is one of ``tool_use``."""
    converter = Converter(forbid_extra_keys=True)
    converter.register_unstructure_hook_factory(
        attrs.has, lambda kind: make_dict_unstructure_fn(kind, converter, _cattrs_omit_if_default=True)
    )
    for union in (Text | Image, ResultPart, UserPart, AssistantPart, Turn):
        configure_tagged_union(union, converter, tag_name=tag, tag_generator=_kind)
    return converter


def _kind(part: type) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", part.__name__).lower()
