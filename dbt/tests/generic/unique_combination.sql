{% test unique_combination(model, columns) %}
{# The grain of a model: no two rows agree in all of these columns. Nulls count as a value. #}

select
    {{ columns | join(', ') }},
    count(*) as n_rows

from {{ model }}

group by {{ columns | join(', ') }}

having count(*) > 1

{% endtest %}
