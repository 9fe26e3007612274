-- What machines must prove, by scope: 'platform', or the id of a domain. A version is staged when it is written, and in force when it is activated.
create table attestation_policies (
    scope text not null,
    version integer not null check (version > 0),
    policy text not null,
    created_at timestamptz not null default now(),
    created_by text not null,
    activated_at timestamptz,
    activated_by text,
    is_active boolean not null default false,
    primary key (scope, version),
    check (not is_active or activated_at is not null)
);

create unique index attestation_policies_active on attestation_policies (scope) where is_active;

-- Every proxy listens here, and reads the versions in force once a second besides.
create function attestation_policy_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('cube_attestation', 'policies');
    return null;
end
$$;

create trigger attestation_policy_changed after insert or update or delete on attestation_policies
    for each statement execute function attestation_policy_changed();

-- Evidence is kept once, under its SHA-256, for as long as a verdict names it.
create table attestation_evidence (
    sha256 text primary key,
    evidence bytea not null,
    kept_at timestamptz not null default now()
);

create table attestation_verdicts (
    id bigint generated always as identity primary key,
    evaluated_at timestamptz not null,
    outcome text not null,
    code text,
    backend text not null,
    policy_id text,
    policy_version integer,
    evidence_sha256 text not null,
    verdict jsonb not null
);

create index attestation_verdicts_evaluated_at on attestation_verdicts (evaluated_at);
create index attestation_verdicts_evidence on attestation_verdicts (evidence_sha256);
create index attestation_evidence_kept_at on attestation_evidence (kept_at);

-- Collateral of the vendors, so that a restart needs none of them: signed by them, and used until its own end.
create table attestation_collateral (
    name text primary key,
    content bytea not null,
    fetched_at timestamptz not null,
    next_update timestamptz
);
