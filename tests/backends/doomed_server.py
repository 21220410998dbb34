"""A server to be killed: it starts as many processes as its argument says, says what runs, and waits."""

import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import trio
from fakes import launching, open_backend, read_frames


async def main(directory: Path, children: int) -> None:
    async with (
        open_backend(directory, launching(("child",), ("pid",), ("hang",))) as backend,
        AsyncExitStack() as stack,
    ):
        pids = []
        for _ in range(children):
            process = await stack.enter_async_context(backend.start())
            pids += [frame["pid"] for frame in await read_frames(process, 2)]
        sys.stdout.write(json.dumps(pids) + "\n")
        sys.stdout.flush()
        await trio.sleep_forever()


trio.run(main, Path(sys.argv[1]), int(sys.argv[2]))
