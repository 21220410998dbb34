"""Which model a name stands for: what Claude Code lists, any of Claude's, and patterns for other vendors' names."""

import re
from fnmatch import fnmatchcase

from attrs import frozen

from cca.errors import NotFound
from cca.model import ModelEntry

_CLAUDE = re.compile(r"claude-[A-Za-z0-9._:@/\-]{1,200}(\[1m\])?", re.ASCII)

_BEFORE_5 = re.compile(r"claude-([a-z]+-)?[1-4]\b.*", re.ASCII)

_WILD = re.compile(r"[*?\[]")


@frozen
class Catalogue:
    """``patterns`` are rows of a shell pattern and the model for names that it matches; the first match counts."""

    entries: tuple[ModelEntry, ...]
    patterns: tuple[tuple[str, str], ...]

    def resolve(self, name: str) -> str:
        """Return what to ask Claude Code for. Raise ``NotFound`` for a name that nothing answers to."""
        if self.entry(name) is not None or _CLAUDE.fullmatch(name):
            return name
        for pattern, model in self.patterns:
            if fnmatchcase(name, pattern):
                return model
        raise NotFound(
            f"The model {name[:100]!r} does not exist here. Ask GET /v1/models for those that do; "
            "CCA_MODELS maps other names to them.",
            param="model",
            code="model_not_found",
        )

    @property
    def renamed(self) -> tuple[str, ...]:
        """The names in place of which another model answers, as far as they are written out."""
        return tuple(pattern for pattern, _ in self.patterns if not _WILD.search(pattern))

    def thinking_off(self, model: str) -> bool:
        """Whether a model can answer without thinking. All before the fifth generation can, listed or not."""
        entry = self.entry(model)
        return (entry is not None and entry.thinking_off) or _BEFORE_5.fullmatch(model) is not None

    def entry(self, name: str) -> ModelEntry | None:
        """Return what is known of an alias or an id."""
        found = (entry for entry in self.entries if name in (entry.alias, entry.id))
        return next(found, None)


def patterns_of(rows: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return ``PATTERN=MODEL`` rows, as the settings have them, in pairs."""
    pairs = (row.partition("=") for row in rows)
    return tuple((pattern.strip(), model.strip()) for pattern, _, model in pairs)
