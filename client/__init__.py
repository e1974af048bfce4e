"""Python client of onair: publish frames from any program that has a camera, a file or a drawing."""

from .publisher import (
    AuthError,
    FrameRefused,
    NameTaken,
    PublishError,
    ServerBusy,
    ServerUnreachable,
    Stats,
    StreamPublisher,
)

__all__ = [
    "AuthError",
    "FrameRefused",
    "NameTaken",
    "PublishError",
    "ServerBusy",
    "ServerUnreachable",
    "Stats",
    "StreamPublisher",
]
