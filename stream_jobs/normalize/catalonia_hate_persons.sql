-- Catalonia hate crimes, persons: a raw event becomes a person, or a dead letter, or both (an earlier good revision is
-- withdrawn). Stateless and total: no value in a row can make an expression fail. A person is no incident: the facts
-- are in the other table, and nothing says which of them a person belongs to.
{% import 'catalonia.jinja' as catalonia %}
{% import 'record.jinja' as record %}
{% import 'step.jinja' as step %}

create temporary view catalonia_hate_persons_parsed as
with published as (
    select
        *,
        `partition` as raw_partition,
        `offset` as raw_offset,
        trim(`row`.`any`) as year_text,
        trim(`row`.num_mes) as month_text,
        lower(trim(`row`.nom_mes)) as month_name,
        {{ catalonia.words('area_basica_policial_abp') }} as police_area,
        {{ catalonia.words('provincia') }} as province,
        {{ catalonia.words('comarca') }} as comarca,
        {{ catalonia.words('municipi') }} as municipality,
        {{ catalonia.words('tipus_de_lloc_dels_fets') }} as premise,
        {{ catalonia.words('tipus_de_fet_codi_penal_o') }} as offence_text,
        {{ catalonia.words('ambit_procediment_fet') }} as motive_code,
        {{ catalonia.words('rol_victima_o_autoria') }} as role_code,
        {{ catalonia.words('sexe') }} as sex_code,
        {{ catalonia.words('edat_inici_fets') }} as age_code,
        trim(`row`.nombre) as persons,
        {{ step.first() }}
    from raw_catalonia_hate_persons
),

{{ catalonia.months() }},

described as (
    select
        judged.*,
        coalesce({{ category }}, 'unmapped') as category,
        lower(role_code) as role_text,
        lower(sex_code) as sex_text,
        try_cast(age_code as double) as age_given,
        {{ step.next(3) }}
    from judged
)

select
    described.*,
    case {{ step.last(4) }} else {{ record.mapped('role_text', role) }} end as `role`,
    {{ record.mapped('sex_text', sex) }} as sex,
    {{ record.age('age_given', 0) }} as age
from described;

insert into persons (
    person_id, source, record_id, revision, op, deleted, late, kind, `role`, role_code, sex, sex_code, age,
    age_code, motive, motive_code, occurred_local, occurred_at, time_precision, time_zone, category, crime_against,
    code, area_kind, area, place, premise, domestic, quality_flags, observed_at, source_updated_at, poll_id,
    raw_partition, raw_offset
)
select
    {{ record.identity(source, 'hate_crime', identity='person_id') | indent(4) }},
    `role`,
    role_code,
    sex,
    sex_code,
    age,
    age_code,
    {{ record.mapped('motive_text', motive) }} as motive,
    motive_code,
    {{ record.occurred('Europe/Madrid', "'month'") | indent(4) }},
    category,
    {{ crime_against }} as crime_against,
    offence_text as code,
    'police_area' as area_kind,
    police_area as area,
    {{ catalonia.place() }} as place,
    premise,
    {{ catalonia.domestic() | indent(4) }} as domestic,
    concat_ws(
        ',',
        -- 150 and more is the publisher's word for unknown
        case when age_given < 0 or (age_given >= 111 and age_given < 150) then 'age_impossible' end,
        case when age_given is null or age_given >= 150 then 'age_unknown' end,
        case when police_area is null then 'area_unknown' end,
        case when persons <> '1' then 'count_not_one' end,
        {{ catalonia.month_flags() | indent(8) }},
        case when municipality is null then 'place_unknown' end,
        case when lower(province) like '%virtual%' then 'place_virtual' end,
        case when {{ record.says_nothing('`role`') }} then 'role_unknown' end,
        case when {{ record.says_nothing('sex') }} then 'sex_unknown' end
    ) as quality_flags,
    {{ record.origin() | indent(4) }}
from catalonia_hate_persons_parsed
where reason = '' or revision > 1;

{% call record.dead_letters(source, row_as_json) %}
{{ catalonia.dead_letter_detail() }}
{% endcall %}
