-- Keys that seal the routing truth of calls. A key outlives the longest call that it has sealed.
CREATE TABLE voice.cookie_keys (
    id UUID PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE CHECK (number BETWEEN 0 AND 15),
    key_sealed BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
