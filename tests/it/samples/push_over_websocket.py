"""Sends one JPEG over a WebSocket and closes it: ADDRESS FILE CERTIFICATE."""

import sys

import websocket

address, file, certificate = sys.argv[1:]
socket = websocket.create_connection(address, sslopt={"ca_certs": certificate}, timeout=20)
with open(file, "rb") as jpeg:
    socket.send_binary(jpeg.read())
socket.close()
