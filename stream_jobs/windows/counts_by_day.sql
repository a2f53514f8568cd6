-- Incidents by source, day of occurrence (civil), area and category.
-- A window that loses its last incident leaves a tombstone.

insert into incident_counts
select
    source,
    'day' as grain,
    concat(substring(occurred_local, 1, 10), 'T00:00:00') as window_start,
    area,
    category,
    kind,
    count(*) filter (where not deleted) as incidents,
    count(*) filter (where deleted) as deleted,
    count(*) filter (where revision > 1) as revised,
    count(*) filter (where late and not deleted) as late
from current_incidents
group by
    source,
    concat(substring(occurred_local, 1, 10), 'T00:00:00'),
    area,
    category,
    kind;
