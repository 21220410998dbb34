"""What a process was told of its surroundings does not stand in its recording, however the process spells it."""

from collections.abc import Mapping

import pytest

from cca.backends.redaction import Redactor
from cca.backends.telltales import Identity, telltales
from cca.claude.launch import Launch

GATEWAY = {"ANTHROPIC_BASE_URL": "https://gw.corp.example:443/v1"}
PROXY = {"HTTPS_PROXY": "http://bob:hunter2secret@proxy.corp:3128"}
LOCAL = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:4000"}


def kept(env: Mapping[str, str], text: str, identity: Identity | None = None) -> str:
    launch = Launch(("/opt/claude",), env, "/run/cca-1/7/work")
    return Redactor(telltales(launch, identity or Identity(None, None))).text(text)


@pytest.mark.parametrize(
    ("env", "text", "left"),
    [
        pytest.param(GATEWAY, "https://gw.corp.example:443/v1/messages", "<base-url>/messages", id="whole"),
        pytest.param(GATEWAY, "ECONNREFUSED gw.corp.example:443", "ECONNREFUSED <base-url>", id="host and port"),
        pytest.param(GATEWAY, "ENOTFOUND gw.corp.example", "ENOTFOUND <base-url>", id="host"),
        pytest.param(GATEWAY, "https://GW.Corp.example/v1", "https://<base-url>/v1", id="host, in other letters"),
        pytest.param(GATEWAY, "the port is 443", "the port is 443", id="a port is a number"),
        pytest.param(
            {"ANTHROPIC_VERTEX_BASE_URL": "https://gw.corp.example"}, "of gw.corp.example", "of <base-url>", id="cloud"
        ),
        pytest.param(
            {"ANTHROPIC_BASE_URL": "https://jane:pa%2Bss-word@gw.corp.example"},
            "jane, pa%2Bss-word, pa+ss-word",
            "<credential>, <credential>, <credential>",
            id="login in the base URL",
        ),
        pytest.param(PROXY, "http://bob:hunter2secret@proxy.corp:3128", "<credential>", id="proxy, whole"),
        pytest.param(PROXY, "proxy.corp:3128 refused", "<host> refused", id="proxy, host and port"),
        pytest.param(PROXY, "proxy.corp refused", "<host> refused", id="proxy, host"),
        pytest.param(PROXY, "Bob's hunter2secret", "<credential>'s <credential>", id="proxy, login"),
        pytest.param(PROXY, "bobsled", "bobsled", id="a short login is a word"),
        pytest.param({"http_proxy": "proxy.corp:3128"}, "proxy.corp refused", "<host> refused", id="without a scheme"),
        pytest.param({"ALL_PROXY": "http://proxy:3128"}, "a proxy on proxy:3128", "a proxy on <host>", id="a word"),
        pytest.param({"ALL_PROXY": "socks5://u:x@p.corp"}, "u and x on p.corp", "u and x on <host>", id="letters"),
        pytest.param({"NO_PROXY": "a.corp.example"}, "a.corp.example", "a.corp.example", id="what takes no proxy"),
        pytest.param(LOCAL, "http://127.0.0.1:4000/v1", "<base-url>/v1", id="this machine, whole"),
        pytest.param(LOCAL, "127.0.0.1:4000", "<base-url>", id="this machine, with its port"),
        pytest.param(LOCAL, "127.0.0.1:22", "127.0.0.1:22", id="this machine"),
        pytest.param({"ANTHROPIC_BASE_URL": "http://[::1]"}, "::1 and [::1]", "::1 and [::1]", id="this machine, IPv6"),
        pytest.param({"ANTHROPIC_BASE_URL": "http://localhost"}, "on localhost", "on localhost", id="its name"),
        pytest.param({"ANTHROPIC_BASE_URL": "http://[gw"}, "at http://[gw", "at <base-url>", id="no address"),
        pytest.param({"ANTHROPIC_BASE_URL": ""}, "nothing", "nothing", id="empty"),
    ],
)
def test_an_address_is_hidden_whole_and_in_its_parts(env: Mapping[str, str], text: str, left: str) -> None:
    assert kept(env, text) == left


@pytest.mark.parametrize(
    ("env", "text", "left"),
    [
        pytest.param({}, "/run/cca-1/7/tmp", "<run>/tmp", id="run"),
        pytest.param({}, "spawn /opt/claude", "spawn <claude>", id="program"),
        pytest.param({"HOME": "/home/z"}, "/home/z/x", "<home>/x", id="home"),
        pytest.param({"HOME": "/"}, "/etc", "/etc", id="the root is no home"),
        pytest.param({"CLAUDE_CONFIG_DIR": "/etc/z"}, "/etc/z/x", "<config>/x", id="configuration"),
        pytest.param({"MY_TOKEN": "12345678"}, "x12345678", "x<credential>", id="secret"),
        pytest.param({"MY_TOKEN": "1234567"}, "x1234567", "x1234567", id="too short for a secret"),
        pytest.param({"LANG": "en_GB.UTF-8"}, "en_GB.UTF-8", "en_GB.UTF-8", id="no secret"),
    ],
)
def test_places_and_secrets_are_hidden(env: Mapping[str, str], text: str, left: str) -> None:
    assert kept(env, text) == left


def test_who_recorded_and_where_is_hidden() -> None:
    identity = Identity("zaphod", "heart.of.gold")
    assert kept({}, "Zaphod on heart, heart.of.gold", identity) == "<user> on <host>, <host>"
