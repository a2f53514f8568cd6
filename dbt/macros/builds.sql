{# Write what each node of this build took to the mart builds, where that exists. One statement, at the end of a
   build. #}
{% macro record_builds(results) %}
    {%- set builds = adapter.get_relation(target.database, target.schema, 'builds') if execute else none -%}
    {%- if builds is none or not results -%}
        select 1 as nothing_to_record
    {%- else -%}
        insert into {{ builds }} (
            invocation_id, node, resource_type, status, built_at, day, seconds, rows_affected, bytes_processed
        )
        values
        {%- for result in results if result.node.resource_type not in ('exposure', 'operation') %}
        {%- set response = result.adapter_response or {} %}
            (
                '{{ invocation_id }}',
                '{{ result.node.name }}',
                '{{ result.node.resource_type }}',
                '{{ result.status }}',
                timestamp '{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}+00:00',
                date '{{ run_started_at.strftime("%Y-%m-%d") }}',
                {{ result.execution_time }},
                {{ response.get('rows_affected') if response.get('rows_affected') is not none else 'null' }},
                {{ response.get('bytes_processed') if response.get('bytes_processed') is not none else 'null' }}
            ){{ ',' if not loop.last }}
        {%- endfor %}
    {%- endif -%}
{% endmacro %}
