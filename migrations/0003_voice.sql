-- The last number given to an entity of each kind. The numbers stand in sealed cookies and in call records, so
-- none is given twice, also not when its entity is gone.
CREATE TABLE voice.numbering (
    kind TEXT PRIMARY KEY CHECK (kind IN ('trunk', 'vendor', 'partition')),
    last_number BIGINT NOT NULL CHECK (last_number BETWEEN 0 AND 4294967295)
);
INSERT INTO voice.numbering (kind, last_number) VALUES ('trunk', 0), ('vendor', 0), ('partition', 0);

CREATE TABLE voice.partitions (
    id UUID PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- Times of a vendor and a trunk are milliseconds.
CREATE TABLE voice.vendors (
    id UUID PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL CHECK (status IN ('ACTIVE', 'DRAINED', 'DISABLED')),
    gateways JSONB NOT NULL,
    networks JSONB NOT NULL,
    cps BIGINT NOT NULL CHECK (cps BETWEEN 0 AND 4294967295),
    channels BIGINT NOT NULL CHECK (channels BETWEEN 0 AND 4294967295),
    priority BIGINT NOT NULL,
    weight BIGINT NOT NULL CHECK (weight BETWEEN 0 AND 10000),
    pdd_timeout BIGINT NOT NULL CHECK (pdd_timeout > 0),
    ring_timeout BIGINT NOT NULL CHECK (ring_timeout > 0),
    failover_statuses JSONB NOT NULL,
    failover_after_early_media BOOLEAN NOT NULL,
    probe_interval BIGINT NOT NULL CHECK (probe_interval >= 0),
    oversize TEXT NOT NULL CHECK (oversize IN ('tcp', 'fragment')),
    callee_rules JSONB NOT NULL,
    caller_rules JSONB NOT NULL,
    header_rules JSONB NOT NULL,
    trusted BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE voice.vendor_rates (
    id UUID PRIMARY KEY,
    partition_id UUID NOT NULL REFERENCES voice.partitions (id),
    prefix TEXT NOT NULL,
    vendor_id UUID NOT NULL REFERENCES voice.vendors (id),
    rate BIGINT NOT NULL CHECK (rate >= 0),
    priority BIGINT NOT NULL,
    weight BIGINT NOT NULL CHECK (weight BETWEEN 0 AND 10000),
    blocked BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    UNIQUE (partition_id, prefix, vendor_id)
);

-- Destinations that are closed to trunks that have not opened them.
CREATE TABLE voice.high_cost (
    prefix TEXT PRIMARY KEY
);

CREATE TABLE accounts.trunk_groups (
    id UUID PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    customer_id UUID NOT NULL REFERENCES accounts.customers (id),
    auth_type TEXT NOT NULL CHECK (auth_type IN ('IP_ACL', 'DIGEST', 'BOTH')),
    active BOOLEAN NOT NULL,
    cps BIGINT NOT NULL CHECK (cps BETWEEN 0 AND 4294967295),
    channels BIGINT NOT NULL CHECK (channels BETWEEN 0 AND 4294967295),
    partition_id UUID REFERENCES voice.partitions (id),
    allow_prefixes JSONB NOT NULL,
    deny_prefixes JSONB NOT NULL,
    opened_prefixes JSONB NOT NULL,
    rate_max BIGINT CHECK (rate_max >= 0),
    trusted BOOLEAN NOT NULL,
    max_duration BIGINT NOT NULL CHECK (max_duration >= 0),
    callee_rules JSONB NOT NULL,
    caller_rules JSONB NOT NULL,
    header_rules JSONB NOT NULL,
    gateways JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- Sources of trunks. lo and hi are the first and the last address, 4 or 16 octets; port 0 and transport '' are any.
CREATE TABLE accounts.trunk_ips (
    id UUID PRIMARY KEY,
    trunk_group_id UUID NOT NULL REFERENCES accounts.trunk_groups (id),
    network TEXT NOT NULL,
    lo BYTEA NOT NULL,
    hi BYTEA NOT NULL,
    port BIGINT NOT NULL CHECK (port BETWEEN 0 AND 65535),
    transport TEXT NOT NULL CHECK (transport IN ('', 'udp', 'tcp', 'tls')),
    created_at TIMESTAMPTZ NOT NULL,
    UNIQUE (lo, hi, port, transport)
);
CREATE INDEX trunk_ips_trunk ON accounts.trunk_ips (trunk_group_id);

CREATE TABLE accounts.customer_dedicated_ips (
    id UUID PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,
    customer_id UUID NOT NULL REFERENCES accounts.customers (id),
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

ALTER TABLE voice.dids ADD COLUMN trunk_id UUID REFERENCES accounts.trunk_groups (id);
