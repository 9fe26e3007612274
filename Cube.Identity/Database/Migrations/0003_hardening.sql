-- Deleted domains ------------------------------------------------------------------------------------------------------------------
-- A deleted domain keeps one relationship, domain:<id>#deleted@platform:cube, which says that its id is never used again. Proxies remove what
-- they store for a domain only on this explicit statement, never because relationships are missing: an authorization engine that lost
-- its store would otherwise delete the data of every domain.
create or replace function relations_of(d domains) returns setof relation language sql as $$
    select 'domain', d.id::text, case d.status when 'deleted' then 'deleted' else 'organization' end, 'platform', 'cube', ''
$$;

-- The notice 'deleted:<id>' follows the deletion in the outbox, after the relationships of the same transaction.
create function stage_deletion() returns trigger language plpgsql as $$
begin
    insert into outbox (notice) values ('deleted:' || new.id::text);
    return null;
end $$;

create trigger notice_of_deleted_domains after update of status on domains for each row
    when (new.status = 'deleted' and old.status <> 'deleted') execute function stage_deletion();
