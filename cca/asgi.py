"""cca as an ASGI application, for a server that somebody else runs: ``hypercorn -k trio -w 0 'cca:create_app()'``."""

import trio

from cca.errors import CcaError, innermost
from cca.service import open_service, process_environ
from cca.settings import Settings, SettingsError, read_settings
from cca.web.app import CcaApp, make_app


def create_app(settings: Settings | None = None) -> CcaApp:
    """Return the application. It opens its service when it starts serving; without ``settings``, as ``CCA_...`` says.

    Settings that cannot be used and a service that cannot be had are a failed start, and the server that runs the
    application reports their message.
    """
    environ = process_environ()
    try:
        settings = settings or read_settings(environ, {})
    except SettingsError as error:
        return _failing(error)
    app = make_app(body_limit=settings.body_limit, body_timeout=settings.body_timeout)
    stop, stopped = trio.Event(), trio.Event()

    async def hold_service(task_status: trio.TaskStatus[BaseException | None]) -> None:
        # A failure must not escape into the application's nursery: it would end its lifespan and leave it serving.
        try:
            async with open_service(settings, environ) as app.service, trio.open_nursery() as nursery:
                nursery.start_soon(app.service.keyring.watch, app.ending.come_to)
                task_status.started(None)
                await stop.wait()
                nursery.cancel_scope.cancel()
        except* (CcaError, SettingsError) as group:
            task_status.started(innermost(group))
        finally:
            stopped.set()

    @app.before_serving
    async def start() -> None:
        failure = await app.nursery.start(hold_service)
        if failure is not None:
            raise failure

    @app.after_serving
    async def end() -> None:
        stop.set()
        await stopped.wait()

    return app


def _failing(failure: SettingsError) -> CcaApp:
    defaults = Settings()
    app = make_app(body_limit=defaults.body_limit, body_timeout=defaults.body_timeout)

    @app.before_serving
    async def start() -> None:
        raise failure

    return app
