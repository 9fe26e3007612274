-- Roles with actions and models. Until now every role was a built-in one, and a domain had two of them.
alter table roles
    add column built_in   boolean not null default false,
    -- False where role_models names the models that the role may use.
    add column all_models boolean not null default true,
    add column updated_by uuid,
    add column updated_at timestamptz;
update roles set built_in = true;
insert into roles (id, domain_id, name, created_by, created_at, built_in)
select 'domain_' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 16), d.id, 'auditor', d.created_by, d.created_at, true from domains d;

create table role_actions (
    role_id   text not null,
    domain_id uuid not null,
    action    text not null,
    primary key (role_id, action),
    foreign key (domain_id, role_id) references roles (domain_id, id) on delete cascade
);

create table role_models (
    role_id   text not null,
    domain_id uuid not null,
    model     text not null,
    primary key (role_id, model),
    foreign key (domain_id, role_id) references roles (domain_id, id) on delete cascade
);

-- One row for each person and domain, the last invitation.
create table invitations (
    domain_id       uuid not null references domains (id) on delete cascade,
    invitee_user_id uuid not null references users (id) on delete cascade,
    invited_by      uuid not null,
    role_id         text not null,
    created_at      timestamptz not null,
    expires_at      timestamptz not null,
    updated_at      timestamptz,
    confirmed_at    timestamptz,
    rejected_at     timestamptz,
    primary key (domain_id, invitee_user_id),
    foreign key (domain_id, role_id) references roles (domain_id, id) on delete cascade
);
create index invitations_of_user on invitations (invitee_user_id);

-- Personal access tokens. The secret is 256 random bits, so that a plain hash keeps it.
create table pats (
    id           uuid primary key,
    user_id      uuid not null references users (id) on delete cascade,
    name         text not null,
    description  text not null default '',
    secret_hash  bytea not null unique,
    issued_at    timestamptz not null,
    expires_at   timestamptz not null,
    updated_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
create index pats_of_user on pats (user_id);

create table pat_scopes (
    id          uuid primary key,
    pat_id      uuid not null references pats (id) on delete cascade,
    domain_id   uuid not null references domains (id) on delete cascade,
    entity_type text not null check (entity_type in ('models', 'domains')),
    entity_id   text not null,
    operation   text not null,
    unique (pat_id, domain_id, entity_type, entity_id, operation)
);

-- What was sent by mail, as a hash: good once and for a while.
create table mail_tokens (
    token_hash bytea primary key,
    user_id    uuid not null references users (id) on delete cascade,
    purpose    text not null check (purpose in ('verify', 'recover')),
    email      text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index mail_tokens_of_user on mail_tokens (user_id, purpose);

alter table users
    add column password_changed_at timestamptz,
    add column deleted_at          timestamptz;
-- Who is gone keeps neither name nor address from others.
drop index users_email;
drop index users_username;
create unique index users_email on users (lower(email)) where status <> 'deleted';
create unique index users_username on users (lower(username)) where status <> 'deleted';
drop index domains_route;
create unique index domains_route on domains (lower(route)) where status <> 'deleted';

-- Relationships ------------------------------------------------------------------------------------------------------------------
-- The tables above say what is so; the authorization engine holds relationships that are derived from them. Which, is told here, once:
-- relations_of(row) for each table. Triggers stage the difference of every change in the outbox, in the transaction of the change,
-- and the view `relations` is what the engine must hold when the outbox is empty. (The functions are not declared immutable: PostgreSQL 15
-- would inline them into the view and then fail to plan it.)

create type relation as (
    object_type text, object_id text, relation text, subject_type text, subject_id text, subject_relation text
);

create function relations_of(u users) returns setof relation language sql as $$
    select 'platform', 'cube', 'administrator', 'user', u.id::text, '' where u.role = 'admin' and u.status = 'enabled'
$$;

create function relations_of(d domains) returns setof relation language sql as $$
    select 'domain', d.id::text, 'organization', 'platform', 'cube', '' where d.status <> 'deleted'
$$;

create function relations_of(r roles) returns setof relation language sql as $$
    select 'role', r.id, 'entity', 'domain', r.domain_id::text, ''
    union all
    select 'role', r.id, 'built_in_role', 'domain', r.domain_id::text, '' where r.built_in
    union all
    select 'domain', r.domain_id::text, 'model_user', 'role', r.id, 'member' where r.all_models
$$;

create function relations_of(a role_actions) returns setof relation language sql as $$
    select 'domain', a.domain_id::text, a.action, 'role', a.role_id, 'member'
$$;

-- Ids of objects allow neither : nor . nor blanks: base64url without padding.
create function model_object(domain_id uuid, model text) returns text language sql immutable as $$
    select domain_id::text || '/' || rtrim(translate(encode(convert_to(model, 'UTF8'), 'base64'), E'+/\n', '-_'), '=')
$$;

create function relations_of(m role_models) returns setof relation language sql as $$
    select 'model', model_object(m.domain_id, m.model), 'user', 'role', m.role_id, 'member'
$$;

create function relations_of(m role_members) returns setof relation language sql as $$
    select 'role', m.role_id, 'member', 'user', m.user_id::text, ''
$$;

create function relations_of(s pat_scopes) returns setof relation language sql as $$
    select 'token', s.pat_id::text,
           case when s.operation <> '*' then s.operation when s.entity_type = 'models' then 'llm_any' else 'domain_any' end,
           case when s.entity_type = 'models' and s.entity_id <> '*' then 'model' else 'domain' end,
           case when s.entity_type = 'models' and s.entity_id <> '*' then model_object(s.domain_id, s.entity_id) else s.domain_id::text end,
           ''
$$;

create view relations as
    select r.* from users t, relations_of(t) r
    union select r.* from domains t, relations_of(t) r
    union select r.* from roles t, relations_of(t) r
    union select r.* from role_actions t, relations_of(t) r
    union select r.* from role_models t, relations_of(t) r
    union select r.* from role_members t, relations_of(t) r
    union select r.* from pat_scopes t, relations_of(t) r;

-- Work that follows from a commit, in order: relationships for the engine, and notices for the proxies ('domain:<id>', 'user:<id>').
create table outbox (
    id        bigint generated always as identity primary key,
    operation text check (operation in ('touch', 'delete')),
    relation  relation,
    notice    text
);

create function stage_relations() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        execute 'insert into outbox (operation, relation) select ''delete'', r from relations_of($1) r' using old;
    end if;
    if tg_op <> 'DELETE' then
        execute 'insert into outbox (operation, relation) select ''touch'', r from relations_of($1) r' using new;
    end if;
    return null;
end $$;

create trigger relations_of_users after insert or delete or update of role, status on users for each row execute function stage_relations();
create trigger relations_of_domains after insert or delete or update of status on domains for each row execute function stage_relations();
create trigger relations_of_roles after insert or delete or update of all_models on roles for each row execute function stage_relations();
create trigger relations_of_role_actions after insert or delete or update on role_actions for each row execute function stage_relations();
create trigger relations_of_role_models after insert or delete or update on role_models for each row execute function stage_relations();
create trigger relations_of_role_members after insert or delete or update on role_members for each row execute function stage_relations();
create trigger relations_of_pat_scopes after insert or delete or update on pat_scopes for each row execute function stage_relations();

-- What was decided about this domain or this user is to be asked again. Arguments: kind, and the column with the id.
create function stage_notice() returns trigger language plpgsql as $$
begin
    insert into outbox (notice) values (tg_argv[0] || ':' || (coalesce(to_jsonb(new), to_jsonb(old)) ->> tg_argv[1]));
    return null;
end $$;

create trigger notice_of_users after delete or update of role, status on users for each row execute function stage_notice('user', 'id');
create trigger notice_of_sessions after delete or update of revoked_at on sessions for each row execute function stage_notice('user', 'user_id');
create trigger notice_of_pats after delete or update of secret_hash, expires_at, revoked_at on pats for each row execute function stage_notice('user', 'user_id');
create trigger notice_of_domains after delete or update of status on domains for each row execute function stage_notice('domain', 'id');
create trigger notice_of_roles after delete or update of all_models on roles for each row execute function stage_notice('domain', 'domain_id');
create trigger notice_of_role_actions after insert or delete or update on role_actions for each row execute function stage_notice('domain', 'domain_id');
create trigger notice_of_role_models after insert or delete or update on role_models for each row execute function stage_notice('domain', 'domain_id');
create trigger notice_of_role_members after insert or delete or update on role_members for each row execute function stage_notice('domain', 'domain_id');
create trigger notice_of_pat_scopes after insert or delete or update on pat_scopes for each row execute function stage_notice('domain', 'domain_id');

-- Administrative audit -----------------------------------------------------------------------------------------------------------
-- Every change of users, domains, roles, invitations and tokens, by whichever way it came: who, what, before and after, without secrets.

create table events (
    id          uuid primary key default gen_random_uuid(),
    occurred_at timestamptz not null,
    -- Null where Cube itself or the operator of the database made the change.
    actor_id    uuid,
    -- The access token that the actor used, where it was a personal one.
    token_id    uuid,
    trace_id    text,
    operation   text not null,
    entity_type text not null,
    entity_id   text not null,
    domain_id   uuid,
    -- The user whose account or token it is, where it is one's.
    user_id     uuid,
    before      jsonb,
    after       jsonb
);
create index events_of_domain on events (domain_id, occurred_at desc);
create index events_of_user on events (user_id, occurred_at desc);
create index events_by_time on events (occurred_at desc);

-- Arguments: what the table's rows are, the column with their id, the columns that are nobody's business.
create function record_event() returns trigger language plpgsql as $$
declare
    hidden text[] := string_to_array(tg_argv[2], ' ');
    earlier jsonb := to_jsonb(old) - hidden;
    later   jsonb := to_jsonb(new) - hidden;
    entity  jsonb := coalesce(later, earlier);
begin
    if earlier is distinct from later then
        insert into events (occurred_at, actor_id, token_id, trace_id, operation, entity_type, entity_id, domain_id, user_id, before, after)
        values (clock_timestamp(),
                nullif(current_setting('cube.actor', true), '')::uuid,
                nullif(current_setting('cube.token', true), '')::uuid,
                nullif(current_setting('cube.trace', true), ''),
                tg_argv[0] || '.' || case tg_op when 'INSERT' then 'create' when 'UPDATE' then 'update' else 'delete' end,
                tg_argv[0],
                entity ->> tg_argv[1],
                case tg_argv[0] when 'domain' then entity ->> 'id' else entity ->> 'domain_id' end::uuid,
                case tg_argv[0] when 'user' then entity ->> 'id' else coalesce(entity ->> 'user_id', entity ->> 'invitee_user_id') end::uuid,
                earlier, later);
    end if;
    return null;
end $$;

create trigger event_of_users after insert or update or delete on users for each row
    execute function record_event('user', 'id', 'password_hash private_metadata');
create trigger event_of_sessions after insert or update or delete on sessions for each row
    execute function record_event('session', 'id', 'current_token expires_at');
create trigger event_of_domains after insert or update or delete on domains for each row execute function record_event('domain', 'id', '');
create trigger event_of_roles after insert or update or delete on roles for each row execute function record_event('role', 'id', '');
create trigger event_of_role_actions after insert or update or delete on role_actions for each row execute function record_event('role_action', 'role_id', '');
create trigger event_of_role_models after insert or update or delete on role_models for each row execute function record_event('role_model', 'role_id', '');
create trigger event_of_role_members after insert or update or delete on role_members for each row execute function record_event('role_member', 'role_id', '');
create trigger event_of_invitations after insert or update or delete on invitations for each row
    execute function record_event('invitation', 'invitee_user_id', '');
create trigger event_of_pats after insert or update or delete on pats for each row execute function record_event('pat', 'id', 'secret_hash last_used_at');
create trigger event_of_pat_scopes after insert or update or delete on pat_scopes for each row execute function record_event('pat_scope', 'pat_id', '');

-- The embedded engine ------------------------------------------------------------------------------------------------------------
-- Store 0 is Cube's own; others are for whoever tries the engine out.
create table relation_schemas (
    store  smallint primary key,
    schema text not null
);

create table relation_tuples (
    store            smallint not null,
    object_type      text not null,
    object_id        text not null,
    relation         text not null,
    subject_type     text not null,
    subject_id       text not null,
    subject_relation text not null,
    primary key (store, object_type, object_id, relation, subject_type, subject_id, subject_relation)
);
