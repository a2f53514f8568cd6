-- Catalonia hate crimes, persons: a raw event becomes an incident, or a dead letter, or both (an earlier good revision
-- is withdrawn). Stateless and total: no value in a row can make an expression fail.
-- The feed's words change every year (letter case, blanks, apostrophes, abbreviations), so crosswalks see them in lower
-- case with single blanks. Year and month are all that is published of the time: occurred_local is the month's start.
{% import 'civil.jinja' as civil %}
{% import 'record.jinja' as record %}

create temporary view catalonia_hate_persons_parsed as
with published as (
    select
        *,
        `partition` as raw_partition,
        `offset` as raw_offset,
        trim(`row`.`any`) as year_text,
        trim(`row`.num_mes) as month_text,
        lower(trim(`row`.nom_mes)) as month_name,
        nullif(trim(regexp_replace(`row`.area_basica_policial_abp, '[\s\h]+', ' ')), '') as police_area,
        nullif(trim(regexp_replace(`row`.provincia, '[\s\h]+', ' ')), '') as province,
        nullif(trim(regexp_replace(`row`.comarca, '[\s\h]+', ' ')), '') as comarca,
        nullif(trim(regexp_replace(`row`.municipi, '[\s\h]+', ' ')), '') as municipality,
        nullif(trim(regexp_replace(`row`.tipus_de_lloc_dels_fets, '[\s\h]+', ' ')), '') as premise,
        nullif(trim(regexp_replace(`row`.tipus_de_fet_codi_penal_o, '[\s\h]+', ' ')), '') as offence_text,
        lower(trim(`row`.rol_victima_o_autoria)) as role_text,
        nullif(lower(trim(`row`.sexe)), '') as sex,
        try_cast(trim(`row`.edat_inici_fets) as double) as age_given,
        trim(`row`.nombre) as persons,
        lower(trim(regexp_replace(replace(`row`.ambit_procediment_fet, '’', ''''), '[\s\h]+', ' '))) as motive
    from raw_catalonia_hate_persons
),

counted as (
    select
        published.*,
        parsed.offence,
        parsed.month_number,
        parsed.month_named,
        parsed.person_role,
        parsed.age
    from published
    cross join unnest(array [row(
        lower(replace(offence_text, '’', '''')),
        {{ civil.catalan_month('month_text', 'month_name') | indent(8) }},
        case
            when role_text like 'v_ctim%' then 'victim'
            when role_text like '%autor%' then 'author'
        end,
        -- 150 and more is the publisher's word for unknown
        case when age_given >= 0 and age_given < 150 then cast(floor(age_given) as int) end
    )]) as parsed (offence, month_number, month_named, person_role, age)
),

judged as (
    select
        counted.*,
        parsed.occurred_civil,
        parsed.reason
    from counted
    cross join unnest(array [row(
        concat(year_text, '-', coalesce(month_number, month_named), '-01 00:00:00'),
        case
            when
                coalesce(year_text, '') = ''
                or (coalesce(month_text, '') = '' and coalesce(month_name, '') = '')
                then 'event_time_missing'
            when not regexp(year_text, '^[0-9]{4}$') or coalesce(month_number, month_named) is null
                then 'event_time_unparsable'
            when not regexp(year_text, '^(19|20)') then 'event_time_out_of_range'
            else ''
        end
    )]) as parsed (occurred_civil, reason)
)

select * from judged;

insert into incidents (
    incident_id, source, record_id, revision, op, deleted, late, kind, occurred_local, occurred_at, time_precision,
    time_zone, category, code, description, status, area_kind, area, place, premise, domestic, quality_flags,
    observed_at, source_updated_at, poll_id, raw_partition, raw_offset
)
select
    {{ record.identity(source, 'hate_crime') | indent(4) }},
    {{ record.occurred('Europe/Madrid', "'month'") | indent(4) }},
    coalesce({{ category }}, 'unmapped') as category,
    offence_text as code,
    -- motive; role; sex; age, the motive in stable words: the feed has no code for it and spells it anew every year
    concat_ws(
        '; ',
        coalesce({{ description }}, nullif(motive, ''), 'unknown'),
        coalesce(person_role, 'unknown'),
        coalesce(sex, 'unknown'),
        coalesce(cast(age as string), 'unknown')
    ) as description,
    'unknown' as status,
    'police_area' as area_kind,
    police_area as area,
    nullif(concat_ws(', ', municipality, comarca, province), '') as place,
    premise,
    case
        when
            motive = 'violència domèstica'
            or offence like '%àmbit de la llar%'
            or offence like '%àmbit familiar%'
            or offence like '%173.2%'
            then true
    end as domestic,
    concat_ws(
        ',',
        case when age is null then 'age_unknown' end,
        case when police_area is null then 'area_unknown' end,
        case when persons <> '1' then 'count_not_one' end,
        case when reason = '' and month_number is null then 'month_from_name' end,
        case when reason = '' and month_number <> month_named then 'month_mismatch' end,
        case when lower(municipality) like 'resta%' then 'place_masked' end,
        case when municipality is null then 'place_unknown' end,
        case when lower(province) like '%virtual%' then 'place_virtual' end,
        case when person_role is null then 'role_unknown' end,
        case when sex is null then 'sex_unknown' end
    ) as quality_flags,
    {{ record.origin() | indent(4) }}
from catalonia_hate_persons_parsed
where reason = '' or revision > 1;

{% call record.dead_letters(source, row_as_json) %}
case reason
    when 'event_time_missing' then 'The year or both columns of the month hold no value.'
    when 'event_time_out_of_range' then concat('The year ', year_text, ' is before 1900 or after 2099.')
    else concat_ws(' ', 'Year and month are not a month:', year_text, month_text, month_name)
end
{% endcall %}
