"""``python -m cca.scripted``: serve the scripted model by hand, for a CLI started by hand."""

import argparse
import signal
import sys

import trio

from cca.scripted import open_scripted_model


async def serve(port: int) -> None:
    # Not KeyboardInterrupt, which may be raised in any task, and would come out as a group with a traceback.
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with open_scripted_model(port=port) as model:
            sys.stdout.write(f"{model.base_url}\n")
            sys.stdout.flush()
            async for _ in signals:
                break


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m cca.scripted", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the port on 127.0.0.1; 0 takes a free one")
    trio.run(serve, parser.parse_args().port)


if __name__ == "__main__":
    main()
