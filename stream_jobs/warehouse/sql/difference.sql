-- {name}: the rows of two generations side by side. A row that differs and that one of them has written since @settled
-- may only be on its way to the other, and is moving.
with paired as (
    select
        o.loaded_at is not null as is_old,
        n.loaded_at is not null as is_new,
        o.loaded_at is not null and n.loaded_at is not null and ({differs}) as differs,
        greatest(coalesce(o.loaded_at, n.loaded_at), coalesce(n.loaded_at, o.loaded_at)) < @settled as settled,
        {columns},
    from `{old}` as o
    full outer join `{new}` as n on {same_key}
    where {wanted}
)

