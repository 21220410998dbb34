"""What Claude Code can reach of a machine in a sandbox of bubblewrap, which is for Linux alone.

It has process ids of its own, and all that it started dies with it. It reads the system, but of the user's home, of
temporary files and of the system's sockets only what it needs: itself, its login, certificates. It writes to its own
directories, and where it has a login, beside that: it renews it under a lock shared with the user's own program,
or both would be logged out. The network is as it was: the model is there, and so are sockets that are no files.

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

SAID = ("projects", "file-history", "paste-cache", "plans", "shell-snapshots", "todos")
"""Directories beside the login with what the user has said, and ``HISTORY`` is a file of it."""

HISTORY = "history.jsonl"

OBEYED = (
    *("settings.json", "settings.local.json", "CLAUDE.md"),
    *("agents", "commands", "hooks", "output-styles", "rules", "skills"),
)
"""What the user's own Claude Code does as it says, outside of any sandbox. What there is of it cannot be changed."""

NOTHING = "/dev/null"


@frozen
class Sandbox:
    """``bwrap`` is the program of bubblewrap, ``needed`` the files of Claude Code; all paths are absolute.

    ``is_there`` tells whether something is at a path, and ``is_itself`` whether that is no link: over one of these
    nothing can be mounted, and where it leads to is hidden.
    """

    bwrap: str
    needed: tuple[str, ...]
    is_there: Callable[[str], bool]
    is_itself: Callable[[str], bool]

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
            *(item for place in self._read(env, home, hidden) for item in ("--ro-bind", place, place)),
            *(self._login(env, home) if login else ()),
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
        for path in self._there(place, SAID):
            yield from ("--tmpfs", path)
        for path in self._there(place, (HISTORY,)):
            yield from ("--ro-bind", NOTHING, path)
        for path in self._there(place, OBEYED):
            yield from ("--ro-bind", path, path)
        beside = f"{home}/.claude.json"
        if not given and self.is_there(beside):
            # It is written by renaming, which a file that is mounted alone does not take.
            yield from ("--ro-bind", beside, beside)

    def _there(self, place: str, names: Iterable[str]) -> Iterator[str]:
        return filter(self.is_itself, (f"{place}/{name}" for name in names))
