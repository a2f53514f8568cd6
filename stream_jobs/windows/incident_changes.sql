-- The revisions of incidents, each beside the highest that has been seen of its incident.
create temporary view incident_revisions as
with arrived as (
    select
        incident_id,
        source,
        revision,
        op as what,
        kind,
        category,
        coalesce(area, 'unknown') as area,
        occurred_local,
        occurred_at,
        deleted,
        late,
        observed_at,
        proctime() as arrived_at
    from incidents
)

select
    *,
    max(revision) over (partition by incident_id order by arrived_at) as newest
from arrived;

-- Each time an incident becomes another one, with what it was before. An older revision that comes late never gets into
-- the memory of what was before; a repeat changes nothing there and is left out after it. So what is built on this is
-- restated exactly when the truth changes.
create temporary view incident_changes as
with changed as (
    select
        *,
        lag(
            cast(
                row(kind, category, area, occurred_local, deleted, late, revision)
                as row <
                    kind string, category string, area string, occurred_local string, deleted boolean, late boolean,
                    revision int
                >
            )
        ) over (partition by incident_id order by arrived_at) as earlier
    from incident_revisions
    where revision = newest
)

select *
from changed
where earlier.revision is null or revision > earlier.revision;

-- What a change does to the windows of its civil time: it adds the incident as it is and takes away what it was. Sums
-- over it need no retractions, and each step knows the poll that brought it. One without a time is in no window.
create temporary view window_changes as
select
    source,
    kind,
    category,
    area,
    occurred_local,
    case when deleted then 0 else 1 end as incidents,
    case when deleted then 1 else 0 end as deleted,
    case when revision > 1 then 1 else 0 end as revised,
    case when late and not deleted then 1 else 0 end as late,
    case when revision = 1 and not late then 1 else 0 end as first_incidents,
    case when revision > 1 or late then observed_at end as restated_at,
    observed_at
from incident_changes
where occurred_local is not null
union all
select
    source,
    earlier.kind,
    earlier.category,
    earlier.area,
    earlier.occurred_local,
    case when earlier.deleted then 0 else -1 end as incidents,
    case when earlier.deleted then -1 else 0 end as deleted,
    case when earlier.revision > 1 then -1 else 0 end as revised,
    case when earlier.late and not earlier.deleted then -1 else 0 end as late,
    0 as first_incidents,
    observed_at as restated_at,
    observed_at
from incident_changes
where earlier.occurred_local is not null;

-- Each change as it arrived: the minute in which a poll saw it (UTC), and the seconds since the event at first sight.
create temporary view arrived_changes as
select
    source,
    what,
    late,
    floor(observed_at to minute) as seen_minute, -- noqa: PRS
    case when what = 'insert' then timestampdiff(second, occurred_at, observed_at) end as delay
from incident_changes;
