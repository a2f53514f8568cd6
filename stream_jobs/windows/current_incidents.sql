-- The highest revision of every incident. A duplicate, a replay or an older revision that comes late changes nothing
-- here, so what is built on it is restated exactly when the truth changes.

create temporary view current_incidents as
with ranked as (
    select
        *,
        row_number() over (partition by incident_id order by revision desc) as newest
    from incidents
)

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
    observed_at
from ranked
where newest = 1;

-- Each time an incident becomes another one, with what it was before: the changelog of the view above without its
-- retractions. Kafka keeps the revisions of an incident in order, so the one before is the one that arrived before.
create temporary view incident_changes as
with changed as (
    select
        *,
        cast(
            row(kind, category, area, occurred_local, deleted, late, revision)
            as row <
                kind string, category string, area string, occurred_local string, deleted boolean, late boolean,
                revision int
            >
        ) as this,
        proctime() as arrived
    from {{ changelog_of_current_incidents }}
)

select
    *,
    lag(this) over (partition by incident_id order by arrived) as earlier
from changed
where op in ('INSERT', 'UPDATE_AFTER');

-- What a change does to the windows of its civil time: it adds the incident as it is and takes away what it was. Sums
-- over it need no retractions, and each step knows the poll that brought it. One without a time is in no window.
create temporary view window_changes as
select
    changes.source,
    step.kind,
    step.category,
    step.area,
    step.occurred_local,
    step.sign * case when step.deleted then 0 else 1 end as incidents,
    step.sign * case when step.deleted then 1 else 0 end as deleted,
    step.sign * case when step.revision > 1 then 1 else 0 end as revised,
    step.sign * case when step.late and not step.deleted then 1 else 0 end as late,
    case when changes.revision = 1 and not changes.late then 1 else 0 end as first_incidents,
    case when changes.revision > 1 or changes.late then changes.observed_at end as restated_at,
    changes.observed_at
from incident_changes as changes
cross join
    unnest(array [row(
        changes.kind,
        changes.category,
        changes.area,
        changes.occurred_local,
        changes.deleted,
        changes.late,
        changes.revision,
        cast(1 as bigint)
    ), row(
        changes.earlier.kind,
        changes.earlier.category,
        changes.earlier.area,
        changes.earlier.occurred_local,
        changes.earlier.deleted,
        changes.earlier.late,
        changes.earlier.revision,
        cast(-1 as bigint)
    )]) as step (kind, category, area, occurred_local, deleted, late, revision, sign)
where step.occurred_local is not null;

-- Each change as it arrived: the minute in which a poll saw it (UTC), and the seconds since the event at first sight.
create temporary view arrived_changes as
select
    source,
    what,
    late,
    date_format(observed_at, 'yyyy-MM-dd HH:mm') as seen_minute,
    case when what = 'insert' then timestampdiff(second, occurred_at, observed_at) end as delay
from incident_changes;
