"""What a program was told of a conversation besides its turns: it can be told anew at any time.

After a limit of tokens the program would ask its API to go on, and be killed too late where the machine is busy. So it
is sealed once an answer with such a limit is being passed on: what it asks from then on, its API refuses. To be
unsealed is just to be told its settings again. After a refusal, or at the end of the context, the kill alone keeps it
from asking: to seal each answer would cost each 20 ms of the program's time.
"""

from collections.abc import Mapping

from attrs import define, field

from cca.claude.frames import apply_settings
from cca.claude.script import NOTHING_TO_ASK, SETTINGS, settings
from cca.model import Conversation, Json


@define
class Told:
    """``settings`` are those that the program has, or would have if it were not ``sealed``."""

    settings: Mapping[str, Json]
    limited: bool
    sealed: bool = field(default=False, init=False)
    _times: int = field(default=1, init=False)

    def seal(self) -> bytes:
        """Return what keeps the program from asking its API for more than the answer that it gives."""
        if not self.limited:
            return b""
        self.sealed = True
        return NOTHING_TO_ASK

    def unseal(self) -> bytes:
        """Return what lets the program ask its API again."""
        return self._again() if self.sealed else b""

    def anew(self, conversation: Conversation) -> bytes:
        """Return what the program is to be told of ``conversation`` that it was not told of the one before."""
        before, self.settings = self.settings, settings(conversation)
        self.limited = _is_limited(conversation)
        return self._again() if self.sealed or self.settings != before else b""

    def _again(self) -> bytes:
        self._times += 1
        self.sealed = False
        return apply_settings(f"{SETTINGS}-{self._times}", self.settings)


def told_of(conversation: Conversation) -> Told:
    """Return what a program is told that is told of ``conversation`` first."""
    return Told(settings(conversation), _is_limited(conversation))


def _is_limited(conversation: Conversation) -> bool:
    return conversation.sampling.max_tokens is not None
