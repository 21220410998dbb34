"""What a server holds for its requests: when none is under way, that is nothing."""

import trio
from attrs import frozen
from wire_harness import Server


@frozen
class Held:
    """Counts, but for what processes that wait or stay have; ``tasks`` are all that live."""

    connections: int
    answers: int
    processes: int
    slots: int
    queued: int
    admitted: int
    sessions: int
    tasks: int

    @classmethod
    def of(cls, server: Server) -> "Held":
        service, backend = server.service, server.backend
        return cls(
            connections=server.open_connections,
            answers=backend.opened - backend.left,
            processes=backend.alive,
            slots=service.gate.size - service.gate._free.value,
            queued=service.gate.waiting,
            admitted=service.limiter._server.running + sum(each.running for each in service.limiter._keys.values()),
            sessions=len(service.sessions.writing),
            tasks=trio.lowlevel.current_statistics().tasks_living,
        )
