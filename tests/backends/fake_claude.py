"""A program that stands for Claude Code: it follows the steps in its argument, on real pipes.

    python -I -S fake_claude.py '[["frame"], ["print", "{}"], ["exit", 1]]'

It uses the standard library only, so that it starts in 20 ms. When the steps are over, it ends with exit code 0.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

LINGER = 30
"""Seconds for which a process that nobody kills lives: a failing test leaves nothing for ever."""

MODEL = {"value": "haiku", "resolvedModel": "claude-haiku-5-5", "displayName": "Haiku", "supportsThinkingOff": True}


def say(text: str) -> None:
    put(text.encode() + b"\n")


def put(content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(1, view) :]


def say_frame(**frame: Any) -> None:
    say(json.dumps(frame, separators=(",", ":"), ensure_ascii=False))


def frame() -> bytes:
    line = sys.stdin.buffer.readline()
    if not line:
        sys.exit(0)
    return line


def hang() -> None:
    time.sleep(LINGER)


def descend(*, flee: bool) -> None:
    """Leave a process behind that holds stdout, in the group or fled from it. Say its id."""
    pid = os.fork()
    if pid == 0:
        if flee:
            os.setsid()
        hang()
        os._exit(0)
    say_frame(pid=pid)


def report() -> None:
    """Say what the process was started with."""
    import ctypes  # noqa: PLC0415 - 10 ms that only this step needs

    signal_of_death = ctypes.c_int(-1)
    ctypes.CDLL(None).prctl(2, ctypes.byref(signal_of_death))
    descriptors = [number for number in range(1000) if Path(f"/proc/self/fd/{number}").is_symlink()]
    environ = Path("/proc/self/environ").read_bytes().decode().split("\0")
    say_frame(
        env=dict(row.split("=", 1) for row in environ if row),
        cwd=str(Path.cwd()),
        descriptors=descriptors,
        pid=os.getpid(),
        group=os.getpgid(0),
        session=os.getsid(0),
        signal_of_death=signal_of_death.value,
    )


def serve(answer: str = "") -> None:
    """Speak Claude Code's protocol. An ``answer`` of nothing begins, and never goes on; ``{pid}`` in one is its own."""
    for _ in prompts():
        answer_with(answer.replace("{pid}", str(os.getpid())))


def obey() -> None:
    """Speak Claude Code's protocol. A prompt that ends with "silent" has no answer, and "endless" is counted up to."""
    for prompt in prompts():
        match prompt.split()[-1]:
            case "silent":
                hang()
            case "endless":
                begin()
                # Until nobody holds the pipe.
                for number in count():
                    say_piece(f"{number} ")
                    time.sleep(0.01)
            case word:
                answer_with(word)


def mirror() -> None:
    """Answer each prompt with all that the process was started with, and told."""
    told: list[str] = []
    for _ in prompts(told.append):
        answer_with(json.dumps({"argv": sys.argv[2:], "cwd": str(Path.cwd()), "env": dict(os.environ), "told": told}))


def prompts(heard: Callable[[str], None] = lambda _: None) -> Iterator[str]:
    """Yield the text of each turn that is to be answered, and do with all else as Claude Code does."""
    while True:
        line = frame()
        heard(line.decode())
        asked = json.loads(line)
        if asked["type"] == "control_request":
            reply = {"claude_code_version": "2.1.330", "models": [MODEL]}
            response = {"subtype": "success", "request_id": asked["request_id"], "response": reply}
            say_frame(type="control_response", response=response)
        elif asked.get("shouldQuery") is False:
            say_frame(type="result", is_error=False, num_turns=0)
        elif asked["type"] == "user":
            yield "".join(part.get("text", "") for part in asked["message"]["content"])


def begin() -> None:
    message = {"id": "msg_1", "model": "claude-haiku-5-5", "usage": {"input_tokens": 3, "output_tokens": 1}}
    say_event(type="message_start", message=message)
    say_event(type="content_block_start", index=0, content_block={"type": "text", "text": ""})


def say_piece(text: str) -> None:
    say_event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def say_event(**event: Any) -> None:
    say_frame(type="stream_event", event=event, parent_tool_use_id=None)


def answer_with(text: str) -> None:
    begin()
    say_piece(text or "...")
    if text:
        end = {"stop_reason": "end_turn", "stop_sequence": None}
        say_event(type="message_delta", delta=end, usage={"output_tokens": 2})
        say_frame(type="result", is_error=False, num_turns=1, result=text)


def look(path: str) -> None:
    """Say whether something is at a path, and whether it can be written to."""
    there = Path(path).exists()
    try:
        (Path(path, "new") if Path(path).is_dir() else Path(path)).write_text("written")
    except OSError:
        say_frame(path=path, there=there, writable=False)
    else:
        say_frame(path=path, there=there, writable=True)


def leave_litter() -> None:
    """Leave in the configuration what a killed Claude Code leaves there."""
    sessions = Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path(os.environ["HOME"], ".claude"), "sessions")
    sessions.mkdir(parents=True, exist_ok=True)
    for name in (f"{os.getpid()}.json", f"{os.getpid()}.{'ab' * 32}.key"):
        (sessions / name).write_text("litter")
    say_frame(pid=os.getpid())


STEPS: dict[str, Callable[..., Any]] = {
    "print": say,
    "raw": lambda text: put(text.encode()),
    "bytes": lambda text: put(bytes.fromhex(text)),
    "huge": lambda size: put(b"x" * size),
    "frame": frame,
    "echo": lambda: say_frame(type="result", is_error=False, result=frame().decode()),
    "stderr": lambda text, times=1: [os.write(2, text.encode()) for _ in range(times)],
    "exit": os._exit,
    "die": lambda number: os.kill(os.getpid(), number),
    "stay": lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "close": lambda: os.close(1),
    "hang": hang,
    "sleep": time.sleep,
    "pid": lambda: say_frame(pid=os.getpid()),
    "child": lambda: descend(flee=False),
    "daemon": lambda: descend(flee=True),
    "report": report,
    "look": look,
    "serve": serve,
    "obey": obey,
    "mirror": mirror,
    "litter": leave_litter,
}

if __name__ == "__main__":
    for step, *arguments in json.loads(sys.argv[1]):
        STEPS[step](*arguments)
