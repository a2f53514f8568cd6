-- The months in which the warehouse holds any of the batch's keys: an incident may have moved to another month.
select distinct date_trunc(date(t.{partition}), month) as held
from `{target}` as t
where t.{key} in (select {key} from `{stage}` where batch_id = @batch_id)
