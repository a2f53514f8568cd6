-- One raw event becomes one incident, or a dead letter, or both (an earlier good revision is withdrawn). Stateless and
-- total: no value in a row can make an expression fail.
-- - The row's identity is a hash of its content, so there is no key in the row that could be compared with it.
-- - category is service_request for all. Agencies are offices and not kinds of requests, the columns type and topic are
--   empty, and the summary is free text (48,803 different ones), so a crosswalk would be a guess. code is the agency.
-- - area is the council district: neighborhood is filled for about no row, council_district for 17 to 32 %.
-- - A status that the crosswalk does not know is closed where a closing time says so.
-- - op `expire` (the row has left the publisher's rolling window) is no deletion: the request was made.
{% import 'civil.jinja' as civil %}
{% import 'record.jinja' as record %}
{% import 'step.jinja' as step %}

{% set midnight_or_denver = "if(mod(try_cast(created_day as bigint), 86400000) = 0, 'UTC', 'America/Denver')" %}

create temporary view {{ source }}_parsed as
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
        ) as crossing,
        {{ step.first() }}
    from raw_{{ source }}
),

clocked as (
    select
        published.*,
        case
            {{ civil.twelve_hours('created_text') | indent(12) }}
        end as created_raw,
        -- epoch milliseconds (service) at midnight in UTC are that date; any other instant is read in Denver
        case
            when {{ civil.is_epoch('created_day') }}
                then substring(
                    {{ civil.of_epoch('created_day', midnight_or_denver) | indent(20) }},
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
        end as created_date,
        case
            {{ civil.twelve_hours('closed_text') | indent(12) }}
        end as closed_raw,
        try_cast(trim(`row`.latitude) as double) as latitude,
        try_cast(trim(`row`.longitude) as double) as longitude,
        case when regexp(district, '^[1-9][0-9]?$') then district end as area,
        {{ step.next(1) }}
    from published
),

timed as (
    select
        clocked.*,
        case
            when created_text <> '' then created_raw
            when created_day <> '' then concat(created_date, ' 00:00:00')
        end as occurred_civil,
        case when created_text <> '' then 'second' else 'day' end as time_precision,
        {{ civil.local('closed_raw') | indent(8) }} as closed_local,
        -- what is wrong with the coordinates; copied: the latitude stands in both columns
        case
            when latitude = 0 or longitude = 0 then 'coordinates_zero'
            when latitude = longitude then 'coordinates_copied'
            when {{ record.has_coordinates() }} then ''
            else 'coordinates_missing'
        end as coordinates,
        nullif(concat_ws(', ', coalesce(nullif(address, ''), nullif(crossing, '')), zip), '') as place,
        {{ step.next(2) }}
    from clocked
)

select
    timed.*,
    case
        {{ step.last(3) }}
        when occurred_civil is null then 'event_time_missing'
        {{ civil.verdict('occurred_civil') | indent(8) }}
    end as reason
from timed;

insert into incidents (
    incident_id, source, record_id, revision, op, deleted, late, kind, occurred_local, occurred_at, time_precision,
    time_zone, closed_local, category, crime_against, code, description, status, status_code, area_kind, area,
    place, latitude, longitude, quality_flags, observed_at, source_updated_at, poll_id, raw_partition, raw_offset
)
select
    {{ record.identity(source, 'service_request') | indent(4) }},
    {{ record.occurred('America/Denver', 'time_precision') | indent(4) }},
    closed_local,
    'service_request' as category,
    'not_a_crime' as crime_against,
    agency as code,
    summary as description,
    coalesce({{ status }}, case when closed_local is not null then 'closed' else 'unknown' end) as status,
    case_status as status_code,
    'council_district' as area_kind,
    area,
    place,
    case when coordinates = '' then latitude end as latitude,
    case when coordinates = '' then longitude end as longitude,
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
    {{ record.origin() | indent(4) }}
from {{ source }}_parsed
where reason = '' or revision > 1;

{% call record.dead_letters(source, row_as_json) %}
case reason
    when 'event_time_missing' then 'Neither case_created_dttm nor case_created_date holds a value.'
    when 'event_time_out_of_range' then concat('The event time ', occurred_civil, ' is before 1900 or after 2099.')
    else concat(
        'The event time ', coalesce(nullif(created_text, ''), created_day), ' is not a civil date and time.'
    )
end
{% endcall %}
