"""Routes of the robot: state, stop, reset, cameras, scene."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response, StreamingResponse

from api.server.commands import TheDesk
from api.server.desk import Desk
from api.server.robot_view import CAMERAS
from api.server.schema import ResetBody, Robot, SceneView, StopBody, Stopped
from traces.errors import TandemError

FRAME_WAIT_S = 2.0
BOUNDARY = "tandem-frame"

router = APIRouter(prefix="/v1", tags=["robot"])
Camera = Annotated[str, Path(pattern=r"^[a-z]{1,16}$", examples=["front"])]


@router.get("/robot")
async def get_robot(desk: TheDesk) -> Robot:
    """The robot as it is now."""
    return desk.robot()


@router.post("/robot/stop")
async def stop(desk: TheDesk, body: StopBody | None = None) -> Stopped:
    """Stop the arm at once and latch; what waits is dropped. There is a second listener for this alone."""
    desk.stop(body.reason if body else "stop")
    return Stopped()


@router.post("/robot/reset")
async def reset(body: ResetBody, desk: TheDesk) -> Robot:
    """Let it move again, for a reason."""
    return desk.reset(body.reason)


@router.get("/scene")
async def scene(desk: TheDesk) -> SceneView:
    """The scene as it was last perceived."""
    return desk.scene()


@router.get("/cameras/{camera}/frame", response_class=Response)
async def frame(camera: Camera, desk: TheDesk, after: Annotated[int, Query(ge=0, le=2**62)] = 0) -> Response:
    """A picture newer than number `after` (JPEG, its number in `X-Frame`); 204 when none comes soon."""
    found = await _next(desk, camera, after)
    if found is None:
        return Response(status_code=204)
    return Response(found[1], media_type="image/jpeg", headers={"x-frame": str(found[0])})


@router.get("/cameras/{camera}/stream", response_class=StreamingResponse)
async def stream(camera: Camera, desk: TheDesk) -> StreamingResponse:
    """A camera, live (MJPEG)."""
    _known(camera)
    return StreamingResponse(
        _parts(desk, camera), media_type=f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    )


async def _parts(desk: Desk, camera: str) -> AsyncIterator[bytes]:
    number = 0
    while not desk.feed.closed:
        found = await _next(desk, camera, number)
        if found is not None:
            number, jpeg = found
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            yield head.encode() + jpeg + b"\r\n"


async def _next(desk: Desk, camera: str, after: int) -> tuple[int, bytes] | None:
    _known(camera)
    desk.link.send("watch", camera=camera)
    return await desk.frames.after(camera, after, FRAME_WAIT_S)


def _known(camera: str) -> None:
    if camera not in CAMERAS:
        raise TandemError(
            "CAMERA_UNKNOWN", f"there is no camera {camera}", fix=f"one of {', '.join(CAMERAS)}"
        )
