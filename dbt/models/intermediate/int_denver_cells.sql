-- Contacts have coordinates at best, accidents a neighbourhood too: a cell belongs to the neighbourhood of most of
-- its accidents.

with

cells as (

    select
        source,
        kind,
        extract(year from month) as year,
        cell_latitude,
        cell_longitude,
        area,
        incidents,
        seriously_injured,
        fatalities

    from {{ ref('incidents_by_cell') }}

    where
        source in ('denver_311', 'denver_311_archive', 'denver_traffic_accidents')
        and month >= '1900-01-01'

),

neighbourhoods as (

    select
        cell_latitude,
        cell_longitude,
        area as neighbourhood

    from cells

    where source = 'denver_traffic_accidents' and area != 'unknown' and cell_latitude is not null

    group by cell_latitude, cell_longitude, area

    qualify row_number() over (partition by cell_latitude, cell_longitude order by sum(incidents) desc, area) = 1

),

contact_years as (

    -- both tables have the same contacts: a year is taken from the archive where that has it
    select
        year,
        min_by(source, if(source = 'denver_311_archive', 0, 1)) as source

    from cells

    where kind = 'service_request'

    group by year

),

placed as (

    select
        cells.source,
        cells.kind,
        cells.year,
        cells.incidents,
        cells.seriously_injured,
        cells.fatalities,
        if(
            cells.kind = 'accident' and cells.area != 'unknown', cells.area, neighbourhoods.neighbourhood
        ) as neighbourhood

    from cells

    left join neighbourhoods
        on
            cells.cell_latitude = neighbourhoods.cell_latitude
            and cells.cell_longitude = neighbourhoods.cell_longitude

    left join contact_years
        on
            cells.year = contact_years.year
            and cells.source = contact_years.source

    where cells.kind = 'accident' or contact_years.source is not null

)

select
    source,
    kind,
    year,
    neighbourhood,
    sum(incidents) as incidents,
    sum(seriously_injured) as seriously_injured,
    sum(fatalities) as fatalities

from placed

group by source, kind, year, neighbourhood
