create table users (
    id               uuid primary key,
    first_name       text not null,
    last_name        text not null,
    email            text not null,
    username         text not null,
    password_hash    text not null,
    tags             text[] not null default '{}',
    metadata         jsonb not null default '{}',
    private_metadata jsonb not null default '{}',
    status           text not null default 'enabled' check (status in ('enabled', 'disabled', 'deleted')),
    role             text not null default 'user' check (role in ('user', 'admin')),
    profile_picture  text not null default '',
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    updated_by       uuid,
    verified_at      timestamptz
);
create unique index users_email on users (lower(email));
create unique index users_username on users (lower(username));

-- One row a login. A family of refresh tokens has exactly one that is current; any other of the family that turns up was used twice.
create table sessions (
    id            uuid primary key,
    user_id       uuid not null references users (id) on delete cascade,
    description   text not null default '',
    current_token uuid not null,
    created_at    timestamptz not null,
    expires_at    timestamptz not null,
    revoked_at    timestamptz
);
create index sessions_of_user on sessions (user_id) where revoked_at is null;

-- Accounts are kept as a hash: what people type as a user name is at times a password.
create table login_failures (
    account  bytea not null,
    address  text not null,
    since    timestamptz not null,
    failures integer not null,
    primary key (account, address)
);

-- Private keys are PKCS #8, encrypted under a secret that is not in the database.
create table signing_keys (
    kid         text primary key,
    private_key bytea not null,
    created_at  timestamptz not null
);

create table domains (
    id         uuid primary key,
    name       text not null,
    route      text not null,
    tags       text[] not null default '{}',
    metadata   jsonb not null default '{}',
    status     text not null default 'enabled' check (status in ('enabled', 'disabled', 'freezed', 'deleted')),
    created_by uuid not null,
    created_at timestamptz not null,
    updated_by uuid,
    updated_at timestamptz not null
);
create unique index domains_route on domains (lower(route));

create table roles (
    id         text primary key,
    domain_id  uuid not null references domains (id) on delete cascade,
    name       text not null,
    created_by uuid not null,
    created_at timestamptz not null,
    unique (domain_id, name),
    unique (domain_id, id)
);

-- A member holds exactly one role in a domain.
create table role_members (
    domain_id uuid not null,
    user_id   uuid not null references users (id) on delete cascade,
    role_id   text not null,
    added_at  timestamptz not null,
    primary key (domain_id, user_id),
    foreign key (domain_id, role_id) references roles (domain_id, id) on delete cascade
);
create index role_members_of_user on role_members (user_id);
create index role_members_of_role on role_members (role_id);
