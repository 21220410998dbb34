"""What Claude Code says that an answer cost, which cca ends before that is said, is what the table of prices says."""

import pytest
from live_cli import open_cli, user

from cca.claude.dialogue import Dialogue
from cca.model import Conversation, Usage
from cca.prices import prices_of
from cca.scripted import open_scripted_model
from cca.settings import PRICES

pytestmark = pytest.mark.live

MODELS = ("haiku", "sonnet", "opus", "claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-4-5")


@pytest.mark.parametrize("cached", ["cached 0 created 0", "cached 50000 created 0", "cached 0 created 50000"])
@pytest.mark.parametrize("name", MODELS)
async def test_the_table_of_prices_is_claude_codes(name: str, cached: str) -> None:
    conversation = Conversation(name, (user(f"[[tokens 1000]] [[{cached}]] Count."),))
    async with open_scripted_model() as model, open_cli(model) as cli:
        cli.say(Dialogue(conversation, 0.0).open())
        result = await cli.until(type="result")
    [answered_by] = result["modelUsage"]
    counted = result["usage"]
    usage = Usage(
        counted["input_tokens"],
        counted["output_tokens"],
        counted["cache_read_input_tokens"],
        counted["cache_creation_input_tokens"],
    )
    assert usage.output_tokens == 1000
    assert prices_of(PRICES).cost(answered_by, usage) == pytest.approx(result["total_cost_usd"])
