-- Los Angeles NIBRS offences: one raw event becomes one incident, or a dead letter, or both (an earlier good revision
-- is withdrawn). An incident is an offence, of which a case has several. Stateless and total: no value in a
-- row can make an expression fail.
-- The area is its name, which every form of the table writes alike; its code is 01 or 1.
{% import 'civil.jinja' as civil %}
{% import 'la.jinja' as la %}
{% import 'record.jinja' as record %}
{% import 'step.jinja' as step %}

create temporary view la_nibrs_offenses_parsed as
with published as (
    select
        *,
        `partition` as raw_partition,
        `offset` as raw_offset,
        trim(`row`.uniquenibrno) as uniquenibrno,
        nullif(trim(`row`.caseno), '') as case_id,
        upper(trim(replace(`row`.date_occ, 'T', ' '))) as occurred_text,
        trim(`row`.time_occ) as occurred_clock,
        upper(trim(replace(`row`.date_rptd, 'T', ' '))) as reported_text,
        nullif(upper(trim(`row`.nibr_code)), '') as published_code,
        nullif(trim(`row`.nibr_description), '') as nibr_description,
        lower(trim(`row`.crime_against)) as published_against,
        -- the code is a number without a published meaning; the words say it
        upper(trim(`row`.status_desc)) as status_desc,
        nullif(trim(`row`.status), '') as status_code,
        upper(trim(`row`.domestic_violence_crime)) as domestic_violence_crime,
        nullif(trim(`row`.area_name), '') as area_name,
        nullif(trim(`row`.premis_desc), '') as premis_desc,
        nullif(trim(`row`.premis_cd), '') as premise_code,
        -- as with the status, the words say what the code means
        nullif(upper(trim(`row`.weapon_desc)), '') as weapon_words,
        nullif(trim(`row`.weapon_used_cd), '') as weapon_code,
        trim(`row`.totalvictimcount) as victim_count,
        nullif(trim(regexp_replace(`row`.location, ' +', ' ')), '') as place,
        try_cast(`row`.lat as double) as latitude,
        try_cast(`row`.lon as double) as longitude,
        {{ step.first() }}
    from raw_la_nibrs_offenses
),

{{ la.times() }}

select
    timed.*,
    case
        {{ step.last(4) }}
        when uniquenibrno is null or uniquenibrno <> trim(record_id) then 'key_mismatch'
        when coalesce(occurred_text, '') = '' then 'event_time_missing'
        {{ civil.verdict('occurred_civil') | indent(8) }}
    end as reason,
    {{ civil.local('reported_civil') | indent(4) }} as reported_local,
    -- 9A is 09A without its zero
    case when char_length(published_code) < 3 then lpad(published_code, 3, '0') else published_code end as nibr_code,
    {{ record.has_coordinates() }} as has_coordinates
from timed;

insert into incidents (
    incident_id, source, record_id, revision, op, deleted, late, kind, case_id, occurred_local, occurred_at,
    time_precision, time_zone, reported_local, category, crime_against, code, description, status, status_code,
    area_kind, area, place, premise, premise_code, latitude, longitude, domestic, victims, weapon, weapon_code,
    quality_flags, observed_at, source_updated_at, poll_id, raw_partition, raw_offset
)
select
    {{ record.identity(source, 'offence') | indent(4) }},
    case_id,
    {{ record.occurred('America/Los_Angeles', 'time_precision') | indent(4) }},
    reported_local,
    coalesce({{ category }}, 'unmapped') as category,
    case
        when published_against in ('person', 'property', 'society') then published_against
        when published_against like 'not a crime%' then 'not_a_crime'
        else {{ against }}
    end as crime_against,
    nibr_code as code,
    nibr_description as description,
    coalesce({{ status }}, 'unknown') as status,
    status_code,
    'area' as area_kind,
    area_name as area,
    place,
    premis_desc as premise,
    premise_code,
    {{ record.coordinates() | indent(4) }},
    case
        when domestic_violence_crime in ('YES', 'Y') then true
        when domestic_violence_crime in ('NO', 'N') then false
    end as domestic,
    {{ record.people('victim_count') | indent(4) }} as victims,
    {{ record.mapped('weapon_words', weapon) }} as weapon,
    weapon_code,
    concat_ws(
        ',',
        case when area_name is null then 'area_unknown' end,
        {{ record.coordinate_flags() | indent(8) }},
        {{ record.midnight_flag() | indent(8) }},
        case when place is null then 'place_unknown' end,
        {{ record.clock_flags() | indent(8) }}
    ) as quality_flags,
    {{ record.origin() | indent(4) }}
from la_nibrs_offenses_parsed
where reason = '' or revision > 1;

{% call record.dead_letters(source, row_as_json) %}
case reason
    when 'key_mismatch' then concat('uniquenibrno is not the record id ', record_id, '.')
    when 'event_time_missing' then 'date_occ holds no value.'
    when 'event_time_out_of_range' then concat('The event time ', occurred_civil, ' is before 1900 or after 2099.')
    else concat('The event time ', occurred_text, ' is not a civil date.')
end
{% endcall %}
