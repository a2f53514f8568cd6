-- {name}: one row per key, the highest {version} wins. A tombstone (of a window: all counts 0) empties the key's row, and
-- makes none where neither the table nor the batch has ever had one.
merge into `{target}` as t
using (
    select
        *,
        logical_or(not tombstone) over (partition by {key}) as ever_held,
    from `{stage}`
    where batch_id = @batch_id
    qualify row_number() over (partition by {key} order by {version} desc, kafka_offset) = 1
) as s
on {same_key} and {pruned}
when matched and s.{version} > t.{version} then update set
    {set_all}
when not matched and s.ever_held then insert ({columns}) values ({inserted})
