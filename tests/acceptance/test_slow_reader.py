"""A client that stops reading for a while. The kernel's buffers, and HAProxy's, hold minutes of a voice: to be without
room for sound, the client must let its own words come back first. What is dropped then is in tests/test_outbox.py too.
"""

SMALL_BUFFER = 4096  # bytes
EVENTS = ["audio", "user_transcript", "agent_response", "agent_chat_response_part", "agent_response_complete"]
