{% test parts_add_up(model, whole, parts) %}
{# A whole is the sum of its parts, row by row. #}

select
    {{ whole }},
    {{ parts | join(' + ') }} as sum_of_parts

from {{ model }}

where {{ whole }} != {{ parts | join(' + ') }}

{% endtest %}
