-- Where requests go, as it was said. What runs is compiled from it in each proxy.
create table routes (
    id uuid primary key,
    name text not null unique,
    is_default boolean not null,
    definition jsonb not null,
    revision bigint not null default 1 check (revision > 0),
    created_at timestamptz not null default now(),
    created_by text not null,
    updated_at timestamptz not null default now(),
    updated_by text not null
);

-- Two routes for all that nothing else takes would be one too many.
create unique index routes_default on routes (is_default) where is_default;

create trigger route_changed after insert or update or delete on routes
    for each statement execute function attestation_policy_changed();

-- The configured routes are written once. An operator who has removed them all does not get them back by a restart.
create table routes_seeded (
    only_row boolean primary key default true check (only_row),
    seeded_at timestamptz not null default now()
);
