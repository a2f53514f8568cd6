-- Denver traffic accidents: one raw event becomes one incident, or a dead letter, or both (an earlier good revision is
-- withdrawn). Stateless and total: no value in a row can make an expression fail.
-- `cross join unnest(array [row(…)])` computes a value once and gives it a name: the planner inlines plain subqueries,
-- and copies of copies of an expression made it run out of memory.
-- Words in double braces are filled in: mappings of codes from crosswalks/denver_traffic_accidents/, the row from Avro.
-- `civicwire jobs sql normalize/denver_traffic_accidents` prints it filled in, with its tables, ready for a SQL shell.
--
-- Three generations of the feed give the same incident:
-- - incident_id 20148031043.0 (2014) is 20148031043;
-- - a time is epoch milliseconds in UTC (service), local YYYY-MM-DD HH:MM:SS (2014) or local M/D/YYYY h:mm:ss AM
--   (Hub's files). All go through civil time, so that occurred_at is the same from each of them: in the hour that comes
--   twice the files cannot say which reading is meant, and the rule of docs/incident-model.md decides for all;
-- - an offence is a slug (2014) or words padded to 30 characters: accident_type is the slug of both;
-- - a neighbourhood is a slug (baker) or a name (Baker, College View - South Platte): area is the slug of both. One
--   that the city has renamed (Stapleton, now Central Park) keeps the name under which the row was published.
--
-- Times are whole minutes. One that ends in :59 is the next minute with a fraction cut off, and gets its second back:
-- of the 1,905 in the 2014 file 49 % then fall on a multiple of five minutes, as 53 % of the others do, against 13 % as
-- they stand. 114 of them belong to the next hour.
--
-- op `expire` (the row has left the publisher's rolling window) is no deletion: the accident has happened.

create temporary view denver_traffic_accidents_parsed as
with published as (
    select
        *,
        `partition` as raw_partition,
        `offset` as raw_offset,
        regexp_replace(trim(record_id), '\.0+$', '') as record_number,
        regexp_replace(trim(`row`.incident_id), '\.0+$', '') as incident_number,
        trim(regexp_replace(`row`.first_occurrence_date, '[\s\xA0]+', ' ')) as occurred_text,
        trim(regexp_replace(`row`.reported_date, '[\s\xA0]+', ' ')) as reported_text,
        nullif(trim(`row`.offense_code), '') as offense_code,
        coalesce(
            nullif(trim(`row`.top_traffic_accident_offense), ''), nullif(trim(`row`.offense_type_id), '')
        ) as offense,
        regexp_replace(lower(trim(`row`.neighborhood_id)), '[^a-z0-9]+', '-') as neighbourhood,
        nullif(trim(regexp_replace(`row`.incident_address, '[\s\xA0]+', ' ')), '') as address,
        nullif(nullif(trim(`row`.road_description), ''), 'UNDER INVESTIGATION') as road_description
    from raw_denver_traffic_accidents
),

civil as (
    select
        published.*,
        parsed.occurred_raw,
        parsed.reported_raw
    from published
    cross join unnest(array [row(
        case
            when regexp(occurred_text, '^-?[0-9]{1,14}$')
                then convert_tz(
                    date_format(
                        timestamp '1970-01-01 00:00:00'
                        + cast(try_cast(occurred_text as bigint) / 86400000 as int) * interval '1' day
                        + cast(mod(try_cast(occurred_text as bigint), 86400000) / 1000 as int) * interval '1' second,
                        'yyyy-MM-dd HH:mm:ss'
                    ),
                    'UTC',
                    'America/Denver'
                )
            when
                regexp(
                    occurred_text,
                    '^(0?[1-9]|1[0-2])/[0-9]{1,2}/[0-9]{4} (0?[1-9]|1[0-2])(:[0-9]{2}){2} [AaPp][Mm]$'
                )
                then concat(
                    substring(split_index(occurred_text, '/', 2), 1, 4),
                    '-',
                    lpad(split_index(occurred_text, '/', 0), 2, '0'),
                    '-',
                    lpad(split_index(occurred_text, '/', 1), 2, '0'),
                    ' ',
                    lpad(
                        cast(
                            mod(try_cast(split_index(split_index(occurred_text, ' ', 1), ':', 0) as int), 12)
                            + case when upper(occurred_text) like '%PM' then 12 else 0 end
                            as string
                        ),
                        2,
                        '0'
                    ),
                    regexp_extract(occurred_text, '(:[0-9]{2}){2}', 0)
                )
            else substring(replace(occurred_text, 'T', ' '), 1, 19)
        end,
        case
            when regexp(reported_text, '^-?[0-9]{1,14}$')
                then convert_tz(
                    date_format(
                        timestamp '1970-01-01 00:00:00'
                        + cast(try_cast(reported_text as bigint) / 86400000 as int) * interval '1' day
                        + cast(mod(try_cast(reported_text as bigint), 86400000) / 1000 as int) * interval '1' second,
                        'yyyy-MM-dd HH:mm:ss'
                    ),
                    'UTC',
                    'America/Denver'
                )
            when
                regexp(
                    reported_text,
                    '^(0?[1-9]|1[0-2])/[0-9]{1,2}/[0-9]{4} (0?[1-9]|1[0-2])(:[0-9]{2}){2} [AaPp][Mm]$'
                )
                then concat(
                    substring(split_index(reported_text, '/', 2), 1, 4),
                    '-',
                    lpad(split_index(reported_text, '/', 0), 2, '0'),
                    '-',
                    lpad(split_index(reported_text, '/', 1), 2, '0'),
                    ' ',
                    lpad(
                        cast(
                            mod(try_cast(split_index(split_index(reported_text, ' ', 1), ':', 0) as int), 12)
                            + case when upper(reported_text) like '%PM' then 12 else 0 end
                            as string
                        ),
                        2,
                        '0'
                    ),
                    regexp_extract(reported_text, '(:[0-9]{2}){2}', 0)
                )
            else substring(replace(reported_text, 'T', ' '), 1, 19)
        end
    )]) as parsed (occurred_raw, reported_raw)
),

timed as (
    select
        civil.*,
        parsed.occurred_civil,
        parsed.reported_civil,
        parsed.latitude,
        parsed.longitude,
        parsed.accident_type,
        parsed.area
    from civil
    cross join unnest(array [row(
        -- a date that does not exist (month 13, 30 February) does not survive the round trip
        case
            when date_format(try_cast(occurred_raw as timestamp(0)), 'yyyy-MM-dd HH:mm:ss') = occurred_raw
                then date_format(
                    try_cast(occurred_raw as timestamp(0))
                    + case when substring(occurred_raw, 18, 2) = '59' then 1 else 0 end * interval '1' second,
                    'yyyy-MM-dd HH:mm:ss'
                )
        end,
        case
            when date_format(try_cast(reported_raw as timestamp(0)), 'yyyy-MM-dd HH:mm:ss') = reported_raw
                then date_format(
                    try_cast(reported_raw as timestamp(0))
                    + case when substring(reported_raw, 18, 2) = '59' then 1 else 0 end * interval '1' second,
                    'yyyy-MM-dd HH:mm:ss'
                )
        end,
        coalesce(try_cast(trim(`row`.geo_lat) as double), try_cast(trim(`row`.lat) as double)),
        coalesce(try_cast(trim(`row`.geo_lon) as double), try_cast(trim(`row`.lng) as double)),
        regexp_replace(
            trim(both '-' from regexp_replace(replace(lower(offense), '&', 'and'), '[^a-z0-9]+', '-')),
            '^traf-',
            'traffic-'
        ),
        -- UI is the police's word for unknown, in districts for certain
        nullif(nullif(nullif(trim(both '-' from neighbourhood), ''), 'ui'), 'unknown')
    )]) as parsed (occurred_civil, reported_civil, latitude, longitude, accident_type, area)
)

select
    timed.*,
    judged.reason,
    judged.has_coordinates
from timed
cross join unnest(array [row(
    case
        when incident_number is null or incident_number <> record_number then 'key_mismatch'
        when coalesce(occurred_text, '') = '' then 'event_time_missing'
        when occurred_civil is null then 'event_time_unparsable'
        when regexp(occurred_civil, '^(19|20)') then ''
        else 'event_time_out_of_range'
    end,
    coalesce(latitude between -90 and 90 and longitude between -180 and 180, false)
)]) as judged (reason, has_coordinates);

insert into incidents
select
    concat('denver_traffic_accidents:', record_number) as incident_id,
    'denver_traffic_accidents' as source,
    record_number as record_id,
    revision,
    case when reason = '' then op else 'withdraw' end as op,
    reason <> '' or op = 'delete' as deleted,
    late,
    'traffic_accident' as kind,
    case when reason = '' then replace(occurred_civil, ' ', 'T') end as occurred_local,
    case
        when reason = '' then cast(convert_tz(occurred_civil, 'America/Denver', 'UTC') as timestamp(3))
    end as occurred_at,
    case when reason = '' then 'minute' end as time_precision,
    'America/Denver' as time_zone,
    replace(reported_civil, ' ', 'T') as reported_local,
    cast(null as string) as closed_local,
    coalesce({{ category }}, 'unmapped') as category,
    offense_code as code,
    offense as description,
    -- the feed says nothing of the police's case
    'unknown' as status,
    cast(null as string) as status_code,
    'neighbourhood' as area_kind,
    area,
    address as place,
    road_description as premise,
    case when has_coordinates and latitude <> 0 and longitude <> 0 then latitude end as latitude,
    case when has_coordinates and latitude <> 0 and longitude <> 0 then longitude end as longitude,
    cast(null as string) as priority,
    cast(null as boolean) as domestic,
    concat_ws(
        ',',
        case when area is null then 'area_unknown' end,
        case when not has_coordinates then 'coordinates_missing' end,
        case when has_coordinates and (latitude = 0 or longitude = 0) then 'coordinates_zero' end,
        case when reason = '' and substring(occurred_civil, 12, 5) = '00:00' then 'midnight' end,
        case when address is null then 'place_unknown' end
    ) as quality_flags,
    observed_at,
    source_updated_at,
    poll_id,
    raw_partition,
    raw_offset
from denver_traffic_accidents_parsed
where reason = '' or revision > 1;

insert into dead_letters
select
    concat_ws(':', 'denver_traffic_accidents', record_number, cast(revision as string), reason) as dead_id,
    'denver_traffic_accidents' as source,
    'normalise' as stage,
    reason,
    case reason
        when 'key_mismatch' then concat('incident_id is not the record id ', record_id, '.')
        when 'event_time_missing' then 'first_occurrence_date holds no value.'
        when 'event_time_out_of_range' then concat('The event time ', occurred_civil, ' is before 1900 or after 2099.')
        else concat('The event time ', occurred_text, ' is neither epoch milliseconds nor a civil date and time.')
    end as detail,
    cast({{ row_as_json }} as bytes) as payload,
    record_number as record_id,
    poll_id,
    raw_partition,
    raw_offset,
    observed_at
from denver_traffic_accidents_parsed
where reason <> '' and op not in ('delete', 'expire');
