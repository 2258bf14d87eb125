"""A client that comes back: a conversation goes on when its line breaks, or the server it was on.

async with Conversation.connect("http://127.0.0.1:8000", agent_id="default") as conversation:
    await conversation.send_text("Bom dia!")
    async for event in conversation:
        print(event)
"""

from serve_app.client.conversation import Conversation
from serve_app.client.events import ConversationOver, Event, Reconnecting, Resumed, StartedAnew

__all__ = ["Conversation", "ConversationOver", "Event", "Reconnecting", "Resumed", "StartedAnew"]
