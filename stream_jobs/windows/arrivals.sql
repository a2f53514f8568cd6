-- What arrived by source in every minute and ten minutes of observation (UTC), and how long after the event.
insert into arrivals
select
    changes.source,
    stretch.grain,
    stretch.window_start,
    count(*) as events,
    count(*) filter (where changes.what = 'insert') as inserted,
    count(*) filter (where changes.what = 'revise') as revised,
    count(*) filter (where changes.what = 'delete') as deleted,
    count(*) filter (where changes.what = 'reappear') as reappeared,
    count(*) filter (where changes.what = 'expire') as expired,
    count(*) filter (where changes.what = 'withdraw') as withdrawn,
    count(*) filter (where changes.what = 'insert' and changes.late) as late,
    count(*) filter (where changes.delay <= 3600) as delay_hour,
    count(*) filter (where changes.delay > 3600 and changes.delay <= 86400) as delay_day,
    count(*) filter (where changes.delay > 86400 and changes.delay <= 7 * 86400) as delay_week,
    count(*) filter (where changes.delay > 7 * 86400 and changes.delay <= 30 * 86400) as delay_month,
    count(*) filter (where changes.delay > 30 * 86400 and changes.delay <= 365 * 86400) as delay_year,
    count(*) filter (where changes.delay > 365 * 86400) as delay_longer
from arrived_changes as changes
cross join
    unnest(array [row(
        'minute', changes.seen_minute
    ), row(
        'ten_minutes',
        timestampadd(minute, -mod(extract(minute from changes.seen_minute), 10), changes.seen_minute) -- noqa: PRS, LT01, LT05
    )]) as stretch (grain, window_start)
group by
    changes.source,
    stretch.grain,
    stretch.window_start;
