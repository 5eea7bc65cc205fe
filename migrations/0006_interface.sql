-- What the REST interface keeps beside the configuration: balances and notes of customers, who may do what, what was
-- done by whom.

-- Money is nano-units. tier: premium customers have addresses of their own.
ALTER TABLE accounts.customers ADD COLUMN credit_limit BIGINT NOT NULL DEFAULT 0 CHECK (credit_limit >= 0);
ALTER TABLE accounts.customers ADD COLUMN current_balance BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts.customers ADD COLUMN currency TEXT NOT NULL DEFAULT 'USD';
ALTER TABLE accounts.customers ADD COLUMN tier TEXT NOT NULL DEFAULT 'STANDARD' CHECK (tier IN ('STANDARD', 'PREMIUM'));
ALTER TABLE accounts.customers ADD COLUMN hubspot_company_id TEXT;

CREATE TABLE accounts.customer_notes (
    id UUID PRIMARY KEY,
    customer_id UUID NOT NULL REFERENCES accounts.customers (id),
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX customer_notes_customer ON accounts.customer_notes (customer_id, created_at);

CREATE INDEX trunk_groups_customer ON accounts.trunk_groups (customer_id);
CREATE INDEX esme_accounts_customer ON messaging.esme_accounts (customer_id);
CREATE INDEX dids_customer ON voice.dids (customer_id);
CREATE INDEX dids_trunk ON voice.dids (trunk_id);
CREATE INDEX dids_account ON voice.dids (esme_account_id);
CREATE INDEX vendor_rates_vendor ON voice.vendor_rates (vendor_id, partition_id, prefix);

-- Why a source stands in a trunk's list, for people.
ALTER TABLE accounts.trunk_ips ADD COLUMN note TEXT NOT NULL DEFAULT '';

-- Where receipts and messages of an ESME account are posted to. secret_sealed: what signs them, sealed for the account.
CREATE TABLE messaging.webhooks (
    account_id UUID PRIMARY KEY REFERENCES messaging.esme_accounts (id),
    url TEXT NOT NULL,
    secret_sealed BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- At which version of the configuration each part of it changed last (a bit each): nodes read again what changed. Parts:
-- 1 customers, 2 ACL, 4 rates, 8 numbers, 16 ESME accounts, 32 routes of messages, 64 all else.
CREATE TABLE accounts.config_parts (
    part BIGINT PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO accounts.config_parts (part, version) VALUES (1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (32, 0), (64, 0);

CREATE TABLE auth.permission_metadata (
    permission TEXT PRIMARY KEY,
    resource TEXT NOT NULL,
    action TEXT NOT NULL,
    description TEXT NOT NULL
);

CREATE TABLE auth.user_types (
    name TEXT PRIMARY KEY,
    -- True: sees every customer that no row of user_customer_access narrows it to, and the platform itself.
    operator BOOLEAN NOT NULL,
    description TEXT NOT NULL
);
INSERT INTO auth.user_types (name, operator, description) VALUES
    ('superAdmin', TRUE, 'Everything, other administrators among it'),
    ('admin', TRUE, 'Runs the platform and its customers'),
    ('user', FALSE, 'A customer''s own user');

-- superAdmin has no rows: it may do everything.
CREATE TABLE auth.user_type_permissions (
    user_type TEXT NOT NULL REFERENCES auth.user_types (name),
    permission TEXT NOT NULL,
    PRIMARY KEY (user_type, permission)
);

INSERT INTO auth.permission_metadata (permission, resource, action, description) VALUES
    ('accounts:manage', 'accounts', 'manage', 'Make, change and delete ESME accounts'),
    ('accounts:read', 'accounts', 'read', 'See ESME accounts'),
    ('actors:manage', 'actors', 'manage', 'Restart and drain actors'),
    ('actors:read', 'actors', 'read', 'See the tree of actors'),
    ('api_keys:manage', 'api_keys', 'manage', 'Make and revoke API keys'),
    ('api_keys:read', 'api_keys', 'read', 'See API keys'),
    ('audit:read', 'audit', 'read', 'See who changed what'),
    ('calls:manage', 'calls', 'manage', 'End calls'),
    ('calls:read', 'calls', 'read', 'See calls and their records'),
    ('crm:manage', 'crm', 'manage', 'Synchronise with the CRM'),
    ('crm:read', 'crm', 'read', 'See the state of the CRM''s synchronisation'),
    ('customers:manage', 'customers', 'manage', 'Make and change customers'),
    ('customers:read', 'customers', 'read', 'See customers'),
    ('dashboard:read', 'dashboard', 'read', 'See the dashboard'),
    ('dids:manage', 'dids', 'manage', 'Stock, assign and release numbers'),
    ('dids:read', 'dids', 'read', 'See numbers'),
    ('explain:read', 'explain', 'read', 'Ask where a call or message would go'),
    ('messages:read', 'messages', 'read', 'See messages and their records'),
    ('messages:send', 'messages', 'send', 'Send messages'),
    ('network:read', 'network', 'read', 'See addresses that peers must allow'),
    ('partitions:manage', 'partitions', 'manage', 'Change partitions and their vendors'),
    ('partitions:read', 'partitions', 'read', 'See partitions and their vendors'),
    ('routes:manage', 'routes', 'manage', 'Change routes of messages'),
    ('routes:read', 'routes', 'read', 'See routes of messages'),
    ('smpp:manage', 'smpp', 'manage', 'Close SMPP sessions, reconnect vendors'),
    ('smpp:read', 'smpp', 'read', 'See SMPP sessions and vendors'' binds'),
    ('trunks:manage', 'trunks', 'manage', 'Make, change and delete trunks and dedicated addresses'),
    ('trunks:read', 'trunks', 'read', 'See trunks and their sources'),
    ('trunks:write', 'trunks', 'write', 'Change the sources of trunks'),
    ('users:manage', 'users', 'manage', 'Invite users, change what they may do'),
    ('users:read', 'users', 'read', 'See users and what they may do'),
    ('vendors:manage', 'vendors', 'manage', 'Change vendors and rates'),
    ('vendors:read', 'vendors', 'read', 'See vendors and rates'),
    ('webhooks:manage', 'webhooks', 'manage', 'Say where receipts and messages are posted to'),
    ('webhooks:read', 'webhooks', 'read', 'See where receipts and messages are posted to');
INSERT INTO auth.user_type_permissions (user_type, permission)
SELECT 'admin', permission FROM auth.permission_metadata;
INSERT INTO auth.user_type_permissions (user_type, permission) VALUES
    ('user', 'accounts:read'),
    ('user', 'api_keys:manage'),
    ('user', 'api_keys:read'),
    ('user', 'calls:read'),
    ('user', 'customers:read'),
    ('user', 'dashboard:read'),
    ('user', 'dids:read'),
    ('user', 'messages:read'),
    ('user', 'messages:send'),
    ('user', 'network:read'),
    ('user', 'trunks:read'),
    ('user', 'trunks:write'),
    ('user', 'webhooks:manage'),
    ('user', 'webhooks:read');

CREATE TABLE auth.users (
    id UUID PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    user_type TEXT NOT NULL REFERENCES auth.user_types (name),
    active BOOLEAN NOT NULL,
    password_hash TEXT,
    google_subject TEXT UNIQUE,
    last_login_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- permissions: what the user may do for this customer; an empty list is what its type may.
CREATE TABLE auth.user_customer_access (
    user_id UUID NOT NULL REFERENCES auth.users (id),
    customer_id UUID NOT NULL REFERENCES accounts.customers (id),
    permissions JSONB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (user_id, customer_id)
);

CREATE TABLE auth.invitations (
    id UUID PRIMARY KEY,
    email TEXT NOT NULL,
    user_type TEXT NOT NULL REFERENCES auth.user_types (name),
    customer_id UUID REFERENCES accounts.customers (id),
    token_hash BYTEA NOT NULL UNIQUE,
    invited_by TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    sent_at TIMESTAMPTZ,
    accepted_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL
);
-- One at a time for an address.
CREATE UNIQUE INDEX invitations_open ON auth.invitations (email) WHERE accepted_at IS NULL;

-- One row per login. refresh_hash is of the token that is good now; one that comes again after it was exchanged ends
-- the session: somebody has a copy.
CREATE TABLE auth.sessions (
    id UUID PRIMARY KEY,
    user_id UUID NOT NULL REFERENCES auth.users (id),
    refresh_hash BYTEA NOT NULL UNIQUE,
    used_hash BYTEA,
    address TEXT NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    revoked_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX sessions_user ON auth.sessions (user_id);
CREATE INDEX sessions_used ON auth.sessions (used_hash);

-- customer_id NULL: a key of the platform.
CREATE TABLE auth.api_keys (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL UNIQUE,
    key_hash BYTEA NOT NULL UNIQUE,
    customer_id UUID REFERENCES accounts.customers (id),
    permissions JSONB NOT NULL,
    addresses JSONB NOT NULL,
    expires_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ,
    created_by TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX api_keys_customer ON auth.api_keys (customer_id);

-- Ed25519 keys of access tokens, sealed under the root key.
CREATE TABLE auth.signing_keys (
    id UUID PRIMARY KEY,
    kid TEXT NOT NULL UNIQUE,
    key_sealed BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

-- Raised by every change of users, access, keys and sessions; nodes that see it forget the tokens they know.
CREATE TABLE auth.version (
    id SMALLINT PRIMARY KEY CHECK (id = 1),
    version BIGINT NOT NULL
);
INSERT INTO auth.version (id, version) VALUES (1, 0);

-- Every write by the interface. before and after are what the interface shows, without secrets.
CREATE TABLE auth.audit (
    id UUID PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL,
    principal TEXT NOT NULL,
    address TEXT NOT NULL,
    request_id TEXT NOT NULL,
    action TEXT NOT NULL,
    resource TEXT NOT NULL,
    customer_id UUID,
    state_before JSONB,
    state_after JSONB
);
CREATE INDEX audit_customer ON auth.audit (customer_id, id);

-- Answers to requests with an Idempotency-Key, for a day.
CREATE TABLE auth.idempotency_keys (
    principal TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    status SMALLINT NOT NULL,
    location TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_age ON auth.idempotency_keys (created_at);
