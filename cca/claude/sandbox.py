"""What Claude Code can reach of a machine in a sandbox of bubblewrap, which is for Linux alone.

It has process ids of its own, and all that it started dies with it. It reads the system, but of the user's home, of
temporary files and of the system's sockets only what it needs: itself, its login, certificates. It writes to its own
directories, and where it has a login, to that: it renews it under a lock beside it, which the user's own program takes,
too, or both would be logged out. What else is there it neither reads nor changes, but for links; it could add to that.
The network is as it was: the model is there, and so are sockets that are no files.

There is no ``--die-with-parent``: that is a death signal, which comes when the thread that forked ends, and Trio's
threads end after ten idle seconds.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from attrs import frozen

HIDDEN = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - it is hidden
"""Besides the user's home: whoever reaches a socket of the system's there has it do things outside."""

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS")
"""Variables that name what is read."""

CLOUD_FILES = (
    *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"),
)

CLOUD_HOMES: Mapping[str, str] = {
    "CLAUDE_CODE_USE_BEDROCK": ".aws",
    "CLAUDE_CODE_USE_VERTEX": ".config/gcloud",
    "CLAUDE_CODE_USE_FOUNDRY": ".azure",
}
"""Where a cloud's login is in the user's home, by the switch of the cloud."""

OWN_FILES = ("sessions", "backups", "plugins")
"""What a process writes beside the login: files named after its id, which is another inside, old configurations, and
what its plugins count, of which a kill leaves half.
"""

RENEWED = (".credentials.json", ".lock", ".tmp")
"""In the name of what can be written to, to renew the login: itself, what is locked for it, what is renamed to it."""

READ = (".claude.json", ".config.json", "policy-limits.json", "remote-settings.json")
"""Files beside the login that tell of its account and organization. Others may hold what the user said."""

NOTHING = "/dev/null"


@frozen
class Entry:
    """What is in a directory, and no link."""

    name: str
    is_directory: bool


@frozen
class Sandbox:
    """``bwrap`` is the program of bubblewrap, ``needed`` the files of Claude Code; all paths are absolute.

    ``is_there`` tells whether something is at a path, and ``entries`` what is in a directory but for links: over one of
    these nothing can be mounted.
    """

    bwrap: str
    needed: tuple[str, ...]
    is_there: Callable[[str], bool]
    entries: Callable[[str], Iterable[Entry]]

    def before(self, env: Mapping[str, str], own: str, work: str, *, login: bool) -> tuple[str, ...]:
        """Return what comes before the program's own arguments, to start it in ``work``, with ``own`` to write to.

        With a ``login`` it has the one in the user's configuration.
        """
        home = env.get("HOME", "").rstrip("/")
        hidden = [place for place in (*HIDDEN, *([home] if home.startswith("/") else [])) if self.is_there(place)]
        return (
            *(self.bwrap, "--unshare-pid", "--unshare-ipc"),
            *("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
            *(item for place in hidden for item in ("--tmpfs", place)),
            *(self._login(env, home) if login else ()),
            # After the login: the program may be beside it, and is not to be changed.
            *(item for place in self._read(env, home, hidden) for item in ("--ro-bind", place, place)),
            *("--bind", own, own, "--chdir", work, "--"),
        )

    def _read(self, env: Mapping[str, str], home: str, hidden: list[str]) -> Iterator[str]:
        """Yield what is needed of what is hidden."""
        named = [env[name] for name in (*CERTIFICATES, *CLOUD_FILES) if name in env]
        clouds = [f"{home}/{place}" for switch, place in CLOUD_HOMES.items() if switch in env]
        for path in dict.fromkeys((*self.needed, *named, *clouds)):
            if any(path.startswith(f"{place}/") for place in hidden) and self.is_there(path):
                yield path

    def _login(self, env: Mapping[str, str], home: str) -> Iterator[str]:
        given = env.get("CLAUDE_CONFIG_DIR", "")
        place = given or f"{home}/.claude"
        if not self.is_there(place):
            return
        yield from ("--bind", place, place)
        for name in OWN_FILES:
            yield from ("--tmpfs", f"{place}/{name}")
        for entry in self.entries(place):
            path = f"{place}/{entry.name}"
            if entry.name in OWN_FILES or any(part in entry.name for part in RENEWED):
                continue
            if entry.is_directory:
                yield from ("--tmpfs", path)
            else:
                yield from ("--ro-bind-try", path if entry.name in READ else NOTHING, path)
        beside = f"{home}/.claude.json"
        if not given and self.is_there(beside):
            # It is written by renaming, which a file that is mounted alone does not take.
            yield from ("--ro-bind", beside, beside)
