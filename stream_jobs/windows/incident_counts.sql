-- Incidents by source, hour, day and month of occurrence (civil), area, category and kind. One aggregate for the three
-- grains, so that they share one state and one writer.
create temporary view window_steps as
select
    *,
    'hour' as grain,
    concat(substring(occurred_local, 1, 13), ':00:00') as window_start
from window_changes
union all
select
    *,
    'day' as grain,
    concat(substring(occurred_local, 1, 10), 'T00:00:00') as window_start
from window_changes
union all
select
    *,
    'month' as grain,
    concat(substring(occurred_local, 1, 7), '-01T00:00:00') as window_start
from window_changes;

insert into incident_counts
select
    source,
    grain,
    window_start,
    area,
    category,
    kind,
    sum(incidents) as incidents,
    sum(deleted) as deleted,
    sum(revised) as revised,
    sum(late) as late,
    sum(first_incidents) as first_incidents,
    count(distinct restated_at) filter (where restated_at is not null) as restatements,
    min(observed_at) as first_observed_at,
    max(observed_at) as last_observed_at
from window_steps
group by
    source,
    grain,
    window_start,
    area,
    category,
    kind;
