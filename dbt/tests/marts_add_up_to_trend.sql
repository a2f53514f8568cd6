{{ config(severity=env_var('CIVICWIRE_EQUATIONS', 'error')) }}
-- Business equation: every mart that counts incidents counts all of its kinds, each once, whatever it divides them by.

{%- set marts = [
    ('incidents_by_area', 'incidents', 'true'),
    ('incidents_by_code', 'incidents', 'true'),
    ('incidents_by_cell', 'incidents', 'true'),
    ('revisions_by_month', 'incidents', 'true'),
    ('weapons_by_month', 'incidents', "kind in ('crime_report', 'offence')"),
    ('accidents_by_condition', 'accidents', "kind = 'accident'"),
    ('service_requests_by_agency', 'contacts', "kind = 'service_request'"),
    ('hate_crime_facts', 'facts', "kind = 'hate_crime'"),
] %}

with

counted as (

    {% for mart, count, condition in marts %}
        select
            '{{ mart }}' as mart,
            source,
            month,
            {{ count }} as in_mart,
            0 as in_trend

        from {{ ref(mart) }}

        union all

        select
            '{{ mart }}' as mart,
            source,
            month,
            0 as in_mart,
            incidents as in_trend

        from {{ ref('city_month_trend') }}

        where {{ condition }}

        {% if not loop.last %}union all{% endif %}
    {% endfor %}

)

select
    mart,
    source,
    month,
    sum(in_mart) as incidents_in_mart,
    sum(in_trend) as incidents_in_trend

from counted

group by mart, source, month

having sum(in_mart) != sum(in_trend)
