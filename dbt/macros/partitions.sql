{# Incremental marts: which partitions are rebuilt.

   A revision can move an incident out of any earlier month, and a delete empties one, so neither "the newest
   months" nor "the months of the new rows" will do. Each row of a mart says in changed_at up to which change of
   its source and partition it knows; a partition that has changed since is rebuilt whole. That needs no state
   beside the mart, repairs what a failed run left, and each mart finds its own way however models were
   selected. #}

{# The partitions of this mart that are behind, as ISO dates in order; none when all are to be built.

   changes: SQL of a relation with source, the partition's field and changed_at, and is_complete where the mart
   has it. #}
{% macro behind(changes, field='month') %}
    {%- if not execute or not is_incremental() -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set columns = adapter.get_columns_in_relation(this) | map(attribute='name') | list -%}
    {%- if 'changed_at' not in columns -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set filling = 'is_complete' in columns -%}
    {%- set query -%}
        select distinct format_date('%F', changes.{{ field }}) as stale
        from ({{ changes }}) as changes
        left join (
            select
                source,
                {{ field }},
                {% if filling %}logical_and(is_complete) as is_complete,{% endif %}
                max(changed_at) as changed_at
            from {{ this }}
            where {{ field }} >= '0001-01-01'
            group by source, {{ field }}
        ) as built
            on changes.source = built.source and changes.{{ field }} = built.{{ field }}
        where
            built.changed_at is null
            or built.changed_at < changes.changed_at
            {% if filling %}or built.is_complete != changes.is_complete{% endif %}
        order by stale
    {%- endset -%}
    {{ return(run_query(query).columns[0].values() | list) }}
{% endmacro %}

{# The months that are behind of a mart over incidents or persons: those of int_month_changes for which the
   condition holds, which must be true only where the mart has rows, as a month without rows would be looked at
   in every build. #}
{% macro months_behind(condition='true', of='incident', live=true) %}
    {%- set changes -%}
        select source, month, changed_at, is_complete from {{ ref('int_month_changes') }}
        where row_is = '{{ of }}' and {{ 'live_rows' if live else 'rows_of_month' }} > 0 and {{ condition }}
    {%- endset -%}
    {{ return(behind(changes)) }}
{% endmacro %}

{# The months that are behind of a mart over the stream's windows. #}
{% macro windows_behind(condition='true') %}
    {%- set changes -%}
        select source, month, changed_at from {{ ref('int_window_changes') }} where {{ condition }}
    {%- endset -%}
    {{ return(behind(changes)) }}
{% endmacro %}

{# The days that are behind of a mart over rows that are written once and never leave their day. #}
{% macro days_behind(relation, day) %}
    {%- set changes -%}
        select source, {{ day }} as day, max(loaded_at) as changed_at from {{ relation }} group by source, {{ day }}
    {%- endset -%}
    {{ return(behind(changes, 'day')) }}
{% endmacro %}

{# A condition, with its `and`, that a DATE column lies in the months (or days), as literal ranges that prune
   partitions; days_before widens each by the days before it. #}
{% macro and_in(partitions, column, unit='month', days_before=0) -%}
    {%- if partitions is not none -%}
        {%- set ranges = [] -%}
        {%- for start in partitions -%}
            {%- set first = "date_sub(date '" ~ start ~ "', interval " ~ days_before ~ " day)" -%}
            {%- set next = "date_add(date '" ~ start ~ "', interval 1 " ~ unit ~ ")" -%}
            {%- do ranges.append(column ~ ' >= ' ~ first ~ ' and ' ~ column ~ ' < ' ~ next) -%}
        {%- endfor -%}
        and ({{ ranges | join(' or ') if ranges else 'false' }})
    {%- endif -%}
{%- endmacro %}

{# Rows of a month that was rebuilt and came out empty: insert_overwrite replaces only months that have rows. What
   is older than its month's last change after a build is what has vanished. #}
{% macro delete_vanished(changes='int_month_changes') %}
    {%- if execute and is_incremental() -%}
        delete from {{ this }} as mart
        where
            mart.month >= '0001-01-01'
            and exists (
                select 1 from {{ ref(changes) }} as changes
                where
                    changes.source = mart.source
                    and changes.month = mart.month
                    and changes.changed_at > mart.changed_at
            )
    {%- else -%}
        select 1 as nothing_to_delete
    {%- endif -%}
{% endmacro %}

{# The hook of an incremental mart of which a month may lose all rows, to be rendered when it runs. #}
{% macro after_rebuilding(changes='int_month_changes') %}
    {{ return('{{ delete_vanished("' ~ changes ~ '") }}') }}
{% endmacro %}
