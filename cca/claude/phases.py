"""What a dialogue with Claude Code goes through, and what takes it from one phase to the next.

Recalling --result--> Recalling | Asked       the history goes in, a turn at a time
Asked --message_start--> Begun                the model answers
Begun --first piece--> Saying                 from here a client may have seen something
Asked | Begun --assistant--> Spoken           the program asked again without streaming
Spoken --what is not of it--> Over            its blocks come a line each; whatever follows them ends it
any --<synthetic> assistant--> Refused        the program speaks for itself: its result tells why
Begun | Saying --stop reason--> Over          one API message is one answer
Begun | Saying --its own end--> Answered      the program has yet to end its turn
Answered --result--> Resting                  the program waits for another turn
Resting --user turn--> Asked                  if its process stays for it
Begun | Saying --calls of our tools--> Called the program waits for their results
Called --results--> Answering                 if its process stays for them
Answering --message_start--> Begun            and the model goes on
any --failure--> Over
"""

from typing import TypeAlias

from attrs import frozen

from cca.claude.events import MessageStart, WholeMessage


@frozen
class Recalling:
    """The program is remembering past turns."""


@frozen
class Asked:
    """The turn to be answered was said."""


@frozen
class Begun:
    """A message started, and nothing of it was passed on."""

    start: MessageStart


@frozen
class Saying:
    """A message is being passed on."""

    start: MessageStart


@frozen
class Spoken:
    """A message came whole, as far as its lines are here."""

    message: WholeMessage


@frozen
class Refused:
    """The program spoke for itself; ``cut`` is whether it broke into a message that was being passed on."""

    kind: str | None
    said: str
    cut: bool


@frozen
class Called:
    """The answer ended with calls that the program waits for. It goes on when it has their results."""

    id: str
    calls: frozenset[str]


@frozen
class Answering:
    """The calls are being answered. What the program still prints of the message ``id``, it has said before."""

    id: str


@frozen
class Answered:
    """The answer ended by itself. The program's result is still to come."""

    id: str


@frozen
class Resting:
    """The program has ended its turn, and waits for another."""


@frozen
class Over:
    """The answer ended. The process owes nothing more, and must not go on."""


Phase: TypeAlias = (
    Recalling | Asked | Begun | Saying | Spoken | Refused | Called | Answering | Answered | Resting | Over
)
