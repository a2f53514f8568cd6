{% test parts_add_up(model, whole, parts) %}
{# A whole is the sum of its parts, row by row. #}

select * from {{ model }}

where {{ whole }} != {{ parts | join(' + ') }}

{% endtest %}
