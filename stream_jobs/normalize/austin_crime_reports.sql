-- Austin crime reports: one raw event becomes one incident, or a dead letter, or both (an earlier good revision is
-- withdrawn). Stateless and total: no value in a row can make an expression fail.
-- `cross join unnest(array [row(…)])` computes a value once and gives it a name: the planner inlines plain subqueries,
-- and copies of copies of an expression made it run out of memory.
-- Words in double braces are filled in: mappings of codes from crosswalks/austin_crime_reports/, the row from Avro.
-- `civicwire jobs sql normalize/austin_crime_reports` prints it filled in, with its tables, ready for a SQL shell.

create temporary view austin_crime_reports_parsed as
with published as (
    select
        *,
        `partition` as raw_partition,
        `offset` as raw_offset,
        trim(`row`.incident_report_number) as incident_report_number,
        -- floating timestamps: no zone, milliseconds always 0
        substring(trim(replace(`row`.occ_date_time, 'T', ' ')), 1, 19) as occurred_text,
        substring(trim(`row`.occ_date), 1, 10) as occurred_day,
        trim(`row`.occ_time) as occurred_clock,
        substring(trim(replace(`row`.rep_date_time, 'T', ' ')), 1, 19) as reported_text,
        substring(trim(replace(`row`.clearance_date, 'T', ' ')), 1, 19) as closed_text,
        nullif(trim(`row`.crime_type), '') as crime_type,
        nullif(trim(`row`.ucr_code), '') as ucr_code,
        nullif(trim(`row`.family_violence), '') as family_violence,
        nullif(trim(`row`.location_type), '') as location_type,
        nullif(trim(`row`.address), '') as address,
        nullif(trim(`row`.sector), '') as sector,
        nullif(trim(`row`.clearance_status), '') as clearance_status
    from raw_austin_crime_reports
),

clocked as (
    select
        published.*,
        parsed.clock,
        parsed.latitude,
        parsed.longitude
    from published
    cross join unnest(array [row(
        -- unpadded HHMM; 2400 and nonsense such as 170 say nothing about the time of day
        case
            when
                char_length(occurred_clock) between 1 and 4
                and regexp(lpad(occurred_clock, 4, '0'), '^([01][0-9]|2[0-3])[0-5][0-9]$')
                then concat(
                    ' ',
                    substring(lpad(occurred_clock, 4, '0'), 1, 2),
                    ':',
                    substring(lpad(occurred_clock, 4, '0'), 3, 2),
                    ':00'
                )
        end,
        try_cast(`row`.latitude as double),
        try_cast(`row`.longitude as double)
    )]) as parsed (clock, latitude, longitude)
),

timed as (
    select
        clocked.*,
        parsed.occurred_civil,
        parsed.time_precision
    from clocked
    cross join unnest(array [row(
        case
            when occurred_text <> '' then occurred_text
            when occurred_day <> '' then concat(occurred_day, coalesce(clock, ' 00:00:00'))
        end,
        case when occurred_text <> '' or clock is not null then 'minute' else 'day' end
    )]) as parsed (occurred_civil, time_precision)
)

select
    timed.*,
    judged.reason,
    judged.reported_local,
    judged.closed_local,
    judged.has_coordinates
from timed
cross join unnest(array [row(
    -- a date that does not exist (month 13, 30 February) does not survive the round trip
    case
        when incident_report_number is null or incident_report_number <> trim(record_id) then 'key_mismatch'
        when occurred_civil is null then 'event_time_missing'
        when date_format(try_cast(occurred_civil as timestamp(0)), 'yyyy-MM-dd HH:mm:ss') = occurred_civil
            then case when regexp(occurred_civil, '^(19|20)') then '' else 'event_time_out_of_range' end
        else 'event_time_unparsable'
    end,
    case
        when date_format(try_cast(reported_text as timestamp(0)), 'yyyy-MM-dd HH:mm:ss') = reported_text
            then replace(reported_text, ' ', 'T')
    end,
    case
        when date_format(try_cast(closed_text as timestamp(0)), 'yyyy-MM-dd HH:mm:ss') = closed_text
            then replace(closed_text, ' ', 'T')
    end,
    coalesce(latitude between -90 and 90 and longitude between -180 and 180, false)
)]) as judged (reason, reported_local, closed_local, has_coordinates);

insert into incidents
select
    concat('austin_crime_reports:', record_id) as incident_id,
    'austin_crime_reports' as source,
    record_id,
    revision,
    case when reason = '' then op else 'withdraw' end as op,
    reason <> '' or op = 'delete' as deleted,
    late,
    'crime_report' as kind,
    case when reason = '' then replace(occurred_civil, ' ', 'T') end as occurred_local,
    case
        when reason = '' then cast(convert_tz(occurred_civil, 'America/Chicago', 'UTC') as timestamp(3))
    end as occurred_at,
    case when reason = '' then time_precision end as time_precision,
    'America/Chicago' as time_zone,
    reported_local,
    closed_local,
    coalesce({{ category }}, 'unmapped') as category,
    ucr_code as code,
    crime_type as description,
    case when clearance_status is null then 'open' else coalesce({{ status }}, 'unknown') end as status,
    clearance_status as status_code,
    'sector' as area_kind,
    sector as area,
    address as place,
    location_type as premise,
    case when has_coordinates and latitude <> 0 and longitude <> 0 then latitude end as latitude,
    case when has_coordinates and latitude <> 0 and longitude <> 0 then longitude end as longitude,
    cast(null as string) as priority,
    case family_violence when 'Y' then true when 'N' then false end as domestic,
    concat_ws(
        ',',
        case when sector is null then 'area_unknown' end,
        case when not has_coordinates then 'coordinates_missing' end,
        case when has_coordinates and (latitude = 0 or longitude = 0) then 'coordinates_zero' end,
        case
            when reason = '' and time_precision = 'minute' and substring(occurred_civil, 12, 5) = '00:00'
                then 'midnight'
        end,
        case when address is null then 'place_unknown' end,
        case when reason = '' and time_precision = 'day' and occurred_clock = '2400' then 'time_2400' end,
        case
            when reason = '' and time_precision = 'day' and coalesce(occurred_clock, '') <> '2400' then 'time_unknown'
        end
    ) as quality_flags,
    observed_at,
    source_updated_at,
    poll_id,
    raw_partition,
    raw_offset
from austin_crime_reports_parsed
where reason = '' or revision > 1;

insert into dead_letters
select
    concat_ws(':', 'austin_crime_reports', record_id, cast(revision as string), reason) as dead_id,
    'austin_crime_reports' as source,
    'normalise' as stage,
    reason,
    case reason
        when 'key_mismatch' then concat('incident_report_number is not the record id ', record_id, '.')
        when 'event_time_missing' then 'Neither occ_date_time nor occ_date holds a value.'
        when 'event_time_out_of_range' then concat('The event time ', occurred_civil, ' is before 1900 or after 2099.')
        else concat('The event time ', occurred_civil, ' is not a civil date and time.')
    end as detail,
    cast({{ row_as_json }} as bytes) as payload,
    record_id,
    poll_id,
    raw_partition,
    raw_offset,
    observed_at
from austin_crime_reports_parsed
where reason <> '' and op <> 'delete';
