"""The WebSocket service: who watches what, and the frames they get (spec/contract.md 4)."""
