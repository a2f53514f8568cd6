-- Denver traffic accidents: one raw event becomes one incident, or a dead letter, or both (an earlier good revision is
-- withdrawn). Stateless and total: no value in a row can make an expression fail.
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
{% import 'civil.jinja' as civil %}
{% import 'record.jinja' as record %}
{% import 'step.jinja' as step %}

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
        nullif(nullif(trim(`row`.road_description), ''), 'UNDER INVESTIGATION') as road_description,
        nullif(trim(`row`.road_condition), '') as road_condition_code,
        nullif(trim(`row`.light_condition), '') as light_condition_code,
        trim(`row`.seriously_injured) as injured_text,
        trim(`row`.fatalities) as fatalities_text,
        {{ step.first() }}
    from raw_denver_traffic_accidents
),

clocked as (
    select
        published.*,
        case
            when {{ civil.is_epoch('occurred_text') }}
                then {{ civil.of_epoch('occurred_text', "'America/Denver'") | indent(16) }}
            {{ civil.twelve_hours('occurred_text') | indent(12) }}
        end as occurred_raw,
        case
            when {{ civil.is_epoch('reported_text') }}
                then {{ civil.of_epoch('reported_text', "'America/Denver'") | indent(16) }}
            {{ civil.twelve_hours('reported_text') | indent(12) }}
        end as reported_raw,
        {{ step.next(1) }}
    from published
),

timed as (
    select
        clocked.*,
        case
            when date_format(try_cast(occurred_raw as timestamp(0)), 'yyyy-MM-dd HH:mm:ss') = occurred_raw
                then date_format(
                    try_cast(occurred_raw as timestamp(0))
                    + case when substring(occurred_raw, 18, 2) = '59' then 1 else 0 end * interval '1' second,
                    'yyyy-MM-dd HH:mm:ss'
                )
        end as occurred_civil,
        case
            when date_format(try_cast(reported_raw as timestamp(0)), 'yyyy-MM-dd HH:mm:ss') = reported_raw
                then date_format(
                    try_cast(reported_raw as timestamp(0))
                    + case when substring(reported_raw, 18, 2) = '59' then 1 else 0 end * interval '1' second,
                    'yyyy-MM-dd HH:mm:ss'
                )
        end as reported_civil,
        coalesce(try_cast(trim(`row`.geo_lat) as double), try_cast(trim(`row`.lat) as double)) as latitude,
        coalesce(try_cast(trim(`row`.geo_lon) as double), try_cast(trim(`row`.lng) as double)) as longitude,
        regexp_replace(
            trim(both '-' from regexp_replace(replace(lower(offense), '&', 'and'), '[^a-z0-9]+', '-')),
            '^traf-',
            'traffic-'
        ) as accident_type,
        -- UI is the police's word for unknown, in districts for certain
        nullif(nullif(nullif(trim(both '-' from neighbourhood), ''), 'ui'), 'unknown') as area,
        {{ step.next(2) }}
    from clocked
)

select
    timed.*,
    case
        {{ step.last(3) }}
        when incident_number is null or incident_number <> record_number then 'key_mismatch'
        when coalesce(occurred_text, '') = '' then 'event_time_missing'
        when occurred_civil is null then 'event_time_unparsable'
        when regexp(occurred_civil, '^(19|20)') then ''
        else 'event_time_out_of_range'
    end as reason,
    coalesce({{ category }}, 'unmapped') as category,
    {{ record.has_coordinates() }} as has_coordinates,
    {{ record.people('fatalities_text') | indent(4) }} as fatalities,
    upper(road_condition_code) as road_words,
    upper(light_condition_code) as light_words
from timed;

insert into incidents (
    incident_id, source, record_id, revision, op, deleted, late, kind, occurred_local, occurred_at, time_precision,
    time_zone, reported_local, category, crime_against, code, description, status, area_kind, area, place, premise,
    latitude, longitude, seriously_injured, fatalities, road_condition, road_condition_code, light_condition,
    light_condition_code, quality_flags, observed_at, source_updated_at, poll_id, raw_partition, raw_offset
)
select
    {{ record.identity(source, 'accident', record_id='record_number') | indent(4) }},
    {{ record.occurred('America/Denver', "'minute'") | indent(4) }},
    replace(reported_civil, ' ', 'T') as reported_local,
    category,
    {{ crime_against }} as crime_against,
    offense_code as code,
    offense as description,
    -- the feed says nothing of the police's case
    'unknown' as status,
    'neighbourhood' as area_kind,
    area,
    address as place,
    road_description as premise,
    {{ record.coordinates() | indent(4) }},
    {{ record.people('injured_text') | indent(4) }} as seriously_injured,
    fatalities,
    {{ record.mapped('road_words', road_condition) }} as road_condition,
    road_condition_code,
    {{ record.mapped('light_words', light_condition) }} as light_condition,
    light_condition_code,
    concat_ws(
        ',',
        case when area is null then 'area_unknown' end,
        {{ record.coordinate_flags() | indent(8) }},
        -- the label and the number of people killed tell two stories
        case
            when (accident_type in ('traffic-accident-fatal', 'traffic-vehicular-homicide')) <> (fatalities > 0)
                then 'fatalities_disagree'
        end,
        case when reason = '' and substring(occurred_civil, 12, 5) = '00:00' then 'midnight' end,
        case when address is null then 'place_unknown' end
    ) as quality_flags,
    {{ record.origin() | indent(4) }}
from denver_traffic_accidents_parsed
where reason = '' or revision > 1;

{% call record.dead_letters(source, row_as_json, record_id='record_number') %}
case reason
    when 'key_mismatch' then concat('incident_id is not the record id ', record_id, '.')
    when 'event_time_missing' then 'first_occurrence_date holds no value.'
    when 'event_time_out_of_range' then concat('The event time ', occurred_civil, ' is before 1900 or after 2099.')
    else concat('The event time ', occurred_text, ' is neither epoch milliseconds nor a civil date and time.')
end
{% endcall %}
