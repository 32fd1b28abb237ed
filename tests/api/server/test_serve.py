"""The socket that the server answers on."""

from __future__ import annotations

import asyncio
import socket

import pytest

from api.server.serve import listen
from traces.errors import TandemError


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head() -> None:
    async def undelayed() -> int:
        told: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def accepted(_: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
            line = answer.get_extra_info("socket")
            told.set_result(line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            answer.close()

        async with await asyncio.start_server(accepted, sock=listen("127.0.0.1", 0)) as server:
            _, line = await asyncio.open_connection(*server.sockets[0].getsockname())
            try:
                return await told
            finally:
                line.close()

    assert asyncio.run(undelayed())


def test_a_port_in_use_is_told_with_a_fix() -> None:
    with listen("127.0.0.1", 0) as line:
        line.listen()
        with pytest.raises(TandemError) as told:
            listen("127.0.0.1", line.getsockname()[1])
    assert told.value.code == "PORT_TAKEN"
