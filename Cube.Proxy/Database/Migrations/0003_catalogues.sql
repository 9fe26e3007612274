-- The models that a domain offers to its members, under its own names. A domain without a row offers all that its machines have.
create sequence model_catalogues_revision;

create table model_catalogues (
    domain uuid primary key,
    models jsonb not null,
    revision bigint not null default nextval('model_catalogues_revision'),
    updated_at timestamptz not null default now(),
    updated_by text not null
);

create trigger model_catalogue_changed after insert or update or delete on model_catalogues
    for each statement execute function attestation_policy_changed();
