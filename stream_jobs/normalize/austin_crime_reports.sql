-- Austin crime reports: one raw event becomes one incident, or a dead letter, or both (an earlier good revision is
-- withdrawn). Stateless and total: no value in a row can make an expression fail.
{% import 'civil.jinja' as civil %}
{% import 'record.jinja' as record %}
{% import 'step.jinja' as step %}

{% set clock = civil.hhmm('occurred_clock') %}
{% set occurred_civil | trim %}
case
    when occurred_text <> '' then occurred_text
    when occurred_day <> '' then concat(occurred_day, ' ', coalesce({{ clock }}, '00:00:00'))
end
{% endset %}

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
        nullif(trim(`row`.clearance_status), '') as clearance_status,
        try_cast(`row`.latitude as double) as latitude,
        try_cast(`row`.longitude as double) as longitude,
        {{ step.first() }}
    from raw_austin_crime_reports
)

select
    published.*,
    {{ occurred_civil | indent(4) }} as occurred_civil,
    case when occurred_text <> '' or {{ clock }} is not null then 'minute' else 'day' end as time_precision,
    case
        {{ step.last(1) }}
        when incident_report_number is null or incident_report_number <> trim(record_id) then 'key_mismatch'
        when {{ occurred_civil }} is null then 'event_time_missing'
        {{ civil.verdict(occurred_civil) | indent(8) }}
    end as reason,
    {{ civil.local('reported_text') | indent(4) }} as reported_local,
    {{ civil.local('closed_text') | indent(4) }} as closed_local,
    coalesce({{ category }}, 'unmapped') as category,
    {{ record.has_coordinates() }} as has_coordinates
from published;

insert into incidents (
    incident_id, source, record_id, revision, op, deleted, late, kind, occurred_local, occurred_at, time_precision,
    time_zone, reported_local, closed_local, category, crime_against, code, description, status, status_code,
    area_kind, area, place, premise, latitude, longitude, domestic, quality_flags, observed_at, source_updated_at,
    poll_id, raw_partition, raw_offset
)
select
    {{ record.identity(source, 'crime_report') | indent(4) }},
    {{ record.occurred('America/Chicago', 'time_precision') | indent(4) }},
    reported_local,
    closed_local,
    category,
    {{ crime_against }} as crime_against,
    ucr_code as code,
    crime_type as description,
    case when clearance_status is null then 'open' else coalesce({{ status }}, 'unknown') end as status,
    clearance_status as status_code,
    'sector' as area_kind,
    sector as area,
    address as place,
    location_type as premise,
    {{ record.coordinates() | indent(4) }},
    case family_violence when 'Y' then true when 'N' then false end as domestic,
    concat_ws(
        ',',
        case when sector is null then 'area_unknown' end,
        {{ record.coordinate_flags() | indent(8) }},
        {{ record.midnight_flag() | indent(8) }},
        case when address is null then 'place_unknown' end,
        {{ record.clock_flags() | indent(8) }}
    ) as quality_flags,
    {{ record.origin() | indent(4) }}
from austin_crime_reports_parsed
where reason = '' or revision > 1;

{% call record.dead_letters(source, row_as_json) %}
case reason
    when 'key_mismatch' then concat('incident_report_number is not the record id ', record_id, '.')
    when 'event_time_missing' then 'Neither occ_date_time nor occ_date holds a value.'
    when 'event_time_out_of_range' then concat('The event time ', occurred_civil, ' is before 1900 or after 2099.')
    else concat('The event time ', occurred_civil, ' is not a civil date and time.')
end
{% endcall %}
