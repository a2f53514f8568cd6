-- Incidents by source, hour, day and month of occurrence (civil), area, category and kind. One aggregate for the three
-- grains, so that they share one state and one writer.
insert into incident_counts
select
    steps.source,
    stretch.grain,
    stretch.window_start,
    steps.area,
    steps.category,
    steps.kind,
    sum(steps.incidents) as incidents,
    sum(steps.deleted) as deleted,
    sum(steps.revised) as revised,
    sum(steps.late) as late,
    sum(steps.first_incidents) as first_incidents,
    count(distinct steps.restated_at) filter (where steps.restated_at is not null) as restatements,
    min(steps.observed_at) as first_observed_at,
    max(steps.observed_at) as last_observed_at
from window_changes as steps
cross join
    unnest(array [row(
        'hour', concat(substring(steps.occurred_local, 1, 13), ':00:00')
    ), row(
        'day', concat(substring(steps.occurred_local, 1, 10), 'T00:00:00')
    ), row(
        'month', concat(substring(steps.occurred_local, 1, 7), '-01T00:00:00')
    )]) as stretch (grain, window_start)
group by
    steps.source,
    stretch.grain,
    stretch.window_start,
    steps.area,
    steps.category,
    steps.kind;
