"""A completion request to conversations, one a choice: each prompt is what a user says.

Source of the format: OpenAI's published schema ``CreateCompletionRequest``. Its default of 16 tokens is not applied: it
was made for models that go on with a text until they are stopped, and would cut what Claude answers, and thinks, short.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from cca.dialects.contract import Ask, Terms
from cca.dialects.fields import Refusal, check
from cca.dialects.openai import read_choices
from cca.dialects.openai_fields import LOGPROBS, StreamOptions, unheard_options
from cca.dialects.openai_sampling import Stop, Wishes, read_sampling, read_stop
from cca.errors import BadRequest
from cca.model import Conversation, Json, Text, UserTurn
from cca.wire import Body, strict_converter, structure

PROMPTS, ECHOED = "prompts", "echoed"
"""In an ask's ``echo``: how many prompts there are, and the prompt before each choice's text."""


@frozen(kw_only=True)
class CompletionRequest(Body):
    model: str
    prompt: Json
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    echo: bool | None = None
    n: int | None = None
    max_tokens: int | None = None
    stop: Stop | None = None
    temperature: float | None = None
    top_p: float | None = None


REFUSED: Mapping[str, Refusal] = {
    "suffix": Refusal("Claude writes what comes after a prompt; put the text that is to follow into it.", ("",)),
    "best_of": Refusal("Claude does not say how likely a text is; ask for n and choose.", (1,)),
    "logprobs": Refusal(LOGPROBS),
}


def decode(body: Mapping[str, Json], terms: Terms) -> Ask:
    """Return what a body asks for. Raise ``BadRequest`` or, for its model, ``NotFound``; nothing was started then."""
    request = structure(CONVERTER, body, CompletionRequest)
    ignored = [*check(request.extra, REFUSED), *unheard_options(request.stream_options)]
    model = terms.catalogue.resolve(request.model)
    prompts = _prompts(request.prompt)
    choices = _choices(prompts, request.n, terms.choices)
    sampling, untaken = read_sampling(
        Wishes(
            limits={"max_tokens": request.max_tokens},
            stop=request.stop,
            temperature=request.temperature,
            top_p=request.top_p,
        ),
        thinking_off=terms.catalogue.thinking_off(model),
    )
    asked = [prompt for prompt in prompts for _ in range(choices)]
    return Ask(
        tuple(Conversation(model, (UserTurn((Text(prompt),)),), sampling=sampling) for prompt in asked),
        stream=bool(request.stream),
        ignored=(*ignored, *untaken),
        include_usage=bool(request.stream_options and request.stream_options.include_usage),
        echo={PROMPTS: len(prompts), ECHOED: asked if request.echo else [""] * len(asked)},
    )


def _prompts(prompt: Json) -> Sequence[str]:
    """Return the prompts: a string, or those of a list. Raise ``BadRequest`` for tokens, and what says nothing."""
    prompts = [prompt] if isinstance(prompt, str) else prompt
    if not isinstance(prompts, list) or not prompts:
        raise BadRequest("prompt must be a string or an array of strings.", param="prompt", code="invalid_type")
    for index, each in enumerate(prompts):
        path = "prompt" if isinstance(prompt, str) else f"prompt[{index}]"
        if not isinstance(each, str):
            text = "prompt is not of strings, and Claude has other tokens than OpenAI's models; send its text."
            raise BadRequest(text, param="prompt", code="unsupported_value")
        if not each.strip():
            text = f"{path} has no text; send what is to be answered."
            raise BadRequest(text, param=path, code="invalid_value")
    return prompts


def _choices(prompts: Sequence[str], n: int | None, most: int) -> int:
    """Return how many choices each prompt has. All of a request together are bounded."""
    if len(prompts) > most:
        text = f"prompt has {len(prompts)} prompts, and may have {most}; send more requests, or raise CCA_CHOICES."
        raise BadRequest(text, param="prompt", code="invalid_value")
    return read_choices(n, most // len(prompts))


CONVERTER = strict_converter()
read_stop(CONVERTER)
