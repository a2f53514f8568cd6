-- San Diego calls for service: one raw event becomes one incident, or a dead letter, or both (an earlier good revision
-- is withdrawn). Stateless and total: no value in a row can make an expression fail.
{% import 'civil.jinja' as civil %}
{% import 'record.jinja' as record %}
{% import 'step.jinja' as step %}

create temporary view san_diego_calls_parsed as
with published as (
    select
        *,
        `partition` as raw_partition,
        `offset` as raw_offset,
        trim(`row`.incident_num) as incident_num,
        substring(trim(replace(`row`.date_time, 'T', ' ')), 1, 19) as occurred_civil,
        nullif(trim(`row`.call_type), '') as call_type,
        nullif(trim(`row`.disposition), '') as disposition,
        nullif(nullif(trim(`row`.beat), ''), '-1') as beat,
        nullif(trim(`row`.priority), '') as priority,
        -- number 0 is unknown; absent parts are null, which concat_ws skips
        concat_ws(
            ' ',
            nullif(nullif(trim(`row`.address_number_primary), ''), '0'),
            nullif(trim(`row`.address_dir_primary), ''),
            nullif(trim(`row`.address_road_primary), ''),
            nullif(trim(`row`.address_sfx_primary), '')
        ) as street,
        concat_ws(
            ' ',
            nullif(trim(`row`.address_dir_intersecting), ''),
            nullif(trim(`row`.address_road_intersecting), ''),
            nullif(trim(`row`.address_sfx_intersecting), '')
        ) as cross_street,
        {{ step.first() }}
    from raw_san_diego_calls
)

select
    published.*,
    case
        {{ step.last(1) }}
        when incident_num is null or incident_num <> trim(record_id) then 'key_mismatch'
        when coalesce(occurred_civil, '') = '' then 'event_time_missing'
        {{ civil.verdict('occurred_civil') | indent(8) }}
    end as reason,
    coalesce({{ category }}, 'unmapped') as category,
    nullif(concat_ws(' / ', nullif(street, ''), nullif(cross_street, '')), '') as place
from published;

insert into incidents (
    incident_id, source, record_id, revision, op, deleted, late, kind, occurred_local, occurred_at, time_precision,
    time_zone, category, crime_against, code, description, status, status_code, area_kind, area, place, priority,
    domestic, quality_flags, observed_at, source_updated_at, poll_id, raw_partition, raw_offset
)
select
    {{ record.identity(source, 'call_for_service') | indent(4) }},
    {{ record.occurred('America/Los_Angeles', "'second'") | indent(4) }},
    category,
    {{ crime_against }} as crime_against,
    call_type as code,
    {{ description }} as description,
    coalesce({{ status }}, 'unknown') as status,
    disposition as status_code,
    'beat' as area_kind,
    beat as area,
    place,
    priority,
    -- the only call types that name it; of all others the feed says nothing
    case when call_type in ('245DV', '415DV') then true end as domestic,
    concat_ws(
        ',',
        case when beat is null then 'area_unknown' end,
        case when reason = '' and substring(occurred_civil, 12, 8) = '00:00:00' then 'midnight' end,
        case when place is null then 'place_unknown' end
    ) as quality_flags,
    {{ record.origin() | indent(4) }}
from san_diego_calls_parsed
where reason = '' or revision > 1;

{% call record.dead_letters(source, row_as_json) %}
case reason
    when 'key_mismatch' then concat('incident_num is not the record id ', record_id, '.')
    when 'event_time_missing' then 'date_time holds no value.'
    when 'event_time_out_of_range' then concat('The event time ', occurred_civil, ' is before 1900 or after 2099.')
    else concat('The event time ', occurred_civil, ' is not a civil date and time.')
end
{% endcall %}
