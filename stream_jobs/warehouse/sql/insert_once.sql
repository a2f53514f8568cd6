-- {name}: a row is written once, as it was first read, and never changes.
merge into `{target}` as t
using (
    select * from `{stage}`
    where batch_id = @batch_id
    qualify row_number() over (partition by {key} order by kafka_partition, kafka_offset) = 1
) as s
on {same_key} and {pruned}
when not matched then insert ({columns}) values ({inserted})
