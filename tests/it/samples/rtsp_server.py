"""Serves a film over RTSP, to those who know a name and a password: rtsp_server.py PORT FILM NAME PASSWORD"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

port, film, name, password = sys.argv[1:]
Gst.init(None)

token = GstRtspServer.RTSPToken()
token.set_string("media.factory.role", "viewer")
auth = GstRtspServer.RTSPAuth()
auth.add_basic(GstRtspServer.RTSPAuth.make_basic(name, password), token)
viewers = GstRtspServer.RTSPPermissions()
for may in ("access", "construct"):
    viewers.add_permission_for_role("viewer", f"media.factory.{may}", True)

camera = GstRtspServer.RTSPMediaFactory()
camera.set_launch(f"( filesrc location={film} ! qtdemux ! rtph264pay name=pay0 config-interval=-1 )")
camera.set_shared(True)
camera.set_permissions(viewers)

server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
server.set_auth(auth)
server.get_mount_points().add_factory("/camera", camera)
server.attach(None)
GLib.MainLoop().run()
