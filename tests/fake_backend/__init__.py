"""A scripted OpenAI-compatible server for the tests: see server.py (HTTP, recording) and scripts.py (what it answers)."""
from .server import FakeBackend, Recorded  # noqa: F401
