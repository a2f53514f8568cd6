-- Catalonia hate crimes, facts: a raw event becomes an incident, or a dead letter, or both (an earlier good revision
-- is withdrawn). Stateless and total: no value in a row can make an expression fail.
{% import 'catalonia.jinja' as catalonia %}
{% import 'record.jinja' as record %}
{% import 'step.jinja' as step %}

create temporary view catalonia_hate_facts_parsed as
with published as (
    select
        *,
        `partition` as raw_partition,
        `offset` as raw_offset,
        trim(`row`.`any`) as year_text,
        trim(`row`.n_m_mes) as month_text,
        lower(trim(`row`.nom_mes)) as month_name,
        {{ catalonia.words('rea_b_sica_policial_abp') }} as police_area,
        {{ catalonia.words('prov_ncia') }} as province,
        {{ catalonia.words('comarca') }} as comarca,
        {{ catalonia.words('municipi') }} as municipality,
        {{ catalonia.words('tipus_de_lloc_dels_fets') }} as premise,
        {{ catalonia.words('tipus_de_fet_codi_penal_o') }} as offence_text,
        {{ catalonia.words('t_tol_del_fet_codi_penal') }} as chapter,
        {{ catalonia.words('mbit_fet') }} as motive_code,
        lower(trim(`row`.canal_dels_fets)) as channel,
        trim(`row`.nombre_fets_o_infraccions) as facts,
        trim(`row`.nombre_v_ctimes) as victim_count,
        {{ step.first() }}
    from raw_catalonia_hate_facts
),

{{ catalonia.months() }}

select
    judged.*,
    case {{ step.last(3) }} else coalesce({{ category }}, 'unmapped') end as category
from judged;

insert into incidents (
    incident_id, source, record_id, revision, op, deleted, late, kind, occurred_local, occurred_at, time_precision,
    time_zone, category, crime_against, code, description, motive, motive_code, status, area_kind, area, place,
    premise, domestic, victims, quality_flags, observed_at, source_updated_at, poll_id, raw_partition, raw_offset
)
select
    {{ record.identity(source, 'hate_crime') | indent(4) }},
    {{ record.occurred('Europe/Madrid', "'month'") | indent(4) }},
    category,
    {{ crime_against }} as crime_against,
    offence_text as code,
    chapter as description,
    {{ record.mapped('motive_text', motive) }} as motive,
    motive_code,
    'unknown' as status,
    'police_area' as area_kind,
    police_area as area,
    {{ catalonia.place() }} as place,
    premise,
    {{ catalonia.domestic() | indent(4) }} as domestic,
    {{ record.people('victim_count') | indent(4) }} as victims,
    concat_ws(
        ',',
        case when police_area is null then 'area_unknown' end,
        case when facts <> '1' then 'count_not_one' end,
        {{ catalonia.month_flags() | indent(8) }},
        case when channel like 'int%' then 'place_online' end,
        case when municipality is null then 'place_unknown' end,
        case when lower(province) like '%virtual%' then 'place_virtual' end
    ) as quality_flags,
    {{ record.origin() | indent(4) }}
from catalonia_hate_facts_parsed
where reason = '' or revision > 1;

{% call record.dead_letters(source, row_as_json) %}
{{ catalonia.dead_letter_detail() }}
{% endcall %}
