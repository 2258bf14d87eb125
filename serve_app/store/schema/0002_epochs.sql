-- Who writes to a conversation. Each takeover by another replica begins an epoch, and what is left of older ones is
-- refused.

ALTER TABLE events ADD COLUMN epoch integer NOT NULL DEFAULT 0;

CREATE TABLE epochs (
    conversation_id text PRIMARY KEY,
    epoch           integer NOT NULL,
    owner           text NOT NULL -- a replica's name
);

CREATE TABLE replicas (
    name    text PRIMARY KEY,
    seen_at timestamptz NOT NULL
);

CREATE INDEX conversations_in_progress ON conversations (id) WHERE status = 'in-progress';
