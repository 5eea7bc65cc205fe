-- Media: RTPEngine nodes, and what is done with the media of calls by trunk and by vendor.

-- number stands in the cookies of calls, one octet. address is that of the ng protocol: an IP address and a port.
CREATE TABLE voice.media_nodes (
    id UUID PRIMARY KEY,
    number SMALLINT NOT NULL UNIQUE CHECK (number BETWEEN 1 AND 255),
    name TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL UNIQUE,
    weight BIGINT NOT NULL CHECK (weight BETWEEN 0 AND 10000),
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'DRAINING', 'DISABLED')),
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

-- A profile is one object; what it does not say is the default.
ALTER TABLE accounts.trunk_groups ADD COLUMN media JSONB NOT NULL DEFAULT '{}';
ALTER TABLE voice.vendors ADD COLUMN media JSONB NOT NULL DEFAULT '{}';

-- One more part of the configuration: 128 media nodes.
INSERT INTO accounts.config_parts (part, version) VALUES (128, 0);

INSERT INTO auth.permission_metadata (permission, resource, action, description) VALUES
    ('media:manage', 'media', 'manage', 'Make, change and delete media nodes'),
    ('media:read', 'media', 'read', 'See media nodes');
INSERT INTO auth.user_type_permissions (user_type, permission) VALUES
    ('admin', 'media:manage'),
    ('admin', 'media:read');
