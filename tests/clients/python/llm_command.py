"""llm, the command, with a model of its extra-openai-models.yaml."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

from tell import ASKED, BRIEF, CHAT, ERROR, MODEL, NAME, PIXEL, STREAM, STRUCTURED, TOOLS, tell

home = Path(os.environ["HOME"], "llm")
home.mkdir()
(home / "extra-openai-models.yaml").write_text(f"""
- model_id: ours
  model_name: {MODEL}
  api_base: {os.environ["OPENAI_BASE_URL"]}
  api_key_name: ours
  vision: true
  supports_schema: true
  supports_tools: true
""")
(home / "keys.json").write_text(json.dumps({"ours": os.environ["OPENAI_API_KEY"]}))

WEATHER = '''
def get_weather(city: str) -> str:
    """Say how the weather is in a city."""
    return f"sunny in {city}"
'''


def llm(*arguments, check=True, given=None):
    command = [sys.executable, "-m", "llm", *arguments]
    environ = {**os.environ, "LLM_USER_PATH": str(home)}
    return subprocess.run(command, env=environ, check=check, capture_output=True, input=given or b"")


def asked(*arguments, **more):
    return llm("-m", "ours", *arguments, **more).stdout.decode().removesuffix("\n")


def chat():
    return asked("--no-stream", CHAT)


def printed():
    return asked(STREAM)


def turns():
    asked("--no-stream", "--system", BRIEF, NAME)
    answer = asked("--continue", "--no-stream", ASKED)
    [last] = json.loads(llm("logs", "--count", "1", "--json").stdout)
    return [answer, last["input_tokens"]]


def tools():
    return asked("--functions", WEATHER, TOOLS)


def structured():
    return json.loads(asked("--schema", "name, population int", STRUCTURED))


def image():
    return asked("--no-stream", "--attachment", "-", "", given=base64.b64decode(PIXEL))


def error():
    ended = llm("-m", "ours", "--no-stream", ERROR, check=False)
    return 429 if ended.returncode == 1 and b"Error code: 429" in ended.stderr else ended.stderr.decode()


tell(chat, printed, turns, tools, structured, image, error)
