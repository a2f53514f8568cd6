-- San Diego calls for service: one raw event becomes one incident, or a dead letter, or both (an earlier good revision
-- is withdrawn). Stateless and total: no value in a row can make an expression fail.
-- `cross join unnest(array [row(…)])` computes a value once and gives it a name: the planner inlines plain subqueries,
-- and copies of copies of an expression made it run out of memory.
-- Words in double braces are filled in: mappings of codes from crosswalks/san_diego_calls/, the row from Avro.
-- `civicwire jobs sql normalize/san_diego_calls` prints it filled in, with its tables, ready for a SQL shell.

create temporary view san_diego_calls_parsed as
with published as (
    select
        *,
        `partition` as raw_partition,
        `offset` as raw_offset,
        trim(`row`.incident_num) as incident_num,
        substring(trim(replace(`row`.date_time, 'T', ' ')), 1, 19) as occurred_civil,
        nullif(trim(`row`.call_type), '') as call_type,
        nullif(trim(`row`.disposition), '') as disposition,
        nullif(nullif(trim(`row`.beat), ''), '-1') as beat,
        nullif(trim(`row`.priority), '') as priority,
        -- number 0 is unknown; absent parts are null, which concat_ws skips
        concat_ws(
            ' ',
            nullif(nullif(trim(`row`.address_number_primary), ''), '0'),
            nullif(trim(`row`.address_dir_primary), ''),
            nullif(trim(`row`.address_road_primary), ''),
            nullif(trim(`row`.address_sfx_primary), '')
        ) as street,
        concat_ws(
            ' ',
            nullif(trim(`row`.address_dir_intersecting), ''),
            nullif(trim(`row`.address_road_intersecting), ''),
            nullif(trim(`row`.address_sfx_intersecting), '')
        ) as cross_street
    from raw_san_diego_calls
)

select
    published.*,
    judged.reason,
    judged.place
from published
cross join unnest(array [row(
    -- a date that does not exist (month 13, 30 February) does not survive the round trip
    case
        when incident_num is null or incident_num <> trim(record_id) then 'key_mismatch'
        when coalesce(occurred_civil, '') = '' then 'event_time_missing'
        when date_format(try_cast(occurred_civil as timestamp(0)), 'yyyy-MM-dd HH:mm:ss') = occurred_civil
            then case when regexp(occurred_civil, '^(19|20)') then '' else 'event_time_out_of_range' end
        else 'event_time_unparsable'
    end,
    nullif(concat_ws(' / ', nullif(street, ''), nullif(cross_street, '')), '')
)]) as judged (reason, place);

insert into incidents
select
    concat('san_diego_calls:', record_id) as incident_id,
    'san_diego_calls' as source,
    record_id,
    revision,
    case when reason = '' then op else 'withdraw' end as op,
    reason <> '' or op = 'delete' as deleted,
    late,
    'call_for_service' as kind,
    case when reason = '' then replace(occurred_civil, ' ', 'T') end as occurred_local,
    case
        when reason = '' then cast(convert_tz(occurred_civil, 'America/Los_Angeles', 'UTC') as timestamp(3))
    end as occurred_at,
    case when reason = '' then 'second' end as time_precision,
    'America/Los_Angeles' as time_zone,
    cast(null as string) as reported_local,
    cast(null as string) as closed_local,
    coalesce({{ category }}, 'unmapped') as category,
    call_type as code,
    {{ description }} as description,
    coalesce({{ status }}, 'unknown') as status,
    disposition as status_code,
    'beat' as area_kind,
    beat as area,
    place,
    cast(null as string) as premise,
    cast(null as double) as latitude,
    cast(null as double) as longitude,
    priority,
    -- the only call types that name it; of all others the feed says nothing
    case when call_type in ('245DV', '415DV') then true end as domestic,
    concat_ws(
        ',',
        case when beat is null then 'area_unknown' end,
        case when reason = '' and substring(occurred_civil, 12, 8) = '00:00:00' then 'midnight' end,
        case when place is null then 'place_unknown' end
    ) as quality_flags,
    observed_at,
    source_updated_at,
    poll_id,
    raw_partition,
    raw_offset
from san_diego_calls_parsed
where reason = '' or revision > 1;

insert into dead_letters
select
    concat_ws(':', 'san_diego_calls', record_id, cast(revision as string), reason) as dead_id,
    'san_diego_calls' as source,
    'normalise' as stage,
    reason,
    case reason
        when 'key_mismatch' then concat('incident_num is not the record id ', record_id, '.')
        when 'event_time_missing' then 'date_time holds no value.'
        when 'event_time_out_of_range' then concat('The event time ', occurred_civil, ' is before 1900 or after 2099.')
        else concat('The event time ', occurred_civil, ' is not a civil date and time.')
    end as detail,
    cast({{ row_as_json }} as bytes) as payload,
    record_id,
    poll_id,
    raw_partition,
    raw_offset,
    observed_at
from san_diego_calls_parsed
where reason <> '' and op <> 'delete';
