{% test rows_add_up(model) %}
{# The poll protocol's own equation: every row received was published, known already or sent to dead letters. #}

select
    poll_id,
    rows_in,
    inserted + revised + reappeared + unchanged + dead as rows_accounted_for

from {{ model }}

where rows_in != inserted + revised + reappeared + unchanged + dead

{% endtest %}
