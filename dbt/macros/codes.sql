{# What marts say of harmonised codes, in one place. The codes of the feeds become these words in the crosswalks. #}

{% macro stated(column) -%}
coalesce({{ column }}, 'not_stated')
{%- endmacro %}

{% macro known(column) -%}
coalesce({{ column }}, 'unknown')
{%- endmacro %}

{% macro age_group(age) -%}
case
    when {{ age }} < 18 then '0-17'
    when {{ age }} < 30 then '18-29'
    when {{ age }} < 45 then '30-44'
    when {{ age }} < 60 then '45-59'
    when {{ age }} >= 60 then '60+'
    else 'unknown'
end
{%- endmacro %}

{# Cleared as the FBI counts it: by an arrest or by exceptional means. #}
{% macro cleared(status) -%}
{{ status }} in ('cleared_arrest', 'cleared_exceptional')
{%- endmacro %}

{% macro season(month) -%}
case
    when extract(month from {{ month }}) in (12, 1, 2) then 'winter'
    when extract(month from {{ month }}) <= 5 then 'spring'
    when extract(month from {{ month }}) <= 8 then 'summer'
    else 'autumn'
end
{%- endmacro %}

{# The centre of the cell of 0.01 degree; rounded, as a sum of doubles would not be equal to itself. #}
{% macro cell(degrees) -%}
round(floor({{ degrees }} * 100) / 100 + 0.005, 3)
{%- endmacro %}

{# Days after the end of a month at which it is looked at. #}
{% macro lag_ages() -%}
[0, 1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365]
{%- endmacro %}

{# A place of Catalonia is town, comarca and province as far as they are known. Only the name of a town may hold a
   comma, and of a place of two parts the first is the comarca, which every known town has. #}
{% macro town(place) -%}
coalesce(regexp_extract({{ place }}, r'^(.*), [^,]+, [^,]+$'), 'unknown')
{%- endmacro %}

{% macro comarca(place) -%}
coalesce(trim(regexp_extract({{ place }}, r'([^,]+), [^,]+$')), 'unknown')
{%- endmacro %}

{% macro province(place) -%}
coalesce(trim(regexp_extract({{ place }}, r'([^,]+)$')), 'unknown')
{%- endmacro %}
