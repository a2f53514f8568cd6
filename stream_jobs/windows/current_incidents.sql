-- The highest revision of every incident. A duplicate, a replay or an older revision that comes late changes nothing
-- here, so what is built on it is restated exactly when the truth changes. Withdrawn incidents have no time, no window.

create temporary view current_incidents as
with ranked as (
    select
        source,
        kind,
        category,
        coalesce(area, 'unknown') as area,
        occurred_local,
        deleted,
        late,
        revision,
        row_number() over (partition by incident_id order by revision desc) as newest
    from incidents
)

select
    source,
    kind,
    category,
    area,
    occurred_local,
    deleted,
    late,
    revision
from ranked
where newest = 1 and occurred_local is not null;
