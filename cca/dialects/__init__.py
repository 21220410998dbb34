"""The dialects that cca speaks. A new one is a room here, and one line."""

from cca.dialects.anthropic_messages import ANTHROPIC_MESSAGES
from cca.dialects.contract import Dialect
from cca.dialects.openai_chat import OPENAI_CHAT
from cca.dialects.openai_completions import OPENAI_COMPLETIONS
from cca.dialects.openai_responses import OPENAI_RESPONSES

DIALECTS: tuple[Dialect, ...] = (OPENAI_CHAT, OPENAI_COMPLETIONS, OPENAI_RESPONSES, ANTHROPIC_MESSAGES)
