-- Los Angeles crime reports 2020 to 2024: one raw event becomes one incident, or a dead letter, or both (an earlier
-- good revision is withdrawn). Stateless and total: no value in a row can make an expression fail.
-- `cross join unnest(array [row(…)])` computes a value once and gives it a name: the planner inlines plain subqueries,
-- and copies of copies of an expression made it run out of memory.
-- Words in double braces are filled in: mappings of codes from crosswalks/la_crime_2020_2024/, the row from Avro.
-- `civicwire jobs sql normalize/la_crime_2020_2024` prints it filled in, with its tables, ready for a SQL shell.
--
-- Dates are read in every form in which the table goes round: `2020-01-08T00:00:00.000` (API),
-- `01/08/2020 12:00:00 AM` (CSV), `1/8/2020 0:00` and `1/8/20 0:00` (through a spreadsheet; month first, and two digits
-- of a year as spreadsheets read them: 00 to 29 is 20yy, 30 to 99 is 19yy).
-- The area is its name, which every form of the table writes alike; its code is 01 or 1.
-- sqlfluff:templater:jinja:context:category_by_words:'theft'

create temporary view la_crime_2020_2024_parsed as
with published as (
    select
        *,
        `partition` as raw_partition,
        `offset` as raw_offset,
        trim(`row`.dr_no) as dr_no,
        upper(trim(replace(`row`.date_occ, 'T', ' '))) as occurred_text,
        trim(`row`.time_occ) as occurred_clock,
        upper(trim(replace(`row`.date_rptd, 'T', ' '))) as reported_text,
        nullif(trim(`row`.crm_cd), '') as crm_cd,
        nullif(trim(`row`.crm_cd_desc), '') as crm_cd_desc,
        nullif(trim(`row`.status), '') as status_code,
        nullif(trim(`row`.area_name), '') as area_name,
        nullif(trim(`row`.premis_desc), '') as premis_desc,
        -- padded with runs of spaces; a cross street means that location is the other street of an intersection
        nullif(trim(regexp_replace(`row`.location, ' +', ' ')), '') as street,
        nullif(trim(regexp_replace(`row`.cross_street, ' +', ' ')), '') as cross_street
    from raw_la_crime_2020_2024
),

pieces as (
    select
        published.*,
        parsed.occurred_year,
        parsed.occurred_hour,
        parsed.occurred_rest,
        parsed.reported_year,
        parsed.reported_hour,
        parsed.reported_rest,
        parsed.clock,
        parsed.latitude,
        parsed.longitude
    from published
    cross join unnest(array [row(
        -- year of a date with slashes; hour, then minute and second, of a time behind the date
        regexp_extract(occurred_text, '^[0-9]{1,2}/[0-9]{1,2}/([0-9]{4}|[0-9]{2})( |$)', 1),
        regexp_extract(occurred_text, '^[^ ]+ ([0-9]{1,2}):[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?( [AP]M)?$', 1),
        regexp_extract(occurred_text, '^[^ ]+ [0-9]{1,2}(:[0-9]{2}(:[0-9]{2})?)([.][0-9]+)?( [AP]M)?$', 1),
        regexp_extract(reported_text, '^[0-9]{1,2}/[0-9]{1,2}/([0-9]{4}|[0-9]{2})( |$)', 1),
        regexp_extract(reported_text, '^[^ ]+ ([0-9]{1,2}):[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?( [AP]M)?$', 1),
        regexp_extract(reported_text, '^[^ ]+ [0-9]{1,2}(:[0-9]{2}(:[0-9]{2})?)([.][0-9]+)?( [AP]M)?$', 1),
        -- HHMM, its leading zeros lost in spreadsheets; 2400 and nonsense such as 170 say nothing about the time of day
        case
            when
                char_length(occurred_clock) between 1 and 4
                and regexp(lpad(occurred_clock, 4, '0'), '^([01][0-9]|2[0-3])[0-5][0-9]$')
                then concat(
                    substring(lpad(occurred_clock, 4, '0'), 1, 2),
                    ':',
                    substring(lpad(occurred_clock, 4, '0'), 3, 2),
                    ':00'
                )
        end,
        try_cast(`row`.lat as double),
        try_cast(`row`.lon as double)
    )]) as parsed (
        occurred_year,
        occurred_hour,
        occurred_rest,
        reported_year,
        reported_hour,
        reported_rest,
        clock,
        latitude,
        longitude
    )
),

dated as (
    select
        pieces.*,
        parsed.occurred_day,
        parsed.carried,
        parsed.reported_day,
        parsed.reported_clock
    from pieces
    cross join unnest(array [row(
        case
            when occurred_year is null
                then regexp_extract(occurred_text, '^([0-9]{4}-[0-9]{2}-[0-9]{2})( |$)', 1)
            else concat(
                case when char_length(occurred_year) = 4 then '' when occurred_year < '30' then '20' else '19' end,
                occurred_year,
                '-',
                lpad(regexp_extract(occurred_text, '^([0-9]+)/', 1), 2, '0'),
                '-',
                lpad(regexp_extract(occurred_text, '^[0-9]+/([0-9]+)/', 1), 2, '0')
            )
        end,
        -- the date's own time, 00:00:00 in all but a few rows
        case
            when position(' ' in occurred_text) = 0 then '00:00:00'
            else substring(
                concat(
                    lpad(
                        case
                            when occurred_text like '% PM'
                                then cast(mod(try_cast(occurred_hour as int), 12) + 12 as string)
                            when occurred_text like '% AM'
                                then cast(mod(try_cast(occurred_hour as int), 12) as string)
                            else occurred_hour
                        end,
                        2,
                        '0'
                    ),
                    occurred_rest,
                    ':00'
                ),
                1,
                8
            )
        end,
        case
            when reported_year is null
                then regexp_extract(reported_text, '^([0-9]{4}-[0-9]{2}-[0-9]{2})( |$)', 1)
            else concat(
                case when char_length(reported_year) = 4 then '' when reported_year < '30' then '20' else '19' end,
                reported_year,
                '-',
                lpad(regexp_extract(reported_text, '^([0-9]+)/', 1), 2, '0'),
                '-',
                lpad(regexp_extract(reported_text, '^[0-9]+/([0-9]+)/', 1), 2, '0')
            )
        end,
        case
            when position(' ' in reported_text) = 0 then '00:00:00'
            else substring(
                concat(
                    lpad(
                        case
                            when reported_text like '% PM'
                                then cast(mod(try_cast(reported_hour as int), 12) + 12 as string)
                            when reported_text like '% AM'
                                then cast(mod(try_cast(reported_hour as int), 12) as string)
                            else reported_hour
                        end,
                        2,
                        '0'
                    ),
                    reported_rest,
                    ':00'
                ),
                1,
                8
            )
        end
    )]) as parsed (occurred_day, carried, reported_day, reported_clock)
),

timed as (
    select
        dated.*,
        parsed.occurred_civil,
        parsed.reported_civil,
        parsed.time_precision
    from dated
    cross join unnest(array [row(
        -- time_occ tells the time of day; the date's own time only where time_occ says nothing or midnight, which may
        -- stand for unknown
        case
            when regexp(carried, '^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$')
                then concat(occurred_day, ' ', coalesce(nullif(clock, '00:00:00'), carried))
        end,
        concat(reported_day, ' ', reported_clock),
        case
            when clock <> '00:00:00' then 'minute'
            when carried <> '00:00:00' then case when carried like '%:00' then 'minute' else 'second' end
            when clock is not null then 'minute'
            else 'day'
        end
    )]) as parsed (occurred_civil, reported_civil, time_precision)
)

select
    timed.*,
    judged.reason,
    judged.reported_local,
    judged.place,
    judged.has_coordinates
from timed
cross join unnest(array [row(
    -- a date that does not exist (month 13, 30 February) does not survive the round trip
    case
        when dr_no is null or dr_no <> trim(record_id) then 'key_mismatch'
        when coalesce(occurred_text, '') = '' then 'event_time_missing'
        when date_format(try_cast(occurred_civil as timestamp(0)), 'yyyy-MM-dd HH:mm:ss') = occurred_civil
            then case when regexp(occurred_civil, '^(19|20)') then '' else 'event_time_out_of_range' end
        else 'event_time_unparsable'
    end,
    case
        when date_format(try_cast(reported_civil as timestamp(0)), 'yyyy-MM-dd HH:mm:ss') = reported_civil
            then replace(reported_civil, ' ', 'T')
    end,
    nullif(concat_ws(' / ', street, cross_street), ''),
    coalesce(latitude between -90 and 90 and longitude between -180 and 180, false)
)]) as judged (reason, reported_local, place, has_coordinates);

insert into incidents
select
    concat('la_crime_2020_2024:', record_id) as incident_id,
    'la_crime_2020_2024' as source,
    record_id,
    revision,
    case when reason = '' then op else 'withdraw' end as op,
    reason <> '' or op = 'delete' as deleted,
    late,
    'crime_report' as kind,
    case when reason = '' then replace(occurred_civil, ' ', 'T') end as occurred_local,
    case
        when reason = '' then cast(convert_tz(occurred_civil, 'America/Los_Angeles', 'UTC') as timestamp(3))
    end as occurred_at,
    case when reason = '' then time_precision end as time_precision,
    'America/Los_Angeles' as time_zone,
    reported_local,
    cast(null as string) as closed_local,
    -- codes that are not listed go by their words
    coalesce({{ category }}, {{ category_by_words }}, 'unmapped') as category,
    crm_cd as code,
    crm_cd_desc as description,
    coalesce({{ status }}, 'unknown') as status,
    status_code,
    'area' as area_kind,
    area_name as area,
    place,
    premis_desc as premise,
    case when has_coordinates and latitude <> 0 and longitude <> 0 then latitude end as latitude,
    case when has_coordinates and latitude <> 0 and longitude <> 0 then longitude end as longitude,
    cast(null as string) as priority,
    -- assaults on an intimate partner, the only codes that name it; of all others the feed says nothing
    case when crm_cd in ('236', '626') then true end as domestic,
    concat_ws(
        ',',
        case when area_name is null then 'area_unknown' end,
        case when not has_coordinates then 'coordinates_missing' end,
        case when has_coordinates and (latitude = 0 or longitude = 0) then 'coordinates_zero' end,
        case
            when reason = '' and time_precision = 'minute' and substring(occurred_civil, 12, 5) = '00:00'
                then 'midnight'
        end,
        case when place is null then 'place_unknown' end,
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
from la_crime_2020_2024_parsed
where reason = '' or revision > 1;

insert into dead_letters
select
    concat_ws(':', 'la_crime_2020_2024', record_id, cast(revision as string), reason) as dead_id,
    'la_crime_2020_2024' as source,
    'normalise' as stage,
    reason,
    case reason
        when 'key_mismatch' then concat('dr_no is not the record id ', record_id, '.')
        when 'event_time_missing' then 'date_occ holds no value.'
        when 'event_time_out_of_range' then concat('The event time ', occurred_civil, ' is before 1900 or after 2099.')
        else concat('The event time ', occurred_text, ' is not a civil date.')
    end as detail,
    cast({{ row_as_json }} as bytes) as payload,
    record_id,
    poll_id,
    raw_partition,
    raw_offset,
    observed_at
from la_crime_2020_2024_parsed
where reason <> '' and op not in ('delete', 'expire');
