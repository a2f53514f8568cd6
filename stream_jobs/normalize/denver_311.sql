-- Denver 311 requests: one raw event becomes one incident, or a dead letter, or both (an
-- earlier good revision is withdrawn). Stateless and total: no value in a row can make an expression fail.
-- `cross join unnest(array [row(…)])` computes a value once and gives it a name: the planner inlines plain subqueries,
-- and copies of copies of an expression made it run out of memory.
-- Words in double braces are filled in: mappings of codes from crosswalks/denver_311/, the row from Avro.
-- `civicwire jobs sql normalize/denver_311` prints it filled in, with its tables, ready for a SQL shell.
--
-- The archive's file and the rolling table's are the same but for their names; a test compares them.
-- - The row's identity is a hash of its content, so there is no key in the row that could be compared with it.
-- - category is service_request for all. Agencies are offices and not kinds of requests, the columns type and topic are
--   empty, and the summary is free text (48,803 different ones), so a crosswalk would be a guess. code is the agency.
-- - area is the council district: neighborhood is filled for about no row, council_district for 17 to 32 %.
-- - A status that the crosswalk does not know is closed where a closing time says so.
-- - op `expire` (the row has left the publisher's rolling window) is no deletion: the request was made.

create temporary view denver_311_parsed as
with published as (
    select
        *,
        `partition` as raw_partition,
        `offset` as raw_offset,
        trim(regexp_replace(`row`.case_created_dttm, '[\s\xA0]+', ' ')) as created_text,
        trim(`row`.case_created_date) as created_day,
        trim(regexp_replace(`row`.case_closed_dttm, '[\s\xA0]+', ' ')) as closed_text,
        -- no-break spaces and line breaks occur inside the text
        nullif(trim(regexp_replace(`row`.case_summary, '[\s\xA0]+', ' ')), '') as summary,
        nullif(trim(regexp_replace(`row`.case_status, '[\s\xA0]+', ' ')), '') as case_status,
        nullif(trim(`row`.agency), '') as agency,
        regexp_replace(trim(`row`.council_district), '(^0+)|(\.0*$)', '') as district,
        nullif(regexp_replace(trim(`row`.incident_zip_code), '^0+([.-]0*)?$', ''), '') as zip,
        concat_ws(
            ' ',
            nullif(trim(regexp_replace(`row`.incident_address_1, '[\s\xA0]+', ' ')), ''),
            nullif(trim(regexp_replace(`row`.incident_address_2, '[\s\xA0]+', ' ')), '')
        ) as address,
        concat_ws(
            ' / ',
            nullif(trim(regexp_replace(`row`.incident_intersection_1, '[\s\xA0]+', ' ')), ''),
            nullif(trim(regexp_replace(`row`.incident_intersection_2, '[\s\xA0]+', ' ')), '')
        ) as crossing
    from raw_denver_311
),

civil as (
    select
        published.*,
        parsed.created_raw,
        parsed.created_date,
        parsed.closed_raw,
        parsed.latitude,
        parsed.longitude,
        parsed.area
    from published
    cross join unnest(array [row(
        case
            when
                regexp(
                    created_text,
                    '^(0?[1-9]|1[0-2])/[0-9]{1,2}/[0-9]{4} (0?[1-9]|1[0-2])(:[0-9]{2}){2} [AaPp][Mm]$'
                )
                then concat(
                    substring(split_index(created_text, '/', 2), 1, 4),
                    '-',
                    lpad(split_index(created_text, '/', 0), 2, '0'),
                    '-',
                    lpad(split_index(created_text, '/', 1), 2, '0'),
                    ' ',
                    lpad(
                        cast(
                            mod(try_cast(split_index(split_index(created_text, ' ', 1), ':', 0) as int), 12)
                            + case when upper(created_text) like '%PM' then 12 else 0 end
                            as string
                        ),
                        2,
                        '0'
                    ),
                    regexp_extract(created_text, '(:[0-9]{2}){2}', 0)
                )
            else substring(replace(created_text, 'T', ' '), 1, 19)
        end,
        -- epoch milliseconds (service) at midnight in UTC are that date; any other instant is read in Denver
        case
            when regexp(created_day, '^-?[0-9]{1,14}$')
                then substring(
                    convert_tz(
                        date_format(
                            timestamp '1970-01-01 00:00:00'
                            + cast(try_cast(created_day as bigint) / 86400000 as int) * interval '1' day
                            + cast(mod(try_cast(created_day as bigint), 86400000) / 1000 as int) * interval '1' second,
                            'yyyy-MM-dd HH:mm:ss'
                        ),
                        'UTC',
                        if(mod(try_cast(created_day as bigint), 86400000) = 0, 'UTC', 'America/Denver')
                    ),
                    1,
                    10
                )
            when regexp(created_day, '^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}( |$)')
                then concat(
                    substring(split_index(created_day, '/', 2), 1, 4),
                    '-',
                    lpad(split_index(created_day, '/', 0), 2, '0'),
                    '-',
                    lpad(split_index(created_day, '/', 1), 2, '0')
                )
            else substring(created_day, 1, 10)
        end,
        case
            when
                regexp(
                    closed_text,
                    '^(0?[1-9]|1[0-2])/[0-9]{1,2}/[0-9]{4} (0?[1-9]|1[0-2])(:[0-9]{2}){2} [AaPp][Mm]$'
                )
                then concat(
                    substring(split_index(closed_text, '/', 2), 1, 4),
                    '-',
                    lpad(split_index(closed_text, '/', 0), 2, '0'),
                    '-',
                    lpad(split_index(closed_text, '/', 1), 2, '0'),
                    ' ',
                    lpad(
                        cast(
                            mod(try_cast(split_index(split_index(closed_text, ' ', 1), ':', 0) as int), 12)
                            + case when upper(closed_text) like '%PM' then 12 else 0 end
                            as string
                        ),
                        2,
                        '0'
                    ),
                    regexp_extract(closed_text, '(:[0-9]{2}){2}', 0)
                )
            else substring(replace(closed_text, 'T', ' '), 1, 19)
        end,
        try_cast(trim(`row`.latitude) as double),
        try_cast(trim(`row`.longitude) as double),
        case when regexp(district, '^[1-9][0-9]?$') then district end
    )]) as parsed (created_raw, created_date, closed_raw, latitude, longitude, area)
),

timed as (
    select
        civil.*,
        parsed.occurred_civil,
        parsed.time_precision,
        parsed.closed_local,
        parsed.coordinates,
        parsed.place
    from civil
    cross join unnest(array [row(
        case when created_text <> '' then created_raw when created_day <> '' then concat(created_date, ' 00:00:00') end,
        case when created_text <> '' then 'second' else 'day' end,
        case
            when date_format(try_cast(closed_raw as timestamp(0)), 'yyyy-MM-dd HH:mm:ss') = closed_raw
                then replace(closed_raw, ' ', 'T')
        end,
        -- what is wrong with the coordinates; copied: the latitude stands in both columns
        case
            when latitude = 0 or longitude = 0 then 'coordinates_zero'
            when latitude = longitude then 'coordinates_copied'
            when coalesce(latitude between -90 and 90 and longitude between -180 and 180, false) then ''
            else 'coordinates_missing'
        end,
        nullif(concat_ws(', ', coalesce(nullif(address, ''), nullif(crossing, '')), zip), '')
    )]) as parsed (occurred_civil, time_precision, closed_local, coordinates, place)
)

select
    timed.*,
    judged.reason
from timed
cross join unnest(array [row(
    -- a date that does not exist (month 13, 30 February) does not survive the round trip
    case
        when occurred_civil is null then 'event_time_missing'
        when date_format(try_cast(occurred_civil as timestamp(0)), 'yyyy-MM-dd HH:mm:ss') = occurred_civil
            then case when regexp(occurred_civil, '^(19|20)') then '' else 'event_time_out_of_range' end
        else 'event_time_unparsable'
    end
)]) as judged (reason);

insert into incidents
select
    concat('denver_311:', record_id) as incident_id,
    'denver_311' as source,
    record_id,
    revision,
    case when reason = '' then op else 'withdraw' end as op,
    reason <> '' or op = 'delete' as deleted,
    late,
    'service_request' as kind,
    case when reason = '' then replace(occurred_civil, ' ', 'T') end as occurred_local,
    case
        when reason = '' then cast(convert_tz(occurred_civil, 'America/Denver', 'UTC') as timestamp(3))
    end as occurred_at,
    case when reason = '' then time_precision end as time_precision,
    'America/Denver' as time_zone,
    cast(null as string) as reported_local,
    closed_local,
    'service_request' as category,
    agency as code,
    summary as description,
    coalesce({{ status }}, case when closed_local is not null then 'closed' else 'unknown' end) as status,
    case_status as status_code,
    'council_district' as area_kind,
    area,
    place,
    cast(null as string) as premise,
    case when coordinates = '' then latitude end as latitude,
    case when coordinates = '' then longitude end as longitude,
    cast(null as string) as priority,
    cast(null as boolean) as domestic,
    concat_ws(
        ',',
        case when area is null then 'area_unknown' end,
        nullif(coordinates, ''),
        case
            when reason = '' and time_precision = 'second' and substring(occurred_civil, 12, 8) = '00:00:00'
                then 'midnight'
        end,
        case when place is null then 'place_unknown' end,
        case when reason = '' and time_precision = 'day' then 'time_unknown' end
    ) as quality_flags,
    observed_at,
    source_updated_at,
    poll_id,
    raw_partition,
    raw_offset
from denver_311_parsed
where reason = '' or revision > 1;

insert into dead_letters
select
    concat_ws(':', 'denver_311', record_id, cast(revision as string), reason) as dead_id,
    'denver_311' as source,
    'normalise' as stage,
    reason,
    case reason
        when 'event_time_missing' then 'Neither case_created_dttm nor case_created_date holds a value.'
        when 'event_time_out_of_range' then concat('The event time ', occurred_civil, ' is before 1900 or after 2099.')
        else concat(
            'The event time ', coalesce(nullif(created_text, ''), created_day), ' is not a civil date and time.'
        )
    end as detail,
    cast({{ row_as_json }} as bytes) as payload,
    record_id,
    poll_id,
    raw_partition,
    raw_offset,
    observed_at
from denver_311_parsed
where reason <> '' and op not in ('delete', 'expire');
