"""A program that writes sessions until it is killed, and says of each exchange that it is kept. For the test beside."""

import sys
import time
import uuid
from itertools import count
from pathlib import Path

import trio

from cca.model import Conversation, Finished, Started, Text, TextDelta, Usage, UserTurn
from cca.prices import prices_of
from cca.sessions import Sessions
from cca.store.database import open_database
from cca.store.sessions import Name
from cca.store.stored import Answer
from cca.tally import Tally

SESSIONS = 4


def tally(text: str) -> Tally:
    counted = Tally(text, time.time(), "test", None, "sonnet", prices_of(()), trio.current_time)
    for event in (Started("m", "claude", Usage(1, 1)), TextDelta(text), Finished("end_turn", None, Usage(1, 1))):
        counted.note(event)
    return counted


async def write(sessions: Sessions, session: str) -> None:
    for _ in count():
        text = uuid.uuid4().hex * 40
        async with sessions.open(Name("", session)) as opened:
            opened.continued(Conversation("sonnet", (UserTurn((Text(text),)),)))
            answer_id = f"resp_{uuid.uuid4().hex}"
            answer = Answer(answer_id, "response", 1, "m", "m", {}, (), [text], {"id": answer_id, "said": text})
            await opened.keep(tally(text), "completed", answer)
        sys.stdout.write(f"{session} {text}\n")
        sys.stdout.flush()


async def main(path: Path) -> None:
    async with open_database(path) as database, trio.open_nursery() as nursery:
        sessions = Sessions(database, 10, None, 10**9, time.time, lambda: uuid.uuid4().hex)
        for number in range(SESSIONS):
            nursery.start_soon(write, sessions, f"s{number}")


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
