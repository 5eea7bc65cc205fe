-- Where trunks that register are reached (RFC 3261, 10; RFC 3327). One that was taken back is a row that has expired,
-- for a day: so other nodes see that it went. A row names no trunk by reference: it goes by its time, whatever became
-- of that.
-- path is a Route; q is in thousandths; listener is the place of an address in the configuration of the node, version
-- that of the change that wrote the row.
CREATE TABLE voice.registrations (
    id UUID PRIMARY KEY,
    trunk_id UUID NOT NULL,
    contact TEXT NOT NULL,
    path TEXT NOT NULL,
    q BIGINT NOT NULL CHECK (q BETWEEN 0 AND 1000),
    call_id TEXT NOT NULL,
    cseq BIGINT NOT NULL,
    source TEXT NOT NULL,
    transport TEXT NOT NULL CHECK (transport IN ('udp', 'tcp', 'tls')),
    node BIGINT NOT NULL,
    listener BIGINT NOT NULL,
    user_agent TEXT NOT NULL,
    registered_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    version BIGINT NOT NULL
);
CREATE INDEX registrations_trunk ON voice.registrations (trunk_id, id);
CREATE INDEX registrations_version ON voice.registrations (version, id);
CREATE INDEX registrations_expires ON voice.registrations (expires_at);

-- One row. Every change of registrations raises it first, so that they come one after the other, and nodes read those
-- that came since.
CREATE TABLE voice.registration_version (
    id SMALLINT PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL
);
INSERT INTO voice.registration_version (id, version) VALUES (1, 0);
