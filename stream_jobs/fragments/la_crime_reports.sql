{% import 'civil.jinja' as civil %}
{% import 'la.jinja' as la %}
{% import 'record.jinja' as record %}
{% import 'step.jinja' as step %}
-- One raw event becomes one incident, or a dead letter, or both (an earlier good revision is withdrawn). Stateless and
-- total: no value in a row can make an expression fail. The area is its name, which every form of the table writes
-- alike; its code is 01 or 1.

create temporary view {{ source }}_parsed as
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
        -- codes are numbers that spreadsheets like to write with decimals
        nullif(regexp_replace(trim(`row`.premis_cd), '[.]0+$', ''), '') as premise_code,
        nullif(regexp_replace(trim(`row`.weapon_used_cd), '[.]0+$', ''), '') as weapon_code,
        nullif(upper(trim(`row`.vict_sex)), '') as victim_sex_code,
        nullif(upper(trim(`row`.vict_descent)), '') as victim_descent_code,
        try_cast(trim(`row`.vict_age) as double) as age_given,
        -- padded with runs of spaces; a cross street means that location is the other street of an intersection
        nullif(trim(regexp_replace(`row`.location, ' +', ' ')), '') as street,
        nullif(trim(regexp_replace(`row`.cross_street, ' +', ' ')), '') as cross_street,
        try_cast(`row`.lat as double) as latitude,
        try_cast(`row`.lon as double) as longitude,
        {{ step.first() }}
    from raw_{{ source }}
),

{{ la.times() }}

select
    timed.*,
    case
        {{ step.last(4) }}
        when dr_no is null or dr_no <> trim(record_id) then 'key_mismatch'
        when coalesce(occurred_text, '') = '' then 'event_time_missing'
        {{ civil.verdict('occurred_civil') | indent(8) }}
    end as reason,
    {{ civil.local('reported_civil') | indent(4) }} as reported_local,
    -- codes that are not listed go by their words
    case
        when {{ category }} is not null
            then {{ category }}
        else coalesce({{ category_by_words }}, 'unmapped')
    end as category,
    nullif(concat_ws(' / ', street, cross_street), '') as place,
    {{ record.has_coordinates() }} as has_coordinates,
    {{ record.age('age_given', 1) }} as victim_age,
    {{ record.mapped('victim_sex_code', victim_sex) }} as victim_sex,
    {{ record.mapped('victim_descent_code', victim_descent) }} as victim_descent,
    -- a stolen car has no victim to describe: sex and descent are blank and the age is 0
    victim_sex_code is not null or victim_descent_code is not null as has_victim
from timed;

insert into incidents (
    incident_id, source, record_id, revision, op, deleted, late, kind, occurred_local, occurred_at, time_precision,
    time_zone, reported_local, category, crime_against, code, description, status, status_code, area_kind, area,
    place, premise, premise_code, latitude, longitude, domestic, victim_age, victim_sex, victim_sex_code,
    victim_descent, victim_descent_code, weapon, weapon_code, quality_flags, observed_at, source_updated_at,
    poll_id, raw_partition, raw_offset
)
select
    {{ record.identity(source, 'crime_report') | indent(4) }},
    {{ record.occurred('America/Los_Angeles', 'time_precision') | indent(4) }},
    reported_local,
    category,
    {{ crime_against }} as crime_against,
    crm_cd as code,
    crm_cd_desc as description,
    coalesce({{ status }}, 'unknown') as status,
    status_code,
    'area' as area_kind,
    area_name as area,
    place,
    premis_desc as premise,
    premise_code,
    {{ record.coordinates() | indent(4) }},
    -- assaults on an intimate partner, the only codes that name it; of all others the feed says nothing
    case when crm_cd in ('236', '626') then true end as domestic,
    victim_age,
    victim_sex,
    victim_sex_code,
    victim_descent,
    victim_descent_code,
    {{ record.mapped('weapon_code', weapon) }} as weapon,
    weapon_code,
    concat_ws(
        ',',
        case when age_given < 0 or age_given >= 111 then 'age_impossible' end,
        case when has_victim and (age_given is null or (age_given >= 0 and age_given < 1)) then 'age_unknown' end,
        case when area_name is null then 'area_unknown' end,
        {{ record.coordinate_flags() | indent(8) }},
        case when has_victim and {{ record.says_nothing('victim_descent') }} then 'descent_unknown' end,
        {{ record.midnight_flag() | indent(8) }},
        case when place is null then 'place_unknown' end,
        case when has_victim and {{ record.says_nothing('victim_sex') }} then 'sex_unknown' end,
        {{ record.clock_flags() | indent(8) }}
    ) as quality_flags,
    {{ record.origin() | indent(4) }}
from {{ source }}_parsed
where reason = '' or revision > 1;

{% call record.dead_letters(source, row_as_json) %}
case reason
    when 'key_mismatch' then concat('dr_no is not the record id ', record_id, '.')
    when 'event_time_missing' then 'date_occ holds no value.'
    when 'event_time_out_of_range' then concat('The event time ', occurred_civil, ' is before 1900 or after 2099.')
    else concat('The event time ', occurred_text, ' is not a civil date.')
end
{% endcall %}
