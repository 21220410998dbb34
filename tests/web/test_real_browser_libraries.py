"""OpenAI's and Anthropic's own JavaScript libraries in a page whose origin is in the settings, in a real browser."""

import json
from pathlib import Path

import pytest
from attrs import define
from claude_says import HELLO
from test_real_browser import BROWSER, Site, tries_where_it_may
from test_wire_keys import desk_of

INSTALLED = Path(__file__).parents[1] / "clients" / "node" / "node_modules"

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(BROWSER is None, reason="there is no chromium on the PATH"),
    pytest.mark.skipif(not (INSTALLED / "openai").is_dir(), reason="nox -s clients installs the libraries"),
]

STUBS = {
    "/stub/standardwebhooks.js": "export class Webhook {}",
    "/stub/opentelemetry.js": """
        const none = () => undefined;
        const span = { setAttribute: none, setAttributes: none, setStatus: none, recordException: none, end: none,
                       addEvent: none, isRecording: () => false, spanContext: () => ({}) };
        const tracer = { startSpan: () => span, startActiveSpan: (...all) => all.at(-1)(span) };
        export const trace = { getTracer: () => tracer, getSpan: none, setSpan: (on) => on, getActiveSpan: none };
        export const context = { active: () => ({}), with: (_, run, ...rest) => run(...rest), bind: (_, run) => run };
        export const propagation = { inject: none, fields: () => [] };
        export const SpanKind = {}, SpanStatusCode = {};
    """,
}
"""In place of what they depend on beside what they do, which no browser finds without a bundler."""

IMPORTS = {
    "openai": "/openai/index.mjs",
    "@anthropic-ai/sdk": "/@anthropic-ai/sdk/index.mjs",
    "standardwebhooks": "/stub/standardwebhooks.js",
    "@opentelemetry/api": "/stub/opentelemetry.js",
}


@define
class LibrarySite(Site):
    """Has the libraries' files, too."""

    script: str = Path(__file__).with_name("browser_libraries.js").read_text()
    before: str = f'<script type="importmap">{json.dumps({"imports": IMPORTS})}</script>'

    def file(self, path: str) -> tuple[str, bytes]:
        if path in STUBS:
            return "text/javascript", STUBS[path].encode()
        if path.endswith(".mjs"):
            return "text/javascript", (INSTALLED / path.lstrip("/")).read_bytes()
        return Site.file(self, path)


async def test_they_work_in_a_page_that_may_ask(tmp_path: Path) -> None:
    """S-05, the other way round: what they send is let in, and what they act on can be read."""
    async with desk_of(tmp_path, *HELLO) as desk:
        site = LibrarySite(await desk.make("ann"))
        tries = await tries_where_it_may(desk.server, site)
    for vendor in ("openai", "anthropic"):
        assert tries[vendor]["text"] == tries[f"{vendor}, streamed"]["text"] == "Hello", tries
        assert tries[vendor]["id"].startswith("req_")
        assert tries[f"{vendor}, refused"]["status"] in (400, 404)
        assert tries[f"{vendor}, refused"]["id"].startswith("req_")
