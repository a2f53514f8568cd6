-- {name}, when the batch has withdrawals. The outcome is that of taking its messages one by one in offset order: a
-- revision counts when it is higher than all before it. A revision without an occurrence (op withdraw) changes what is
-- known, and keeps the values of the last good revision and their partition.
merge into `{target}` as t
using (
    with batch as (
        select
            *,
            max(revision) over (
                partition by {key} order by kafka_offset rows between unbounded preceding and 1 preceding
            ) as highest_before,
        from `{stage}`
        where batch_id = @batch_id
    ),

    accepted as (
        select * except (highest_before) from batch where highest_before is null or revision > highest_before
    ),

    latest as (
        select * from accepted where true
        qualify row_number() over (partition by {key} order by revision desc) = 1
    ),

    good as (
        select * from accepted where occurred_local is not null
        qualify row_number() over (partition by {key} order by revision desc) = 1
    )

    select
        latest.{key},
        good.revision as values_revision,
        {of_revision},
        {of_values},
    from latest
    left join good on latest.{key} = good.{key}
) as s
on {same_key} and {pruned}
when matched and s.revision > t.revision and s.values_revision > t.revision then update set
    {set_all}
when matched and s.revision > t.revision then update set
    {set_of_revision}
when not matched then insert ({columns}) values ({inserted})
