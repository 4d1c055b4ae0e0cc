"""Rooms of the two services that people talk to: REST and WebSocket."""
