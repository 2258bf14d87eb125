-- What was said, in every conversation, and every fact that led there.
--
-- `events` is the log itself, append-only; the other tables are derived from it as it is written. There are no foreign
-- keys: an outage of the database may cost a conversation its first events, and that must not cost it the later ones.

CREATE TABLE conversations (
    id                 text PRIMARY KEY,
    agent_id           text NOT NULL,
    status             text NOT NULL DEFAULT 'in-progress' CHECK (status IN ('in-progress', 'done', 'failed')),
    started_at         timestamptz NOT NULL,
    ended_at           timestamptz,
    duration_secs      double precision,
    language           text,
    user_id            text,
    source             text,
    termination_reason text,
    close_code         integer,
    error              jsonb,
    metadata           jsonb NOT NULL
);

CREATE INDEX conversations_by_time ON conversations (started_at DESC, id);
CREATE INDEX conversations_by_agent ON conversations (agent_id, started_at DESC, id);

CREATE TABLE turns (
    conversation_id   text NOT NULL,
    sequence          integer NOT NULL,
    at                timestamptz NOT NULL,
    role              text NOT NULL CHECK (role IN ('user', 'agent')),
    message           text NOT NULL,
    original_message  text, -- what the agent would have said; null unless it was interrupted
    interrupted       boolean NOT NULL DEFAULT false,
    language          text,
    confidence        double precision,
    source_medium     text CHECK (source_medium IN ('audio', 'text')),
    time_in_call_secs double precision NOT NULL,
    event_id          integer,
    metrics           jsonb NOT NULL,
    PRIMARY KEY (conversation_id, sequence)
);

CREATE TABLE events (
    conversation_id text NOT NULL,
    sequence        integer NOT NULL,
    at              timestamptz NOT NULL,
    kind            text NOT NULL,
    data            jsonb NOT NULL,
    PRIMARY KEY (conversation_id, sequence)
);
