-- California local area unemployment: one raw row becomes four indicators, or a dead letter. Stateless and total: no
-- value in a row can make an expression fail. The month is part of the identity, so a row that cannot be normalised
-- never had a good revision: there is nothing to withdraw.
-- A rate is written as a fraction. With a percent sign it is percent; else it is what lies nearer to the row's own
-- unemployment / labor_force; where the row does not have these, a number above 1 is percent.
{% import 'record.jinja' as record %}
{% import 'step.jinja' as step %}

create temporary view california_laus_parsed as
with published as (
    select
        *,
        `partition` as raw_partition,
        `offset` as raw_offset,
        -- blanks of any kind around the values are not part of them
        regexp_replace(`row`.area_type, '^[\s\h]+|[\s\h]+$', '') as area_type,
        regexp_replace(`row`.area_name, '^[\s\h]+|[\s\h]+$', '') as area_name,
        regexp_replace(`row`.`date`, '^[\s\h]+|[\s\h]+$', '') as date_text,
        regexp_replace(`row`.seasonally_adjusted, '^[\s\h]+|[\s\h]+$', '') as adjusted,
        upper(regexp_replace(`row`.status, '^[\s\h]+|[\s\h]+$', '')) as status,
        nullif(regexp_replace(`row`.labor_force, '[\s\h,]', ''), '') as labor_force_text,
        nullif(regexp_replace(`row`.employment, '[\s\h,]', ''), '') as employment_text,
        nullif(regexp_replace(`row`.unemployment, '[\s\h,]', ''), '') as unemployment_text,
        nullif(regexp_replace(`row`.unemployment_rate, '[\s\h,]', ''), '') as rate_text,
        {{ step.first() }}
    from raw_california_laus
),

dated as (
    select
        published.*,
        case
            when regexp(date_text, '^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$') then substring(date_text, 1, 10)
            when regexp(date_text, '^[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}([T ].*)?$')
                then concat(
                    regexp_extract(date_text, '^([0-9]+)/([0-9]+)/([0-9]+)', 3),
                    '-',
                    lpad(regexp_extract(date_text, '^([0-9]+)/([0-9]+)/([0-9]+)', 1), 2, '0'),
                    '-',
                    lpad(regexp_extract(date_text, '^([0-9]+)/([0-9]+)/([0-9]+)', 2), 2, '0')
                )
        end as day_text,
        try_cast(labor_force_text as decimal(20, 2)) as labor_force,
        try_cast(employment_text as decimal(20, 2)) as employment,
        try_cast(unemployment_text as decimal(20, 2)) as unemployment,
        try_cast(replace(rate_text, '%', '') as decimal(20, 10)) as rate,
        {{ step.next(1) }}
    from published
),

scaled as (
    select
        dated.*,
        case
            when rate is null then false
            when position('%' in rate_text) > 0 then true
            when labor_force > 0 and unemployment >= 0
                then
                    abs(cast(rate as double) / 100 - cast(unemployment as double) / cast(labor_force as double))
                    < abs(cast(rate as double) - cast(unemployment as double) / cast(labor_force as double))
            else rate > 1
        end as is_percent,
        -- a date that does not exist (month 13, 30 February) does not survive the round trip
        case
            {{ step.last(2) }}
            when
                area_type is null or area_name is null or adjusted is null or date_text is null
                or concat_ws('|', area_type, area_name, date_text, adjusted)
                <> regexp_replace(record_id, '^[\s\h]+|[\s\h]+$', '')
                then 'key_mismatch'
            when
                date_format(try_cast(concat(day_text, ' 00:00:00') as timestamp(0)), 'yyyy-MM-dd') = day_text
                then case when regexp(day_text, '^(19|20)') then '' else 'event_time_out_of_range' end
            else 'event_time_unparsable'
        end as reason,
        {{ step.next(2) }}
    from dated
)

select
    scaled.*,
    -- decimal arithmetic: 2.8 percent is 0.028 and not 0.027999…
    case
        {{ step.last(3, 'null') }}
        else cast(case when is_percent then rate / 100 else rate end as double)
    end as fraction
from scaled;

insert into indicators (
    indicator_id, source, record_id, revision, op, deleted, `indicator`, area_kind, area, `month`,
    seasonally_adjusted, preliminary, `value`, unit, quality_flags, observed_at, poll_id, raw_partition, raw_offset
)
select
    concat_ws(':', 'california_laus', record_id, figure.`indicator`) as indicator_id,
    'california_laus' as source,
    record_id,
    revision,
    op,
    op = 'delete' as deleted,
    figure.`indicator`,
    regexp_replace(lower(area_type), '[^a-z0-9]+', '_') as area_kind,
    area_name as area,
    coalesce(try_cast(concat(substring(day_text, 1, 7), '-01') as date), date '1970-01-01') as `month`,
    case upper(adjusted) when 'Y' then true when 'N' then false end as seasonally_adjusted,
    case when status like 'P%' then true when status like 'F%' then false end as preliminary,
    case when figure.is_possible then figure.number_given end as `value`,
    figure.unit,
    concat_ws(
        ',',
        case when upper(adjusted) not in ('Y', 'N') then 'adjustment_unknown' end,
        case when figure.unit = 'fraction' and is_percent then 'rate_was_percent' end,
        case when coalesce(status, '') not like 'P%' and coalesce(status, '') not like 'F%' then 'status_unknown' end,
        case when figure.published is null then 'value_missing' end,
        case when figure.number_given is not null and not figure.is_possible then 'value_out_of_range' end,
        case when figure.published is not null and figure.number_given is null then 'value_unparsable' end
    ) as quality_flags,
    observed_at,
    poll_id,
    raw_partition,
    raw_offset
from california_laus_parsed
cross join
    unnest(array [
        row(
            'employment', employment_text, cast(employment as double), coalesce(employment >= 0, false), 'persons'
        ),
        row(
            'labor_force', labor_force_text, cast(labor_force as double), coalesce(labor_force >= 0, false), 'persons'
        ),
        row(
            'unemployment',
            unemployment_text,
            cast(unemployment as double),
            coalesce(unemployment >= 0, false),
            'persons'
        ),
        row('unemployment_rate', rate_text, fraction, coalesce(fraction between 0 and 1, false), 'fraction')
    ]) as figure (`indicator`, published, number_given, is_possible, unit)
where reason = '';

{% call record.dead_letters(source, row_as_json) %}
case reason
    when 'key_mismatch' then concat('Area, date and adjustment are not the record id ', record_id, '.')
    when 'event_time_out_of_range' then concat('The month ', date_text, ' is before 1900 or after 2099.')
    else concat('The month ', date_text, ' is not a date.')
end
{% endcall %}
