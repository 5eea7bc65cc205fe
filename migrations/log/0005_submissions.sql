-- Messages that came by the REST interface with a key for repetition or a place of their own for receipts. Written in
-- the commit of the message, deleted with it.
CREATE TABLE messaging.submissions (
    message_id BIGINT PRIMARY KEY,
    -- Who asked, and the key: keys of one mean nothing to another.
    idempotency_key TEXT,
    -- Number of the message in its request, from 0.
    item INTEGER NOT NULL,
    request_hash BYTEA NOT NULL,
    callback_url TEXT
);
CREATE UNIQUE INDEX submissions_key ON messaging.submissions (idempotency_key, item)
    WHERE idempotency_key IS NOT NULL;
