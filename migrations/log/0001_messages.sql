-- One row per message and, once it is final, its MDR. The id carries the time of acceptance in its high
-- bits, so rows are appended in order and retention begins with the oldest. Times are Unix microseconds: this is
-- the hot table, and a TIMESTAMPTZ is 32 octets of text on SQLite.
-- state: 0 scheduled, 1 queued, 2 submitted, 3 uncertain, 4 enroute, 5 split;
-- from 10 on final: 10 delivered, 11 expired, 12 deleted, 13 undeliverable, 14 accepted, 15 unknown, 16 rejected.
CREATE TABLE messaging.messages (
    id BIGINT PRIMARY KEY,
    direction SMALLINT NOT NULL,
    state SMALLINT NOT NULL,
    customer_id UUID NOT NULL,
    account_id UUID NOT NULL,
    parent_id BIGINT,
    part SMALLINT NOT NULL,
    answered_as BIGINT,
    segments SMALLINT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    alphabet SMALLINT NOT NULL,
    registered_delivery SMALLINT NOT NULL,
    priority SMALLINT NOT NULL,
    accepted_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    hold BIGINT NOT NULL,
    vendor_id UUID,
    route_id UUID,
    uncertain SMALLINT NOT NULL,
    attempts SMALLINT NOT NULL,
    submitted_at BIGINT,
    done_at BIGINT,
    deadline BIGINT,
    vendor_message_id TEXT,
    dlr_hash BIGINT,
    command_status BIGINT,
    error TEXT,
    frame BYTEA NOT NULL
);

-- What lives, by what is asked of it. A start pages through queued, submitted, uncertain and split messages by
-- id, a cancellation through scheduled ones; the sweep looks for the earliest deadline of all but submitted ones.
-- Each index has only the states that it is asked for, so that a message on its usual way (submitted, enroute,
-- final) stands in one of them at a time: two indexes cost no more than one over both. Comparisons, because SQLite
-- makes a table of an IN list in every statement that writes.
CREATE INDEX messages_live ON messaging.messages (state, id) WHERE state <> 4 AND state < 10;
CREATE INDEX messages_due ON messaging.messages (state, deadline) WHERE state <> 2 AND state < 10;
-- Receipts find their message here until it is final.
CREATE INDEX messages_dlr ON messaging.messages (dlr_hash) WHERE dlr_hash IS NOT NULL;
CREATE INDEX messages_parent ON messaging.messages (parent_id, part) WHERE parent_id IS NOT NULL;

-- Every deliver_sm owed to a customer, deleted when the customer has acknowledged it. Rows that memory does
-- not hold are marked spilled; at start all are.
CREATE TABLE messaging.outbox (
    id BIGINT PRIMARY KEY,
    account_id UUID NOT NULL,
    message_id BIGINT NOT NULL,
    kind SMALLINT NOT NULL,
    spilled BOOLEAN NOT NULL,
    expires_at BIGINT NOT NULL,
    body BYTEA NOT NULL
);
CREATE INDEX outbox_spilled ON messaging.outbox (account_id, id) WHERE spilled;
-- Retention. What memory holds is not in it and costs nothing: its session gives it up when it has expired.
CREATE INDEX outbox_expiry ON messaging.outbox (expires_at) WHERE spilled;

-- Receipts that matched no message yet. After the last try they stay as orphans until retention.
CREATE TABLE messaging.parked_receipts (
    id BIGINT PRIMARY KEY,
    vendor_id UUID NOT NULL,
    received_at BIGINT NOT NULL,
    orphan BOOLEAN NOT NULL,
    body BYTEA NOT NULL
);

CREATE VIEW messaging.mdrs_recent AS
SELECT id, answered_as, direction, state, customer_id, account_id, source, destination, segments, vendor_id, route_id,
       attempts, accepted_at, submitted_at, done_at, vendor_message_id, command_status, error
FROM messaging.messages
WHERE state >= 10 AND parent_id IS NULL;
