-- What listings show and filter by.
--
-- Tool calls and feedback are views of the log: nothing is kept twice, and what was stored before has them too.

ALTER TABLE conversations
    ADD COLUMN text_only      boolean GENERATED ALWAYS AS (coalesce(metadata->'text_only' = 'true', false)) STORED,
    ADD COLUMN user_messages  integer NOT NULL DEFAULT 0, -- turns with text
    ADD COLUMN agent_messages integer NOT NULL DEFAULT 0,
    ADD COLUMN overall_score  text CHECK (overall_score IN ('like', 'dislike')), -- of the whole call, given after it
    ADD COLUMN rating         smallint CHECK (rating BETWEEN 1 AND 5),
    ADD COLUMN comment        text,
    ADD COLUMN words          tsvector; -- of the whole transcript, once the call is over

ALTER TABLE turns
    ADD COLUMN reply                  integer, -- the answer that the agent's turn is a part of
    ADD COLUMN ignored_as_backchannel boolean NOT NULL DEFAULT false; -- the caller's "uhum", which nobody answered

-- `language` is the one that most of the caller's turns were in, and until they speak the agent's.
UPDATE conversations
SET language = coalesce(counted.language, conversations.language), user_messages = of_user, agent_messages = of_agent
FROM (
    SELECT conversation_id, mode() WITHIN GROUP (ORDER BY language) FILTER (WHERE role = 'user') AS language,
        count(*) FILTER (WHERE role = 'user' AND message <> '') AS of_user,
        count(*) FILTER (WHERE role = 'agent' AND message <> '') AS of_agent
    FROM turns
    GROUP BY conversation_id
) AS counted
WHERE id = counted.conversation_id;

UPDATE turns
SET reply = (data->>'turn')::integer
FROM events
WHERE events.conversation_id = turns.conversation_id AND events.sequence = turns.sequence AND kind = 'agent_turn';

-- Of each call once, whoever ends it: words of single turns would be searched by the million. A tsvector has at most a
-- megabyte.
CREATE FUNCTION note_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.words := to_tsvector('simple', (
        SELECT left(string_agg(message, ' ' ORDER BY sequence), 200000) FROM turns WHERE conversation_id = NEW.id
    ));
    RETURN NEW;
END
$$;

CREATE TRIGGER note_words BEFORE UPDATE OF status ON conversations
FOR EACH ROW WHEN (NEW.status <> 'in-progress') EXECUTE FUNCTION note_words();

UPDATE conversations SET status = status WHERE status <> 'in-progress';

CREATE INDEX events_but_audio ON events (conversation_id, sequence) WHERE kind <> 'audio';
CREATE INDEX events_by_tool ON events ((data->>'tool_name'), conversation_id) WHERE kind = 'tool_result';
CREATE INDEX events_by_transfer ON events ((data->>'agent_id'), conversation_id) WHERE kind = 'transfer';

DROP INDEX conversations_by_time, conversations_by_agent;
CREATE INDEX conversations_by_time ON conversations (started_at, id);
CREATE INDEX conversations_by_agent ON conversations (agent_id, started_at, id);
CREATE INDEX conversations_by_user ON conversations (user_id, started_at, id) WHERE user_id IS NOT NULL;
CREATE INDEX conversations_not_done ON conversations (status, started_at, id) WHERE status <> 'done';
CREATE INDEX conversations_by_end ON conversations (agent_id, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX conversations_by_language ON conversations (language, started_at, id);
CREATE INDEX conversations_by_reason ON conversations (termination_reason, started_at, id);
CREATE INDEX conversations_by_source ON conversations ((coalesce(source, 'unknown')), started_at, id);
CREATE INDEX conversations_by_duration ON conversations (duration_secs);
CREATE INDEX conversations_by_words ON conversations USING gin (words);
CREATE INDEX conversations_by_rating ON conversations (rating) WHERE rating IS NOT NULL;
CREATE INDEX conversations_commented ON conversations (started_at, id) WHERE comment IS NOT NULL;

-- A model may give two calls of a conversation the same id: a result is of the newest call before it.
CREATE VIEW tool_calls AS
SELECT call.conversation_id, call.sequence, call.at, (call.data->>'turn')::integer AS reply,
    call.data->>'tool_call_id' AS tool_call_id, call.data->>'tool_name' AS tool_name, call.data->>'type' AS type,
    call.data->>'params_as_json' AS params_as_json,
    (call.data->>'time_in_call_secs')::double precision AS time_in_call_secs,
    outcome.data->>'result' AS result, (outcome.data->>'is_error')::boolean AS is_error,
    (outcome.data->>'is_called')::boolean AS is_called,
    (outcome.data->>'latency_secs')::double precision AS latency_secs
FROM events AS call
LEFT JOIN LATERAL (
    SELECT data
    FROM events AS later
    WHERE later.conversation_id = call.conversation_id AND later.sequence > call.sequence
        AND later.kind = 'tool_result' AND later.data->>'tool_call_id' = call.data->>'tool_call_id'
    ORDER BY later.sequence
    LIMIT 1
) AS outcome ON true
WHERE call.kind = 'tool_call';

-- What the caller thinks of an answer: the last word on it counts, and null takes it back.
CREATE VIEW feedback AS
SELECT DISTINCT ON (conversation_id, event_id) conversation_id, event_id, at, score
FROM (
    SELECT conversation_id, (data->>'event_id')::integer AS event_id, sequence, at, data->>'score' AS score
    FROM events
    WHERE kind = 'feedback'
) AS given
ORDER BY conversation_id, event_id, sequence DESC;

-- A conversation that was deleted keeps its row here for some weeks, in an epoch that nobody can follow: what a journal
-- still holds of it is refused.
ALTER TABLE epochs ADD COLUMN deleted_at timestamptz;
CREATE INDEX epochs_deleted ON epochs (deleted_at) WHERE deleted_at IS NOT NULL;
